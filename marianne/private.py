"""Places that nobody else may use: made private, checked for strangers, never taken from others.

What is checked: who owns it, whether a symlink of another user leads there, what others may write.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PRIVATE_DIR = 0o700
PRIVATE_FILE = 0o600
WRITABLE_BY_OTHERS = 0o022


class HomeError(Exception):
    """The home cannot be used as it is; the message says what is wrong and what to do."""


def refuse_foreign_links(path: Path) -> None:
    """Raises HomeError when a part of ``path`` is a symlink that another user could redirect.

    Links of root are trusted: /home or /tmp is one on some systems, and root can do all anyway.
    """
    trusted = (os.geteuid(), 0)
    for part in (*reversed(path.parents), path):
        try:
            info = os.lstat(part)
        except FileNotFoundError:
            return
        if stat.S_ISLNK(info.st_mode) and info.st_uid not in trusted:
            raise HomeError(
                f"{part} is a symlink of user {info.st_uid}, who could point it elsewhere; "
                "set MARIANNE_HOME to a place of your own"
            )


def refuse_foreign_entries(directory: Path) -> None:
    """Raises HomeError when something in ``directory`` is another user's: it was planted while the
    directory was open. What root put there is trusted."""
    trusted = (os.geteuid(), 0)
    with os.scandir(directory) as entries:
        for entry in entries:
            try:
                owner = entry.stat(follow_symlinks=False).st_uid
            except FileNotFoundError:
                continue
            if owner not in trusted:
                raise HomeError(
                    f"{entry.path} belongs to user {owner}, who must have put it there while "
                    f"{directory} was open to others; look at it, and remove it"
                )


_OURS = frozenset(
    (
        *("ballast", "conductor.pid", "conductor.sock", "conductor.yaml", "events.sock"),
        *("instruments", "jobs", "keys", "logs", "owner", "parse", "places", "rehearsal"),
        *("state.db", "stop-order", "tmp", "traces.json", "web.address", "web.address.new"),
        *("workers.key", "workers.key.new", "workers.sock", "workers2.sock"),
    )
)
_OURS_BEGIN = (
    *(".conductor", "conductor.yaml", "jobs.set-aside-", "owner.", "places.", "state.db"),
    *("stop-order.", "traces.json."),
)


def only_ours(directory: Path) -> bool:
    """Whether nothing but a conductor's files is in there."""
    return all(n in _OURS or n.startswith(_OURS_BEGIN) for n in os.listdir(directory))


def make_private(directory: Path) -> None:
    """Makes what is missing of a path, each 0700 whatever the umask."""
    for place in (*reversed(directory.parents), directory):
        try:
            place.mkdir(PRIVATE_DIR)
        except FileExistsError:
            if not place.is_dir():
                raise HomeError(f"cannot make {place}: something else lies there") from None
        except OSError as error:
            if not place.is_dir():  # one on the way that we may not write, but pass
                raise HomeError(f"cannot make {place}: {error.strerror}") from error


def private_directory(
    directory: Path, only_ours: Callable[[Path], bool] = lambda _: True
) -> list[str]:
    make_private(directory)
    try:
        info = directory.stat()
    except OSError as error:
        raise HomeError(f"cannot look at {directory}: {error.strerror}") from error
    if info.st_uid != os.geteuid():
        raise HomeError(
            f"{directory} belongs to user {info.st_uid}, not to you; "
            "set MARIANNE_HOME to a place of your own"
        )
    mode = stat.S_IMODE(info.st_mode)
    if not mode & ~PRIVATE_DIR:
        return []
    if only_ours(directory):
        directory.chmod(PRIVATE_DIR)
        return [f"{directory} was open to others ({mode:04o}); it is 0700 now"]
    if mode & WRITABLE_BY_OTHERS:
        raise HomeError(
            f"{directory} can be written by others ({mode:04o}) and holds more than Marianne's "
            "files: set MARIANNE_HOME to a directory of its own, or close this one: "
            f"chmod go-w {directory}"
        )
    return [f"{directory} can be read by others ({mode:04o}), and holds more than Marianne's files"]
