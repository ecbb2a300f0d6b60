"""Where the conductor that runs has its files, told in the home, for clients that look for it.

A configuration may name other places since it was started; what it has open stays where it is.
"""

from __future__ import annotations

import errno
import os

from marianne.home import Home, is_taken
from marianne.private import PRIVATE_FILE
from marianne.run.holders import identity

_TOLD = ("conductor_sock", "db", "log", "pid_file")


def tell(home: Home) -> None:
    """Writes down where the files of the conductor that runs are. Raises OSError."""
    lines = [f"{name} {getattr(home, name)}" for name in _TOLD]
    lines.append(f"home {home.mark()}")
    if any("\n" in line for line in lines):
        raise OSError(errno.EINVAL, "a place has a line break in its name")
    fresh = home.path / f"places.{os.getpid()}"
    fresh.write_text("\n".join(lines) + "\n", errors="surrogateescape")
    fresh.chmod(PRIVATE_FILE)
    os.replace(fresh, home.places_file)


def serving(home: Home) -> Home:
    """The home with its files where the conductor that runs has them; without one, as it is.

    What a copy of a home brought along says where the original serves, and is not believed. Nor is
    what names the old place of a home that was moved, where another one runs by now.
    """
    try:
        lines = home.places_file.read_text(errors="surrogateescape").splitlines()
        told = {name: place for name, _, place in (line.partition(" ") for line in lines)}
        copied = told.pop("home", "") != home.mark()
    except OSError:
        return home
    if copied or sorted(told) != sorted(_TOLD):
        return home
    there = Home(home.path, **told)
    same = all(getattr(there, name) == getattr(home, name) for name in _TOLD)
    if same or not there.running():
        return home
    moved = identity(there.pid_file) != identity(home.pid_file) and is_taken(home.pid_file)
    return home if moved else there
