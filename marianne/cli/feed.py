"""Waiting for what the conductor will say, while noticing that it ends, that time is up, or Ctrl-C.

A request or a subscription blocks its thread, so it runs in a thread of its own; the main thread
waits on descriptors: the thread's eventfd and the pidfd of whoever holds the conductor's lock.
Nothing here polls.

A signal wakes the wait by a descriptor too: one that comes right before the system call does not
end it, and Python runs the handler only after it, hours later maybe (signal.set_wakeup_fd).
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from marianne.cli.errors import CliError
from marianne.cli.session import Session
from marianne.run.procfs import pidfd_of

T = TypeVar("T")

_LOOK_AGAIN = 0.5
"""Seconds between two looks for the conductor, while the lock is held by nobody that is found: by
one that is dying, or not begun."""

_MOST = 10_000
"""Items that are kept for whoever takes them slowly; the source waits meanwhile."""

_ENDS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
"""What ends a wait, where it has a handler; whatever has become of what that raised."""

_LAST_WORDS = 0.5
"""Seconds that the source may still deliver after the conductor has ended."""


class Feed(Generic[T]):
    """What ``source`` yields, taken from it in a thread; ``source`` must make its own client.

    The thread is a daemon: the program leaves by os._exit and does not wait for it. What a feed has
    open is closed when its items are left and the thread has ended, by whoever is the last.
    """

    def __init__(self, session: Session, source: Callable[[], Iterable[T]]) -> None:
        self._session = session
        self._source = source
        self._items: deque[T] = deque()
        self._room = threading.Semaphore(_MOST)
        self._error: BaseException | None = None
        self._over = self._left = False
        self._lock = threading.Lock()
        """Held to look at these two and to use the eventfd, which may be closed already."""
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._holder = _Holder(session)
        self._signals = _Signals()
        threading.Thread(target=self._pump, name="feed", daemon=True).start()

    def items(self, until: float | None = None, tick: float | None = None) -> Iterator[T | None]:
        """Yields what comes, and None after each ``tick`` seconds without anything.

        Raises the source's error; CliError ``timeout`` at ``until`` (monotonic), ``no_conductor``
        when the conductor has ended and nothing more came; KeyboardInterrupt for a signal.
        """
        try:
            yield from self._come(until, tick)
        finally:
            self._signals.drop()
            self._holder.drop()
            with self._lock:
                self._left = True
                if self._over:
                    os.close(self._wake)

    def _come(self, until: float | None, tick: float | None) -> Iterator[T | None]:
        ended_at: float | None = None
        while True:
            while self._items:
                self._room.release()
                yield self._items.popleft()
            if self._over:
                if self._items:
                    continue
                if self._error is not None:
                    raise self._error
                return
            now = time.monotonic()
            if until is not None and now >= until:
                raise CliError("timeout", "the time given by --timeout is up")
            if ended_at is not None and now >= ended_at + _LAST_WORDS:
                raise CliError(
                    "no_conductor",
                    "the conductor has stopped",
                    "unfinished jobs go on when it runs again: marianne start",
                )
            limits = [until, now + tick if tick else None, ended_at and ended_at + _LAST_WORDS]
            if ended_at is None and self._holder.fd is None:
                limits.append(now + _LOOK_AGAIN)
            nearest = min((t for t in limits if t is not None), default=None)
            woken = self._poll(None if nearest is None else nearest - now, ended_at is not None)
            if not woken and tick:
                yield None
            if ended_at is None and self._holder.fd is None and not self._holder.find():
                ended_at = time.monotonic()

    def _poll(self, seconds: float | None, ended: bool) -> bool:
        """Waits; whether the thread has something. Drops the holder's pidfd when it has ended."""
        poller = select.poll()
        poller.register(self._wake, select.POLLIN)
        if self._signals.fd is not None:
            poller.register(self._signals.fd, select.POLLIN)
        if not ended and self._holder.fd is not None:
            poller.register(self._holder.fd, select.POLLIN)
        ready = poller.poll(None if seconds is None else max(0.0, seconds) * 1000)
        fds = [fd for fd, _ in ready]
        if self._signals.fd in fds and self._signals.came():
            raise KeyboardInterrupt
        if self._wake in fds:
            os.eventfd_read(self._wake)
        if self._holder.fd in fds:
            self._holder.drop()
        return self._wake in fds

    def _pump(self) -> None:
        try:
            for item in self._source():
                # In short waits: an interrupt of the main thread within a release leaves the
                # semaphore's lock taken, and who leaves must not meet it.
                while not self._room.acquire(timeout=_LOOK_AGAIN) and not self._left:
                    pass
                with self._lock:
                    if self._left:
                        break
                    self._items.append(item)
                    os.eventfd_write(self._wake, 1)
        except BaseException as error:  # noqa: BLE001 - raised again in the main thread
            self._error = error
        with self._lock:
            self._over = True
            if self._left:
                os.close(self._wake)
            else:
                os.eventfd_write(self._wake, 1)


class _Signals:
    """The numbers of the signals that came, to be read from a pipe; none outside the main thread,
    or where another has asked for them (asyncio)."""

    def __init__(self) -> None:
        self.fd: int | None = None
        if threading.current_thread() is not threading.main_thread():
            return
        self.fd, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        if before != -1:
            signal.set_wakeup_fd(before, warn_on_full_buffer=False)
            self._close()

    def came(self) -> bool:
        """Whether one of them ends a wait; they are taken."""
        assert self.fd is not None
        return not _ENDS.isdisjoint(os.read(self.fd, select.PIPE_BUF))

    def drop(self) -> None:
        """No more of them are wanted."""
        if self.fd is not None:
            signal.set_wakeup_fd(-1)
            self._close()

    def _close(self) -> None:
        assert self.fd is not None
        os.close(self._write)
        os.close(self.fd)
        self.fd = None


class _Holder:
    """The process that holds the conductor's lock, as a pidfd: the heart, else the conductor."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.fd: int | None = None
        self.find()

    def find(self) -> bool:
        """Opens the present holder; False when nobody holds the lock. One that is elsewhere cannot
        be watched: that it has gone is what requests find."""
        if self._session.is_elsewhere:
            return True
        for _ in range(50):
            pid = self._session.home.heart() or self._session.holder()
            if pid is None:
                return False
            self.fd = pidfd_of(pid)
            if self.fd is not None:
                return True
            time.sleep(0.01)  # ended in this instant, or a heart is replacing its conductor
        return self._session.running()

    def drop(self) -> None:
        """The process has ended."""
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None
