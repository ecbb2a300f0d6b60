"""``marianne top``: jobs, sheets and live output on one screen of the terminal.

A client beside the pages: what it shows it asks at the conductor's sockets, and leaving it leaves
the jobs alone.
"""
