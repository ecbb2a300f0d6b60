"""Starting a conductor in the background, below its heart, from any other program.

The caller learns that the conductor serves, or why it does not, from a pipe that the conductor
inherits: one byte is readiness, the end of the pipe is death. Nothing is polled, and the lock
decides between two that start at once: the loser's conductor ends, and the loser finds the winner.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

from marianne.daemon.boot.ground import refuse_bare_ground, suspects
from marianne.environment import clean_environment
from marianne.home import Home, HomeError, HomeLock

READY_SECONDS = 30.0
ERROR_FILE_BYTES = 1_000_000
"""When the file of last words is longer, a start empties it."""

LAST_WORDS_BYTES = 4_000
LAST_WORDS_LINES = 12


class LaunchResult(NamedTuple):
    """A conductor that serves.

    ``already_running``: it was there, or another start was quicker; then it may still be starting,
    and the first request waits for it.
    """

    pid: int
    already_running: bool


class Tether(NamedTuple):
    """What binds a private conductor to its client: it ends when the client does.

    ``environment`` is the conductor's; ``fds`` are descriptors that its heart keeps open.
    """

    pid: int
    start_time: int
    environment: dict[str, str]
    fds: tuple[int, ...] = ()

    def __repr__(self) -> str:
        return f"Tether(pid={self.pid}, start_time={self.start_time}, fds={self.fds})"  # no secret

    @property
    def options(self) -> list[str]:
        """What the heart's and the conductor's command lines say of it."""
        return ["--client", f"{self.pid}:{self.start_time}"]


class LaunchError(Exception):
    """The conductor did not come up; the message ends with its own last words.

    ``exit_code`` is what it exited with: 2 is a bad configuration, None means that it was still
    starting when the time was up (it may yet come up).
    """

    def __init__(self, message: str, exit_code: int | None = None) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Launch(NamedTuple):
    """A conductor on its way up: its heart, the pipe that says when it serves (``ready``), and
    where in the file of last words its own begin (``said``)."""

    process: subprocess.Popen[bytes]
    ready: int
    said: int


def start(
    home: Home,
    *,
    wait: float = READY_SECONDS,
    tether: Tether | None = None,
    begun: Launch | None = None,
) -> LaunchResult:
    """Returns when a conductor of this home serves; starts one if none runs.

    ``wait`` bounds the whole in seconds. With a ``tether`` it does not outlive that client.
    ``begun`` is one that :func:`begin` started. Raises LaunchError, or HomeError for a home that
    must not be used. Other conductors outlive the caller: a session of their own, no terminal.
    """
    deadline = time.monotonic() + wait
    if begun is None:
        if (pid := _holder(home, deadline)) is not None:
            return LaunchResult(pid, already_running=True)
        begun = begin(home, tether)
    if begun is None:
        # Another start was quicker; its heart is about to write who it is.
        if (pid := _holder(home, deadline)) is not None:
            return LaunchResult(pid, already_running=True)
        raise LaunchError("another start of this home has just failed; try again")
    return _finish(begun, home, wait, deadline, lasting=tether is None)


def begin(home: Home, tether: Tether | None = None) -> Launch | None:
    """Starts a conductor and does not wait for it; None where another start was quicker.

    Raises HomeError for a home that must not be used, or a shell that allows too little; OSError
    when nothing can be started.
    """
    refuse_bare_ground()
    home.prepare()
    lock = home.lock()
    if lock is None:
        return None
    try:
        return _spawn(home, lock, tether)
    finally:
        lock.release()


def _finish(
    begun: Launch, home: Home, wait: float, deadline: float, *, lasting: bool
) -> LaunchResult:
    process = begun.process
    try:
        answer = _first_byte(begun.ready, deadline)
    finally:
        os.close(begun.ready)
        # The child is reaped when it ends, also in a program that lives longer than it does.
        threading.Thread(target=process.wait, name="reap-conductor", daemon=True).start()
    if answer is None:
        said = _words(home, begun.said, lasting=lasting)
        raise LaunchError(f"the conductor was not ready within {wait:g} s{said}")
    code = None if answer else _exit_code(process, deadline)
    if (pid := _holder(home, deadline)) is not None:
        return LaunchResult(pid, already_running=not answer)
    said = _words(home, begun.said, lasting=lasting)
    raise LaunchError(f"the conductor ended at its start{said}", code)


def command(home: Home) -> list[str]:
    """The command line that runs a conductor of this home."""
    # As a package's __main__, which forkserver children do not run again; -P keeps the directory
    # that it runs in off its module path.
    return [sys.executable, "-P", "-m", "marianne.daemon", "--home", str(home.path)]


def become_heart(home: Home) -> None:
    """This process becomes the heart of a conductor that logs to standard error, too.

    Returns only where another conductor holds the home. Raises HomeError, OSError.
    """
    home.prepare()
    lock = home.lock()
    if lock is None:
        return
    ready = os.open(os.devnull, os.O_WRONLY)  # who keeps services is told in another way
    for fd in (ready, lock.fd, lock.guard):
        os.set_inheritable(fd, True)
    os.chdir(home.path)
    argv = heart_command(home, lock, ready, words=["--log", str(home.errors)])
    sys.stdout.flush()
    os.execve(argv[0], [*argv, "--foreground"], clean_environment())


def heart_command(
    home: Home,
    lock: HomeLock,
    ready: int,
    tether: Tether | None = None,
    words: Sequence[str] = (),
) -> list[str]:
    """The command line of the heart, which runs the conductor and replaces one that died.

    ``words`` are further options of its own."""
    from marianne import heart

    options = [*words, *(tether.options if tether else [])]
    return [
        *(sys.executable, "-I", "-S", heart.__file__, "--home", str(home.path), *options),
        *("--lock-fd", str(lock.fd), "--guard-fd", str(lock.guard), "--ready-fd", str(ready)),
        *("--", *command(home), *(tether.options if tether else [])),
    ]


def _spawn(home: Home, lock: HomeLock, tether: Tether | None) -> Launch:
    ready, theirs = os.pipe2(os.O_CLOEXEC)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    errors = -1
    try:
        errors = os.open(home.errors, flags, 0o600)
        said = os.fstat(errors).st_size
        if said > ERROR_FILE_BYTES:
            os.ftruncate(errors, 0)
            said = 0
        process = subprocess.Popen(
            heart_command(home, lock, theirs, tether),
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            pass_fds=(theirs, lock.fd, lock.guard, *(tether.fds if tether else ())),
            cwd=home.path,
            env=tether.environment if tether else clean_environment(),
            start_new_session=True,
        )
    except BaseException:
        os.close(ready)
        raise
    finally:
        os.close(theirs)
        if errors >= 0:
            os.close(errors)
    return Launch(process, ready, said)


def _first_byte(ready: int, deadline: float) -> bytes | None:
    """What the pipe says: a byte, nothing (it was closed), or None when time is up."""
    poller = select.poll()
    poller.register(ready, select.POLLIN)
    if not poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
        return None
    return os.read(ready, 1)


def _exit_code(process: subprocess.Popen[bytes], deadline: float) -> int | None:
    try:
        return process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return None


def _holder(home: Home, deadline: float) -> int | None:
    """The pid of the conductor that holds the lock, also in the instant in which it takes it.

    Waits for one that stops, or that was killed together with its heart, to let it go.
    """
    while True:
        try:
            pid = home.holder()
        except HomeError:
            if time.monotonic() >= deadline:
                raise
        else:
            if pid is None or not (home.dying() or home.stopping()):
                return pid
            if time.monotonic() >= deadline:
                raise LaunchError(
                    f"the conductor that runs (pid {pid}) is still stopping; try later"
                )
        time.sleep(0.005)


def _words(home: Home, start: int, *, lasting: bool) -> str:
    """What conductors wrote to standard error after ``start``, as further lines; of a traceback the
    last, and where the ``lasting`` home has the rest."""
    try:
        with home.errors.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(start, file.tell() - LAST_WORDS_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    lines = [line for line in lines if line.strip()]
    if any(line.startswith(("Traceback", '  File "')) for line in lines):
        lines = [lines[-1], *([f"(the whole of it: {home.errors})"] if lasting else [])]
    lines = [*lines[-LAST_WORDS_LINES:], *(f"it may be that {one}" for one in suspects())]
    return "".join(f"\n  {line}" for line in lines)
