"""One child tree of a worker: its leader, and how it ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from marianne.run.confine import Ladder

if TYPE_CHECKING:
    from marianne.run.walled import Walls
    from marianne.walls.cgroups import Group
    from marianne.walls.room import Room


class Ended:
    """How a child tree ended. Either ``exit_code`` or ``signal`` is set, of the leader.

    ``left_running`` are the processes that outlived the leader and were ended; ``survivors`` those
    that could not be. Memory is the largest process of the tree that was waited for, in MB; 0.0 for
    a tree that is smaller than the worker itself, for then nobody can tell: see ``Nursery.start``.
    ``exceeded`` says which limit of its control group it did not end well for.
    """

    __slots__ = (
        "cpu_seconds",
        "exceeded",
        "exit_code",
        "left_running",
        "peak_mb",
        "signal",
        "survivors",
    )

    def __init__(self, child: Child, survivors: tuple[int, ...]) -> None:
        code = os.waitstatus_to_exitcode(child.status or 0)
        self.exit_code = code if code >= 0 else None
        self.signal = -code if code < 0 else None
        self.left_running = tuple(sorted(child.left))
        self.survivors = survivors
        self.cpu_seconds = child.cpu_seconds
        self.peak_mb = child.peak_mb
        self.exceeded = ""

    @property
    def how(self) -> str:
        """The same in words."""
        if self.signal is not None:
            return f"killed by {signal.Signals(self.signal).name}"
        return f"exit code {self.exit_code}"

    @property
    def by_request(self) -> bool:
        """Whether it ended of a signal that is sent to end programs, or says so as shells do."""
        number = self.signal or (self.exit_code or 0) - 128
        return number in (signal.SIGTERM, signal.SIGKILL, signal.SIGHUP, signal.SIGINT)


class Child:
    """A leader, its group, and whatever descends from it."""

    __slots__ = (
        "asked_to_end",
        "cpu_seconds",
        "floor_kb",
        "grace",
        "group",
        "held",
        "label",
        "ladder",
        "left",
        "mark",
        "on_done",
        "peak_mb",
        "pid",
        "room",
        "settle_until",
        "start_ticks",
        "status",
        "walls",
    )

    def __init__(
        self,
        pid: int,
        start_ticks: int,
        mark: int | None,
        label: str,
        grace: float,
        on_done: OnDone,
    ) -> None:
        self.pid = pid
        self.mark = mark
        self.label = label
        self.grace = grace
        self.on_done = on_done
        self.start_ticks = start_ticks
        self.settle_until = 0.0
        self.asked_to_end = False
        self.status: int | None = None  # the leader's wait status; None while it lives
        self.ladder: Ladder | None = None
        self.left: set[int] = set()
        self.cpu_seconds = 0.0
        self.peak_mb = 0.0
        self.floor_kb = 0
        self.held = False
        self.group: Group | None = None
        self.walls: Walls | None = None
        self.room: Room | None = None

    def kept(self, file: str) -> bool:
        """Whether the kernel keeps it to what stands in that file of its control group."""
        return self.group is not None and self.group.keeps(file)


OnDone = Callable[[Ended], None]
