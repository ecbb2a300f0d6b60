"""Processes as children: started through a forkserver, watched by one thread.

A started process is the forkserver's child, not ours. So a pidfd is the proof of its life, and
multiprocessing's sentinel only a source for the exit code: all sentinels fire when the forkserver
dies, while the processes live.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import select
import struct
from typing import TYPE_CHECKING, Any

from actors import forkserver, leash, process_child
from actors.current import current
from actors.process import Process, ProcessExit, has_ended, open_pidfd, start_time_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.cell import Cell
    from actors.system import System

STATUS_GRACE = 2.0
"""Seconds the forkserver has, after a child's end, to write down its exit code."""

STALL_SECONDS = 15.0
"""Seconds in which the forkserver has to answer; one that does not is replaced."""

_STATUS = struct.Struct("q")  # what multiprocessing.forkserver writes into the sentinel pipe


class Processes:
    """The processes of one system."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._runtime = system.runtime
        self.cores: frozenset[int] | None = None
        """Where children run, for a parent that has bound itself to less; None: as inherited."""
        self._context = multiprocessing.get_context("forkserver")
        self._lock = self._runtime.lock()
        self._watched: dict[int, Process] = {}  # by pidfd
        self._pending: dict[int, tuple[Process, float]] = {}  # ended, by sentinel: (…, deadline)
        self._watchers: dict[Process, list[Cell]] = {}
        self._epoll: select.epoll | None = None
        self._wake = -1
        self._closing = False
        self._starting = self._runtime.lock()
        self._started_last = False  # no start begins any more

    def prepare(self, preload: Sequence[str] = (), *, check: bool = True) -> None:
        """Starts the forkserver with these modules loaded. Call it before any thread exists.

        With `check` a child looks whether they are loaded; RuntimeError if not, because a preload
        that fails says nothing and only makes every start slow.
        """
        forkserver.prepare(self._context, preload, check)

    def without_tracker(self) -> None:
        """Does without multiprocessing's resource tracker, a process; before the first child.

        For a program none of whose processes makes named semaphores or shared memory.
        """
        forkserver.without_tracker()

    def start(
        self,
        target: Callable[..., object] | str,
        args: tuple[Any, ...] = (),
        name: str = "process",
        *,
        setup: Callable[[], object] | None = None,
        die_with_parent: bool = True,
    ) -> Process:
        """Runs `target(*args)` in a new process; both must be importable and picklable.

        A target named "module:function" is imported in the child alone: what a parent only ever
        has children run costs it neither time nor memory.

        `setup` runs before it in the child (session, limits, confinement). With `die_with_parent`
        the child ends when this process does, even by SIGKILL; without, it may outlive it and be
        adopted by the next one.

        Raises OSError or EOFError when the machine or the forkserver cannot do it now: another try
        may succeed. A child that was born in spite of that is killed. A forkserver that died, or
        whose socket was removed, is replaced first. Blocks while the forkserver is stopped or
        stuck, for `STALL_SECONDS` at most.
        """
        current.check()
        parent = leash.collar() if die_with_parent else None
        child = self._context.Process(
            target=process_child.run, args=(parent, self.cores, setup, target, args), name=name
        )
        stall = self._system.timers.after(STALL_SECONDS, forkserver.renew)
        try:
            with self._starting:
                self._check_helpers()
                forkserver.end_unreachable()
                child.start()
        finally:
            stall.cancel()
        # multiprocessing would join it at the interpreter's exit; ending it is our decision.
        forkserver.disown(child)
        assert child.pid is not None
        try:
            opened = open_pidfd(child.pid)
            if opened is None:  # it ran and was reaped before we looked: the pipe knows how
                process = Process(self._runtime, child.pid, 0, -1, name, child)
                self._settle(process, _read_status(child.sentinel))
                return process
            process = Process(self._runtime, child.pid, opened[1], opened[0], name, child)
            self._begin(process)
        except OSError:
            # Nobody would know of it. The forkserver has just named it and waits for it by its
            # pipe, which has said nothing: the number is still its own.
            child.kill()
            raise
        if current.fenced:  # its starter was killed meanwhile, and nobody else knows of it
            process.kill()
            current.check()
        return process

    def adopt(self, pid: int, start_time: int, name: str = "adopted") -> Process | None:
        """Watches a process that somebody else started; None if it is not there any more.

        A zombie is not there: whoever should reap it may take long (pidfd_open(2): the descriptor
        is readable once the process has ended, reaped or not).
        """
        current.check()
        opened = open_pidfd(pid, start_time)
        if opened is None:
            return None
        if has_ended(opened[0]):
            os.close(opened[0])
            return None
        process = Process(self._runtime, pid, start_time, opened[0], name)
        self._begin(process)
        return process

    def watch(self, process: Process, cell: Cell) -> None:
        """`Actor.watch`: one `on_process_exit`, at once if it has ended."""
        with self._lock:
            if not process.exited.done:
                self._watchers.setdefault(process, []).append(cell)
                return
        _notify(cell, process)

    def forkserver(self, known: Process | None = None) -> Process:
        """The forkserver, for whoever watches it; another where it died or cannot be reached.

        ``known`` is what an earlier call returned: the same while it lives. Raises OSError when
        the machine cannot have one now.
        """
        with self._starting:
            self._check_helpers()
            pid = forkserver.ensure()
        if known is not None and known.pid == pid and known.alive():
            return known
        process = self.adopt(pid, start_time_of(pid) or 0, "forkserver")
        if process is None:
            raise ChildProcessError(f"the forkserver (process {pid}) ended at once")
        return process

    def forkserver_pids(self) -> list[int]:
        """The pids of multiprocessing's helpers, which a reaper must spare."""
        return forkserver.pids()

    def end_helpers(self, *, for_good: bool = False) -> None:
        """Ends forkserver and resource tracker, where they run; the next start makes new ones.

        ``for_good``: there is no next start, it raises OSError; one that is under way in another
        thread leaves none behind.
        """
        self._started_last = self._started_last or for_good
        forkserver.end()
        if for_good:
            with self._starting:  # who had begun has met the end of the one, and made another
                forkserver.end()

    def _check_helpers(self) -> None:
        if self._started_last:
            raise OSError(errno.ESHUTDOWN, "the processes of this system have been ended")

    def close(self) -> None:
        """Ends the watcher thread, when the last process has ended: they go on."""
        with self._lock:
            self._closing = True
            if self._wake >= 0:
                os.eventfd_write(self._wake, 1)

    # -- the watcher -------------------------------------------------------------------------

    def _begin(self, process: Process) -> None:
        with self._lock:
            if self._epoll is None:
                self._start_watcher()
            assert self._epoll is not None
            self._watched[process.pidfd] = process  # first: it may end at once
            try:
                self._epoll.register(process.pidfd, select.EPOLLIN)
            except OSError:
                del self._watched[process.pidfd]
                raise

    def _start_watcher(self) -> None:
        """Raises OSError, and leaves nothing behind, when there is no room for it."""
        wake = os.eventfd(0, os.EFD_CLOEXEC)
        try:
            epoll = select.epoll()
        except OSError:
            os.close(wake)
            raise
        epoll.register(wake, select.EPOLLIN)
        self._epoll, self._wake = epoll, wake
        try:
            self._runtime.start_thread(self._run, f"{self._system.name}:processes")
        except RuntimeError as error:  # "can't start new thread": pthread_create(3) said EAGAIN
            self._epoll, self._wake = None, -1
            epoll.close()
            os.close(wake)
            raise OSError(errno.EAGAIN, str(error)) from error

    def _run(self) -> None:
        epoll = self._epoll
        assert epoll is not None
        while True:
            for fd, _ in epoll.poll(self._patience()):
                if fd == self._wake:
                    os.eventfd_read(fd)
                    continue
                epoll.unregister(fd)
                process = self._watched.pop(fd, None)
                if process is not None:
                    self._ended(process, epoll)
                elif fd in self._pending:
                    self._settle(self._pending.pop(fd)[0], _read_status(fd))
            now = self._runtime.monotonic()
            for fd, (process, deadline) in list(self._pending.items()):
                if now >= deadline:
                    del self._pending[fd]
                    epoll.unregister(fd)
                    self._settle(process, ProcessExit())
            if self._closing and self._end():
                return

    def _patience(self) -> float | None:
        if not self._pending:
            return None
        first = min(deadline for _, deadline in self._pending.values())
        return max(0.0, first - self._runtime.monotonic())

    def _ended(self, process: Process, epoll: select.epoll) -> None:
        # The forkserver is its own module's to reap, which takes another's hand for an error.
        helper = process.pid in forkserver.pids()
        reaped = None if helper else _reap(process.pidfd)
        if reaped is not None:
            self._settle(process, reaped)
        elif process.kept is None:
            self._settle(process, ProcessExit())
        else:
            sentinel = process.kept.sentinel
            self._pending[sentinel] = (process, self._runtime.monotonic() + STATUS_GRACE)
            epoll.register(sentinel, select.EPOLLIN)

    def _settle(self, process: Process, how: ProcessExit) -> None:
        process.settle(how)
        with self._lock:
            cells = self._watchers.pop(process, [])
        for cell in cells:
            _notify(cell, process)

    def _end(self) -> bool:
        with self._lock:
            if self._watched or self._pending or self._epoll is None:
                return False
            self._epoll.close()
            os.close(self._wake)
            self._epoll, self._wake = None, -1
            return True


def _reap(pidfd: int) -> ProcessExit | None:
    """The exit status if the process was our own child: a subreaper inherits orphans."""
    try:
        status = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
    except OSError:
        return None
    if status is None:
        return None
    if status.si_code == os.CLD_EXITED:
        return ProcessExit(exit_code=status.si_status)
    return ProcessExit(signal=status.si_status)


def _read_status(sentinel: int) -> ProcessExit:
    try:
        data = os.read(sentinel, _STATUS.size)
    except OSError:
        return ProcessExit()
    if len(data) != _STATUS.size:  # the forkserver died before it knew
        return ProcessExit()
    code = _STATUS.unpack(data)[0]
    return ProcessExit(exit_code=code) if code >= 0 else ProcessExit(signal=-code)


def _notify(cell: Cell, process: Process) -> None:
    cell.owned.pop(process, None)
    cell.mailbox.force(("on_process_exit", (process, process.exited.value()), {}, None))
