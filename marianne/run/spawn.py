"""Starting one program in a process group of its own, with files for its standard streams.

os.posix_spawn, because it costs half of Popen. It has no working directory, so the caller's is
changed first; that is safe in a process with one thread, and only there. It searches our PATH, not
the child's, so the program is looked up here.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING

from marianne.walls.group_spawn import spawn_in

if TYPE_CHECKING:
    from marianne.run.walled import Walls
    from marianne.walls.room import Room

NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
PASSING = NO_SPACE | {
    errno.EAGAIN,
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOBUFS,
    errno.ENOMEM,
    errno.EROFS,
}
"""What the machine has no more of, or its disk cannot do, just now: not the score's fault, and it
passes. ``spawn`` raises these as they are."""

OUT = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"


class SpawnError(Exception):
    """A program could not be started. The message is for the score's author.

    ``category`` is not_found where the program is missing or cannot be one, workspace where the
    directory of the sheet is, else internal.
    """

    def __init__(self, category: str, message: str) -> None:
        super().__init__(message)
        self.category = category
        self.message = message


class Command:
    """What to start. ``stdin`` None is /dev/null; ``stderr`` None goes where stdout goes;
    ``walls`` are those that it runs behind, ``room`` what of them was made for it."""

    __slots__ = ("argv", "cwd", "env", "room", "stderr", "stdin", "stdout", "walls")

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: str,
        stdout: str,
        stderr: str | None = None,
        stdin: str | None = None,
        walls: Walls | None = None,
    ) -> None:
        self.argv = argv
        self.env = env
        self.cwd = cwd
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.walls = walls
        self.room: Room | None = None


def find_program(name: str, env: Mapping[str, str], cwd: str) -> str:
    """The file that ``name`` means to a child with this environment and working directory."""
    if "/" in name:
        return name if os.path.isabs(name) else os.path.join(cwd, name)
    for folder in env.get("PATH", _DEFAULT_PATH).split(":"):
        path = os.path.join(cwd, folder or ".", name)
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    raise SpawnError("not_found", f"Executable not found: {name} (looked in the sheet's PATH)")


def spawn(command: Command, program: str | None = None, group: int | None = None) -> int:
    """Starts it and answers its pid, which is also the id of its process group; ``group`` is a
    descriptor of the control group that it is to be in.

    Every signal is back at its default and none is blocked: an ignored SIGHUP or SIGPIPE of ours
    would go on being ignored below. Outputs are opened for appending, so that a program that
    opens /dev/stderr anew cannot make another writer overwrite.
    """
    path = program or find_program(command.argv[0], command.env, command.cwd)
    opened: list[int] = []
    try:
        _enter_for(command)
        # Here and not in the child: we wait for its exec, and it for a processor that a sheet uses.
        opened.append(os.open(command.stdin or os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        opened.append(os.open(command.stdout, OUT, 0o600))
        if command.stderr is not None:
            opened.append(os.open(command.stderr, OUT, 0o600))
        streams = (opened[0], opened[1], opened[-1])
        start = _starter(command, path, streams, group)
        if command.walls is None:
            return start()
        files = [file for file in (command.stdin, command.stdout, command.stderr) if file]
        return command.walls.start(start, command.room, command.cwd, files, path)
    except OSError as error:
        if error.errno in PASSING:
            raise
        raise _explain(error, command, path) from error
    except ValueError as error:  # a NUL byte in an argument or in the environment
        raise SpawnError("internal", f"Cannot start {command.argv[0]}: {error}") from error
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _starter(
    command: Command, path: str, streams: tuple[int, int, int], group: int | None
) -> Callable[[], int]:
    argv = list(command.argv)
    if group is not None:
        return partial(spawn_in, group, path, argv, command.env, streams, ignored_signals())
    return partial(
        os.posix_spawn,
        path,
        argv,
        command.env,
        file_actions=[(os.POSIX_SPAWN_DUP2, given, fd) for fd, given in enumerate(streams)],
        setpgroup=0,
        setsigmask=(),
        setsigdef=ignored_signals(),
    )


@cache
def ignored_signals() -> tuple[int, ...]:
    """What a child would go on ignoring; exec resets a handled signal by itself (execve(2)), and
    each one named here is a system call more in the child. Ours do not change once we spawn."""
    return tuple(s for s in signal.valid_signals() if signal.getsignal(s) is signal.SIG_IGN)


def enter(folder: str) -> None:
    """Changes to ``folder`` and makes it if it is not there: a sheet may have removed it."""
    try:
        os.chdir(folder)
    except FileNotFoundError:
        os.makedirs(folder, exist_ok=True)
        os.chdir(folder)


def _enter_for(command: Command) -> None:
    try:
        enter(command.cwd)
    except OSError as error:
        if error.errno in PASSING or error.errno == errno.ENOENT:  # taken away as it was made
            raise
        words = f"It cannot work in {command.cwd}: {error.strerror}"
        raise SpawnError("workspace", words) from error


def _explain(error: OSError, command: Command, path: str) -> SpawnError:
    name = command.argv[0]
    if error.errno == errno.ENOENT:
        if not os.path.exists(path):
            return SpawnError("not_found", f"Executable not found: {name}")
        for needed in (command.stdin, os.path.dirname(command.stdout), command.cwd):
            if needed and not os.path.exists(needed):
                return SpawnError("internal", f"Cannot start {name}: {needed} is gone")
        hidden = "" if command.walls is None else ", or its sandbox hides it"
        return SpawnError(
            "not_found",
            f"Cannot start {name}: the interpreter that it names does not exist{hidden}",
        )
    if error.filename in (command.stdin, command.stdout, command.stderr):
        return SpawnError("internal", f"Cannot start {name}: {error.filename}: {error.strerror}")
    if error.errno == errno.ENOEXEC:
        return SpawnError(
            "not_found",
            f"Cannot start {name}: no program that this machine runs (a script needs a first line "
            "like #!/bin/sh)",
        )
    if error.errno in (errno.EACCES, errno.EISDIR):
        return SpawnError("not_found", f"Cannot start {name}: not executable ({error.strerror})")
    if error.errno == errno.E2BIG:
        return SpawnError(
            "internal",
            f"Cannot start {name}: its arguments and environment are too large (one argument may "
            "have 128 KiB); let the instrument read the prompt from stdin",
        )
    return SpawnError("internal", f"Cannot start {name}: {error.strerror}")
