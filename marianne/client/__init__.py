"""The conductor as programs with an event loop know it: what it answers, what happens, whether it
is there. The pages and the screen stand on it.
"""
