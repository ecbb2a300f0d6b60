"""What we need of multiprocessing's forkserver beyond its public face, all in one place."""

from __future__ import annotations

import multiprocessing.forkserver as mp_forkserver
import multiprocessing.process as mp_process
import multiprocessing.resource_tracker as mp_tracker
import os
import signal
import tempfile
from typing import TYPE_CHECKING, Any

from actors import process_child

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.context import ForkServerContext
    from multiprocessing.process import BaseProcess

_server: Any = mp_forkserver._forkserver
_tracker: Any = mp_tracker._resource_tracker


def prepare(context: ForkServerContext, preload: Sequence[str], check: bool) -> None:
    """Starts the forkserver with the modules loaded; RuntimeError if `check` finds one missing."""
    # The second is what each child imports by itself, to read what it is to run.
    ours = ["multiprocessing.popen_forkserver", "actors.process_child", "actors.process"]
    modules = ["actors.unmask", "actors.preloading", *ours, *preload, "actors.preloaded"]
    context.set_forkserver_preload(modules)
    mp_forkserver.ensure_running()
    if check:
        child = context.Process(target=process_child.probe, args=(modules,))
        child.start()
        child.join()
        if child.exitcode != 0:
            raise RuntimeError(f"the forkserver could not preload all of {modules}")


def without_tracker() -> None:
    """No process keeps multiprocessing's books, from now on.

    For a process that makes, with all whom it starts, nothing of what stands in them: named
    semaphores and shared memory. What is said to the tracker goes nowhere.
    """
    if _tracker._fd is None:
        _tracker._fd = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)


def disown(child: BaseProcess) -> None:
    """Keeps multiprocessing from joining the child when the interpreter exits."""
    mp_process._children.discard(child)  # type: ignore[attr-defined]


def pids() -> list[int]:
    """Of the forkserver and the resource tracker, as far as they run."""
    return [pid for pid in (_server._forkserver_pid, _tracker._pid) if pid is not None]


def ensure() -> int:
    """Its pid. One that has died is replaced, and one that nobody can reach any more.

    OSError when the machine cannot have one now.
    """
    end_unreachable()
    mp_forkserver.ensure_running()
    pid: int = _server._forkserver_pid
    return pid


def end_unreachable() -> None:
    """Ends one whose socket's file was removed, and forgets a directory for it that is gone.

    The next start makes both anew; without it every start fails from then on. Its living children
    go on.
    """
    config: dict[str, Any] = mp_process.current_process()._config  # type: ignore[attr-defined]
    with _server._lock:
        address, directory = _server._forkserver_address, config.get("tempdir")
        if directory is not None and not os.path.isdir(directory):
            os.makedirs(tempfile.gettempdir(), 0o700, exist_ok=True)
            # Not made again under its old name, which others know: somebody may have been quicker.
            config["tempdir"] = None
        if address and not address.startswith("\0") and not os.path.lexists(address):
            os.kill(_server._forkserver_pid, signal.SIGKILL)
            os.waitid(os.P_PID, _server._forkserver_pid, os.WEXITED | os.WNOWAIT)


def renew() -> None:
    """Ends a forkserver that answers nobody; the next start makes a new one.

    Whoever waits for its answer gets EOFError. Its living children go on.
    """
    with _server._lock:  # a dead one is reaped under it: while we hold it the pid is its own
        pid = _server._forkserver_pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)


def end() -> None:
    """Ends both, by SIGKILL: they stay as long as any started process lives, and ignore SIGTERM."""
    helpers = (
        (_server._forkserver_pid, _server._forkserver_alive_fd),
        (_tracker._pid, _tracker._fd),
    )
    for pid, fd in helpers:
        if fd is not None:
            os.close(fd)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)  # our own unreaped child: no stranger
            os.waitpid(pid, 0)
    address = _server._forkserver_address
    if address and not address.startswith("\0") and os.path.exists(address):
        os.unlink(address)
    _server._forkserver_pid = _server._forkserver_alive_fd = _server._forkserver_address = None
    _tracker._pid = _tracker._fd = None
