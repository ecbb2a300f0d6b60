"""Mailboxes that cross: actors without threads, in an order that a seed chooses.

What one actor tells another arrives in the order in which it was told; between two mailboxes
anything may come first. Nothing is sent while somebody else works, no time passes but to the next
timer, and the same seed makes the same walk.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from actors import Timer

START = 1_000.0
"""Seconds since the epoch when a walk begins."""


BUSY = ("", "/job", "/worker", "/process", "/store", "scheduler")
"""Whose messages wait longer than others', in some walks."""


AT_ONCE_IDLE = 0.3
"""How often a mailbox is taken to be empty though there is more: who tells two messages does not
tell them at once."""


class Clock:
    """The one clock of a walk, in place of ``time``: nobody sets it, and it moves by timers."""

    def __init__(self) -> None:
        self.now = START

    def time(self) -> float:
        """The wall clock's time."""
        return self.now

    def monotonic(self) -> float:
        """The same: nobody sets the wall clock."""
        return self.now


class Resident:
    """Who has a mailbox; its messages are calls of its methods. It does nothing by itself."""

    def on_start(self) -> None:
        """Runs before the first message."""

    def on_idle(self) -> Any:
        """Runs when the mailbox has just run empty, for a moment."""


@dataclass(frozen=True, slots=True)
class Message:
    """A call of the receiver's method of that name."""

    method: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)


@dataclass(order=True, slots=True)
class Alarm:
    """A message for later, to this incarnation of the receiver alone."""

    at: float
    serial: int
    to: str = field(compare=False)
    incarnation: Resident = field(compare=False)
    message: Message = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        """It is not sent any more."""
        self.cancelled = True


class Address:
    """Stands in for a handle: what is told to it waits in the mailbox of whoever lives there."""

    def __init__(self, mail: Mail, name: str) -> None:
        self._mail, self._name = mail, name

    def tell(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Sends it."""
        self._mail.tell(self._name, method.__name__, *args, **kwargs)


class Mail:
    """All mailboxes and timers of one walk. ``trace`` is told each message as it is taken."""

    def __init__(
        self, random: Random, clock: Clock, trace: Callable[[str], None] | None = None
    ) -> None:
        self.random, self.clock = random, clock
        self._trace = trace
        self._boxes: dict[str, deque[Message]] = {}
        self._residents: dict[str, Resident] = {}
        self._alarms: list[Alarm] = []
        self._serials = itertools.count(1)
        self._busy = random.choice(BUSY)

    def serial(self) -> int:
        """A number that was not given before."""
        return next(self._serials)

    def note(self, text: str) -> None:
        """For the trace."""
        if self._trace is not None:
            self._trace(f"{self.clock.now:9.2f} {text}")

    # -- who lives where ------------------------------------------------------------------------

    def move_in(self, name: str, resident: Resident) -> None:
        """It starts, with an empty mailbox; who lived there is gone."""
        self._residents[name] = resident
        self._boxes[name] = deque()
        resident.on_start()
        if not self._boxes[name]:
            resident.on_idle()

    def move_out(self, name: str) -> None:
        """It is gone, and so is what it had not read."""
        self._residents.pop(name, None)
        self._boxes.pop(name, None)

    def resident(self, name: str) -> Resident | None:
        """Who lives there now."""
        return self._residents.get(name)

    # -- sending --------------------------------------------------------------------------------

    def tell(self, name: str, method: str, *args: Any, **kwargs: Any) -> None:
        """Sends it; nobody notices if nobody lives there."""
        if name in self._boxes:
            self._boxes[name].append(Message(method, args, kwargs))

    def timers(self, name: str, incarnation: Resident) -> Callable[..., Timer]:
        """What stands in for this actor's ``send_after``."""

        def send_after(seconds: float, method: Callable[..., Any], *args: Any) -> Any:
            message = Message(method.__name__, args)
            alarm = Alarm(self.clock.now + seconds, self.serial(), name, incarnation, message)
            heapq.heappush(self._alarms, alarm)
            return alarm

        return send_after

    def lose(self, name: str, method: str | None = None) -> None:
        """What waits there is lost, or only the calls of this method."""
        box = self._boxes.get(name)
        if box is not None:
            kept = [message for message in box if method not in (None, message.method)]
            box.clear()
            box.extend(kept)

    # -- going on -------------------------------------------------------------------------------

    def step(self) -> bool:
        """One actor takes one message. Returns whether there was any."""
        ready = [name for name, box in self._boxes.items() if box]
        if not ready:
            return False
        if self._busy and self.random.random() < 0.8:
            ready = [name for name in ready if not name.endswith(self._busy)] or ready
        name = self.random.choice(ready)
        message = self._boxes[name].popleft()
        if self._trace is not None:
            said = ", ".join(map(repr, (*message.args, *message.kwargs.values())))
            self.note(f"{name}.{message.method}({said})")
        resident = self._residents[name]
        getattr(resident, message.method)(*message.args, **message.kwargs)
        if self._residents.get(name) is not resident:
            return True
        # What stands behind it may have been told a moment later, by one who was still at it.
        if not self._boxes[name] or self.random.random() < AT_ONCE_IDLE:
            resident.on_idle()
        return True

    def fire(self) -> bool:
        """Time passes to the next timer. Returns whether there was any."""
        while self._alarms:
            alarm = heapq.heappop(self._alarms)
            if not alarm.cancelled and self._residents.get(alarm.to) is alarm.incarnation:
                self.clock.now = max(self.clock.now, alarm.at)
                self._boxes[alarm.to].append(alarm.message)
                return True
        return False
