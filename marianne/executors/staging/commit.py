"""What came back of a sheet, put into its workspace.

It is received in a directory of its own in the workspace, and moved from there only when all of it
is on disk. Each file takes its place in one step, and so does a directory that was not there:
nobody ever sees half of one. Files of a directory that was there take theirs one after the other,
and what else is in it stays: who looks in between, or a kill in between, finds some new and some
old ones. Such an attempt has not counted; it, or the next one, puts them all.
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress

from marianne.executors.staging.names import OURS, StagingError

STAGED = f"{OURS}staging"
"""In a workspace: what is on its way. Gone when nothing is."""


def make_room(workspace: str, label: str) -> str:
    """A fresh directory for what comes back, named for this process. Raises OSError."""
    place = os.path.join(workspace, STAGED, f"{label}.{os.getpid()}.{os.urandom(4).hex()}")
    for _ in range(100):
        # Another transfer that ends may take the empty one above it away.
        with suppress(FileNotFoundError):
            os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)
            os.mkdir(place, 0o700)
            return place
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN), place)


def clear_room(place: str) -> None:
    """Nothing is on its way there any more."""
    shutil.rmtree(place, ignore_errors=True)
    with suppress(OSError):
        os.rmdir(os.path.dirname(place))


def clear_left(workspace: str, job_id: str) -> None:
    """Removes what processes that died have left of a job's transfers."""
    above = os.path.join(workspace, STAGED)
    with suppress(OSError):
        for name in os.listdir(above):
            if name.startswith(f"{job_id}.") and f".{os.getpid()}." not in name:
                shutil.rmtree(os.path.join(above, name), ignore_errors=True)
        os.rmdir(above)


def commit(place: str, workspace: str) -> None:
    """Moves all that was received in ``place``. Raises StagingError before anything is moved where
    it cannot take its place, OSError."""
    _check(place, workspace, os.path.realpath(workspace))
    _move(place, workspace)


def _check(source: str, target: str, root: str) -> None:
    real = os.path.realpath(target)
    if real != root and not real.startswith(os.path.join(root, "")):
        raise StagingError(f"outputs: {target} leads out of the workspace, to {real}")
    with os.scandir(source) as found:
        for entry in found:
            place = os.path.join(target, entry.name)
            if entry.is_dir(follow_symlinks=False):
                if os.path.lexists(place):
                    if not os.path.isdir(place):
                        raise StagingError(f"outputs: {place} is no directory in the workspace")
                    _check(entry.path, place, root)
            elif os.path.isdir(place) and not os.path.islink(place):
                raise StagingError(f"outputs: {place} is a directory in the workspace")


def _move(source: str, target: str) -> None:
    with os.scandir(source) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        place = os.path.join(target, entry.name)
        if entry.is_dir(follow_symlinks=False):
            _move_folder(entry.path, place)
        else:
            _move_file(entry.path, place)
    descriptor = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _move_folder(source: str, place: str) -> None:
    if not os.path.isdir(place):
        try:
            os.rename(source, place)
            return
        except OSError as error:
            # Made meanwhile, or on another file system that is mounted in the workspace.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EXDEV):
                raise
        with suppress(FileExistsError):
            os.mkdir(place)
    _move(source, place)


def _move_file(source: str, place: str) -> None:
    try:
        os.replace(source, place)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        beside = os.path.join(os.path.dirname(place), f"{STAGED}.{os.urandom(4).hex()}")
        try:
            shutil.copy2(source, beside)
            with open(beside, "rb") as file:
                os.fsync(file.fileno())
            os.replace(beside, place)
        except OSError:
            with suppress(OSError):
                os.unlink(beside)
            raise
