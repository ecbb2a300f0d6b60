"""The conductor's own temporary files: in its home, where the next conductor finds them.

Python's multiprocessing keeps its forkserver's socket among the temporary files, and removes it at
an orderly end only: of each conductor that was killed something stayed there for good.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from marianne.daemon.shared.log import get_logger

if TYPE_CHECKING:
    from marianne.home import Home

log = get_logger(__name__)

NAME = "tmp"

LONGEST = 75
"""Bytes of a directory's name so that the forkserver's socket below it, in
``pymp-XXXXXXXX/listener-XXXXXXXX``, has a name that sockets may have: 107 bytes (unix(7))."""

LAST = Path("/tmp")


def use(home: Home) -> None:
    """Removes what an earlier conductor left, and has our own made there. For the lock's holder.

    Where a home's name is too long they are among everybody's temporary files, as TMPDIR says;
    and where that is too long as well, in ``/tmp``.
    """
    place = home.path / NAME
    shutil.rmtree(place, ignore_errors=True)  # what cannot be removed is in nobody's way
    if _fits(place):
        try:
            place.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            log.warning("no_temporary_files", place=str(place), error=str(error))
        else:
            tempfile.tempdir = str(place)
            return
    if not _fits(Path(tempfile.gettempdir())):
        tempfile.tempdir = str(LAST)


def _fits(directory: Path) -> bool:
    return len(bytes(directory)) <= LONGEST
