"""Telling people: what a notice says, when it is due, the program that delivers it.

Pure, but for the program (:mod:`marianne.notify.deliver`), which a conductor starts and never
imports.
"""
