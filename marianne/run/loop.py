"""One selector, one heap of timers, one thread: all that the worker waits with."""

from __future__ import annotations

import heapq
import itertools
import select
import time
from collections.abc import Callable
from typing import Any


class Timer:
    """A call that is due once; ``cancel`` may be called at any time."""

    __slots__ = ("_call", "due")

    def __init__(self, due: float, call: Callable[[], Any]) -> None:
        self.due = due
        self._call: Callable[[], Any] | None = call

    def cancel(self) -> None:
        """Drops the call; its place in the heap goes when its time comes."""
        self._call = None

    @property
    def wanted(self) -> bool:
        """Whether it would call."""
        return self._call is not None

    def fire(self) -> None:
        """Makes the call, unless it was cancelled."""
        call, self._call = self._call, None
        if call is not None:
            call()


class Loop:
    """Calls readers when their descriptor can be read, and timers when they are due."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._readers: dict[int, Callable[[], Any]] = {}
        # Tuples, which compare in C; the numbers keep them from comparing further.
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self._running = False
        self._kept = 256  # timers after the last clean-up

    def add_reader(self, fd: int, call: Callable[[], Any]) -> None:
        """Calls ``call`` whenever ``fd`` can be read."""
        self._readers[fd] = call
        self._epoll.register(fd, select.EPOLLIN)

    def remove_reader(self, fd: int) -> None:
        """Forgets ``fd``; it stays open."""
        if self._readers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def call_later(self, seconds: float, call: Callable[[], Any]) -> Timer:
        """Calls ``call`` once, ``seconds`` from now."""
        timer = Timer(time.monotonic() + seconds, call)
        if len(self._timers) > 2 * self._kept:
            self._drop_cancelled()
        heapq.heappush(self._timers, (timer.due, next(self._numbers), timer))
        return timer

    def stop(self) -> None:
        """Makes ``run`` return after the present round."""
        self._running = False

    def run(self) -> None:
        """Until ``stop``."""
        self._running = True
        while self._running:
            self.turn()

    def turn(self, longest: float | None = None) -> None:
        """One round: what is due, then a wait of at most ``longest`` seconds."""
        self._fire_due()
        if not self._running and longest is None:
            return
        timeout = self._until_next()
        if longest is not None:
            timeout = longest if timeout < 0 else min(timeout, longest)
        for fd, _ in self._epoll.poll(timeout):
            call = self._readers.get(fd)
            if call is not None:
                call()

    def _fire_due(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2].fire()

    def _drop_cancelled(self) -> None:
        # 100,000 sheets that end long before their time limit would leave as many timers.
        self._timers = [entry for entry in self._timers if entry[2].wanted]
        heapq.heapify(self._timers)
        self._kept = max(256, len(self._timers))

    def _until_next(self) -> float:
        # A cancelled timer at the top would wake us for nothing.
        while self._timers and not self._timers[0][2].wanted:
            heapq.heappop(self._timers)
        if not self._timers:
            return -1.0
        return max(0.0, self._timers[0][0] - time.monotonic())

    def close(self) -> None:
        """Releases the selector."""
        self._epoll.close()
