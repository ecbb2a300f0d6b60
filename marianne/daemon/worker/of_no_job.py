"""Where a command runs that is of no job: a notice of the machine.

Its files lie with the conductor's temporary ones; while the disk takes none, in memory, where it is
the machine's memory that is shared out. What a restart finds there is nobody's.
"""

from __future__ import annotations

import shutil
from hashlib import sha256
from pathlib import Path

from ipc import codec
from marianne.daemon.context import Context
from marianne.daemon.shared.log import get_logger
from marianne.environment import clean_environment, packable
from marianne.private import HomeError, private_directory, refuse_foreign_links

log = get_logger(__name__)

NAME = "beside"

MEMORY = Path("/dev/shm")


def directory(context: Context) -> Path:
    """A directory of ours alone; OSError where there is none to be had."""
    at_home = context.home.path / "tmp" / NAME
    if context.storage.words() is None:
        return _made(at_home)
    try:
        return _made(in_memory(context.owner))
    except OSError as error:
        log.warning("no_place_in_memory", error=str(error))
        return _made(at_home)


def in_memory(owner: str) -> Path:
    """The one that is used while the disk is full. Its name does not tell the owner."""
    return MEMORY / f"marianne-{sha256(f'beside/{owner}'.encode()).hexdigest()[:16]}"


def clear(context: Context) -> None:
    """Removes what was left there."""
    shutil.rmtree(in_memory(context.owner), ignore_errors=True)


def environment() -> bytes:
    """The conductor's own, packed as a job's is."""
    return codec.pack(packable(clean_environment()))


def _made(place: Path) -> Path:
    try:
        refuse_foreign_links(place)
        private_directory(place)
    except HomeError as error:
        raise OSError(str(error)) from error
    return place
