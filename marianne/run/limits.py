"""What a sheet may use: time, silence, output, memory. Each limit ends it with its own reason."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from marianne import clock
from marianne.run import procfs
from marianne.run.child import Child
from marianne.run.loop import Loop, Timer
from marianne.run.nursery import Nursery

# What ends sooner than this after its start is not looked at: most sheets that come in thousands
# do, and theirs is one timer instead of one for each bound.
UNWATCHED = 0.25
OUTPUT_INTERVAL = 0.5
# From one look at the memory to the next: what grows is looked at again when half of the time is
# over that it takes to its limit.
SHORTEST_LOOK, LONGEST_LOOK = 0.1, 2.0

# (category of the result, message for people)
Exceeded = Callable[[str, str], None]


class Limits:
    """The bounds of one sheet; None is no bound. Sizes are in bytes and MB (2**20), times in s."""

    __slots__ = ("idle", "memory_mb", "output", "timeout")

    def __init__(
        self,
        timeout: float | None = None,
        idle: float | None = None,
        output: int | None = None,
        memory_mb: int | None = None,
    ) -> None:
        self.timeout = timeout
        self.idle = idle
        self.output = output
        self.memory_mb = memory_mb


def output_size(paths: tuple[str, ...]) -> tuple[int, float]:
    """Bytes written so far and the time of the last write (seconds since the epoch)."""
    size, last = 0, 0.0
    for path in paths:
        try:
            found = os.stat(path)
        except OSError:
            continue
        size += found.st_size
        last = max(last, found.st_mtime)
    return size, last


def next_look(limit: float, used: float, growth: float) -> float:
    """Seconds until the memory is looked at again, of which ``used`` MB are used and ``growth`` MB
    more in each second."""
    if growth <= 0:
        return LONGEST_LOOK
    return min(max(0.5 * (limit - used) / growth, SHORTEST_LOOK), LONGEST_LOOK)


class Watch:
    """Looks after one running child. Costs one timer for each bound that is set, else nothing, and
    a single one while the child is younger than ``UNWATCHED``."""

    def __init__(
        self,
        loop: Loop,
        nursery: Nursery,
        child: Child,
        limits: Limits,
        paths: tuple[str, ...],
        exceeded: Exceeded,
    ) -> None:
        self._loop = loop
        self._nursery = nursery
        self._child = child
        self._limits = limits
        self._paths = paths
        self._exceeded = exceeded
        self._timers: dict[str, Timer] = {}
        self._calls: dict[str, Callable[[], None]] = {}
        self._rest: dict[str, float] | None = None  # seconds left to each, while it is held
        self._held_at = self._still = 0.0
        self._size = 0
        self._used, self._looked = 0.0, time.monotonic()
        self._clock = clock.Watch()
        bounds = (limits.timeout, limits.idle, limits.output, limits.memory_mb)
        if bounds != (None, None, None, None):
            first = min(limits.timeout or UNWATCHED, limits.idle or UNWATCHED, UNWATCHED)
            self._later("first", first, lambda: self._begin(first))

    def _begin(self, passed: float) -> None:
        limits = self._limits
        self._nursery.look_at_memory(self._child)
        if limits.timeout is not None:
            self._later("timeout", limits.timeout - passed, self._timed_out)
        if limits.idle is not None:
            self._later("idle", limits.idle - passed, self._idle)
        if limits.output is not None:
            self._later("output", OUTPUT_INTERVAL - passed, self._output)
        if limits.memory_mb is not None:
            self._memory()

    def stop(self) -> None:
        """Looks no more."""
        for timer in self._timers.values():
            timer.cancel()

    def hold(self, on: bool) -> None:
        """The child stands still, or goes on: what its limits have left stands still meanwhile."""
        now = time.monotonic()
        if on and self._rest is None:
            self._held_at = now
            self._rest = {n: timer.due - now for n, timer in self._timers.items() if timer.wanted}
            self.stop()
        elif not on and self._rest is not None:
            rest, self._rest = self._rest, None
            self._still += now - self._held_at
            for name, seconds in rest.items():
                self._later(name, max(0.0, seconds), self._calls[name])

    def _later(self, name: str, seconds: float, call: Callable[[], None]) -> None:
        self._calls[name] = call
        self._timers[name] = self._loop.call_later(seconds, call)

    def _exceed(self, category: str, message: str) -> None:
        self.stop()
        self._exceeded(category, message)

    def _timed_out(self) -> None:
        self._exceed("timeout", f"Ran longer than {self._limits.timeout:g} s")

    def _idle(self) -> None:
        idle, slept = self._limits.idle or 0.0, self._clock.slept() + self._still
        self._still = 0.0
        size, last = output_size(self._paths)
        if size == self._size:
            self._exceed("idle", f"Wrote nothing for {idle:g} s")
            return
        self._size = size
        # From the last write on, but for what the machine slept or it was held; unless the clock
        # was set since: then from now on.
        silent = max(0.0, time.time() - last - slept)
        rest = idle if self._clock.moved() else idle - silent
        self._later("idle", min(max(rest, 0.05), idle), self._idle)

    def _output(self) -> None:
        limit = self._limits.output or 0
        size, _ = output_size(self._paths)
        if size > limit:
            self._exceed("output_limit", f"Wrote more than {limit:,} bytes")
            return
        self._nursery.look_at_memory(self._child)
        self._later("output", OUTPUT_INTERVAL, self._output)

    def _memory(self) -> None:
        limit = self._limits.memory_mb or 0
        members = self._nursery.members(self._child, procfs.snapshot())
        used = sum(one.rss_mb for one in members.values())
        if used > limit:
            self._exceed(
                "resource_limit", f"Its processes used {used:.0f} MB of memory; limit {limit} MB"
            )
            return
        now = time.monotonic()
        growth = (used - self._used) / max(now - self._looked, 0.001)
        self._used, self._looked = used, now
        self._later("memory", next_look(limit, used, growth), self._memory)
