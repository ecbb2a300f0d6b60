"""Where a home is when nobody says: ``MARIANNE_HOME``, else the user's state directory."""

from __future__ import annotations

import os

from marianne.private import HomeError


def default_home() -> str:
    """``MARIANNE_HOME``, else the platform's user state directory for marianne.

    HomeError for a user who has no home directory: a bare number in a container has none.
    """
    given = os.environ.get("MARIANNE_HOME")
    if given:
        return given
    import platformdirs

    try:
        return platformdirs.user_state_dir("marianne", appauthor=False)
    except RuntimeError:
        raise HomeError(
            f"user {os.getuid()} has no home directory, and HOME is not set: set MARIANNE_HOME to"
            " a directory of yours"
        ) from None


def embedded_home() -> str:
    """``MARIANNE_HOME``, else a directory beside the user's own: of a program's conductor."""
    return os.environ.get("MARIANNE_HOME") or f"{default_home()}-embedded"
