"""``marianne mcp``: what agents are given to see and run jobs by, over the Model Context Protocol.

A floor above the command line, whose questions to the conductor it asks and whose errors it tells.
"""
