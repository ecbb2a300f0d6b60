"""The mark that a conductor serves: it is set while one does, and taken away by an orderly end."""

from __future__ import annotations

from typing import Final

ALIVE: Final = "conductor_alive"
"""Its name in ``meta``; a conductor that finds it set follows one that has died."""
