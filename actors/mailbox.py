"""An actor's inbox: a bounded user lane, and a system lane for inspection, which goes first.

What an actor is told by others, by its timers and of ends goes through the user lane, in the order
in which it came. Only the owner takes, so taking needs no lock: a single pop is atomic. Putting
takes the lock, because it must be atomic with closing: a message is either in a lane that will be
served or drained, or its sender learns at once that nobody will read it. A signal handler may put
while its own thread is in a put: the lock is a reentrant one.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from actors.runtime import acquire

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.future import Future
    from actors.runtime import Lock, Runtime

Policy = Literal["fail", "drop_new", "drop_old", "block"]
POLICIES: Final = ("fail", "drop_new", "drop_old", "block")
_TAKE_UNDER_LOCK: Final = ("drop_old", "block")
Result = Literal["ok", "closed", "full"]
Args = tuple[Any, ...]
Kwargs = dict[str, Any]
Message = tuple[str, Args, Kwargs, "Future[Any] | None"]
SystemMessage = tuple["Callable[[Any, Any], None]", Any]


class Kept(tuple):  # type: ignore[type-arg]  # of the four items of a Message
    """A message that passes the limit and is never dropped: it was asked for."""

    __slots__ = ()


class Notice(Kept):
    """A Kept one of a timer or an end: when nobody reads it any more, nobody need know."""

    __slots__ = ()


BLOCK_TIMEOUT = 5.0
"""Seconds that the sender of a tell waits under the policy `block`."""


class Owner(Protocol):
    """Who is told what happens to a mailbox."""

    def mailbox_high(self, length: int) -> None: ...
    def mailbox_dropped(self, message: Message) -> None: ...


class Mailbox:
    """Two lanes, one reader, any number of writers."""

    __slots__ = (
        *("_closed", "_high", "_limit", "_lock", "_owner", "_policy", "_roused", "_runtime"),
        *("_soft", "_told_high", "_wake", "blocked", "system", "take", "user", "waiting"),
    )

    def __init__(
        self, owner: Owner, runtime: Runtime, limit: int | None, policy: Policy, high: int
    ) -> None:
        self.system: list[SystemMessage] = []  # nearly always empty: a deque is 600 bytes more
        self.user: deque[Message] = deque()
        self.waiting = False
        self._runtime = runtime
        self._lock = runtime.reentrant_lock()
        self._wake = runtime.lock()
        self._wake.acquire()
        self._closed = False
        self._roused = False
        self._limit = limit
        self._policy = policy
        self._high = high
        self._told_high = False
        # The length from which a put has to look closer, 0 once closed: one comparison in the
        # common case.
        self._soft: float = high - 1 if limit is None else min(high - 1, limit)
        self._owner: Owner | None = owner
        self.blocked: deque[Lock] | None = None  # senders that wait for room; seldom any
        # Where senders take, too, or wait for room, the owner takes under the lock.
        self.take = self._take if policy in _TAKE_UNDER_LOCK else self.user.popleft

    def __len__(self) -> int:
        return len(self.user)

    def put(self, message: Message, deadline: float | None = None) -> Result:
        """Appends to the user lane. `block` waits: until the deadline, or 5 seconds."""
        lock = self._lock
        try:  # a `with` of such a lock takes twice as long, and each message comes by here
            lock.acquire()
            if len(self.user) < self._soft:
                self.user.append(message)
                if self.waiting:
                    self._rouse()
                return "ok"
        finally:
            try:
                lock.release()
            except RuntimeError:
                pass  # interrupted by a signal's exception while it waited for the lock
        return self._put_slowly(message, deadline)

    def force(self, message: Message, kind: type[Kept] = Notice) -> bool:
        """Appends to the user lane past its limit; False if the mailbox is closed."""
        with self._lock:
            if self._closed:
                return False
            self.user.append(kind(message))
            if self.waiting:
                self._rouse()
            return True

    def put_system(self, message: SystemMessage) -> bool:
        """Appends to the system lane; False if the mailbox is closed."""
        with self._lock:
            if not self._closed:
                self.system.append(message)
                self._rouse()
            return not self._closed

    def rouse(self) -> None:
        """The owner waits no more."""
        with self._lock:
            self._roused = True
            self._rouse()

    def wait(self, user_lane: bool) -> None:
        """Returns when a lane that counts has a message, or it was roused. For the owner only."""
        with self._lock:
            # Closed by a kill: nobody would wake us.
            if self._closed or self.system or (user_lane and self.user) or self._roused:
                return
            self.waiting = True
            if self._told_high and not self.user:
                self._told_high = False
                high, limit = self._high, self._limit
                self._soft = high - 1 if limit is None else min(high - 1, limit)
        self._wake.acquire()

    def close(self) -> tuple[list[Message], list[SystemMessage], bool]:
        """Refuses every later put and returns what nobody will read, in order; once.

        Also whether the owner was waiting.
        """
        with self._lock:
            self._closed = True
            self._soft = 0
            self._owner = None  # a cycle would leave every dead actor to the garbage collector
            left = list(self.user), list(self.system), self.waiting
            self.user.clear()
            self.system.clear()
            while self.blocked:
                self.blocked.popleft().release()
            self._rouse()
            return left

    def _take(self) -> Message:
        """The oldest message; one blocked sender looks again whether there is room."""
        with self._lock:
            message = self.user.popleft()
            if self.blocked:
                self.blocked.popleft().release()
            return message

    def _append(self, message: Message) -> None:
        self.user.append(message)
        if self.waiting:
            self._rouse()

    def _rouse(self) -> None:
        if self.waiting:
            self.waiting = False
            try:
                self._wake.release()
            except RuntimeError:
                pass  # a signal handler came between these two lines, and was faster

    def _put_slowly(self, message: Message, deadline: float | None) -> Result:
        runtime = self._runtime
        if deadline is None:
            deadline = runtime.monotonic() + BLOCK_TIMEOUT
        while True:
            crossed = 0
            dropped: Message | None = None
            waiter: Lock | None = None
            with self._lock:
                owner = self._owner
                if owner is None:
                    return "closed"
                count = len(self.user)
                full = self._limit is not None and count >= self._limit
                if full and self._policy == "drop_old":
                    for index, old in enumerate(self.user):
                        if not isinstance(old, Kept):
                            dropped = old
                            del self.user[index]
                            break
                if not full or dropped is not None:
                    self._append(message)
                    if count + 1 >= self._high and not self._told_high:
                        crossed = count + 1
                        # Said once; looked at again when the owner next finds the lane empty.
                        self._told_high = True
                        self._soft = float("inf") if self._limit is None else self._limit
                elif self._policy == "block":
                    waiter = runtime.lock()
                    waiter.acquire()
                    if self.blocked is None:
                        self.blocked = deque()
                    self.blocked.append(waiter)
            if dropped is not None:
                owner.mailbox_dropped(dropped)
            if crossed:
                owner.mailbox_high(crossed)
            if waiter is None:
                if not full or dropped is not None:
                    return "ok"
                return "full"
            if not self._wait_for_room(waiter, deadline):
                return "full"

    def _wait_for_room(self, waiter: Lock, deadline: float) -> bool:
        if acquire(waiter, deadline - self._runtime.monotonic()):
            return True
        with self._lock:
            if self.blocked and waiter in self.blocked:
                self.blocked.remove(waiter)
                return False
        return True  # room was made for us in the same moment; look once more
