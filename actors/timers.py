"""One thread and one heap for all timers of a system.

`threading.Timer` would cost a thread each. The thread starts with the first timer and sleeps until
the next one is due; with none it sleeps for ever: nothing ticks at rest.
"""

from __future__ import annotations

import heapq
from itertools import count
from typing import TYPE_CHECKING

from actors.outside import raised_by, shown
from actors.runtime import acquire, is_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.events import Events
    from actors.runtime import Runtime


class Timer:
    """One appointment. Cancelling one that has fired does nothing."""

    __slots__ = ("_action", "_timers", "due", "interval", "on_end", "waiting")

    def __init__(
        self,
        timers: Timers,
        due: float,
        action: Callable[[], object],
        interval: float | None,
    ) -> None:
        self._timers = timers
        self.due = due
        self.interval = interval
        self.waiting = False  # its message is sent and not yet served
        self.on_end: Callable[[Timer], object] | None = None
        self._action: Callable[[], object] | None = action

    @property
    def active(self) -> bool:
        """Whether it will fire (again)."""
        return self._action is not None

    def cancel(self) -> bool:
        """True if this call kept it from firing. What was due already may be on its way."""
        # The action is dropped at once; the empty heap entry goes when there are many of them.
        was_active = self._action is not None
        self.end()
        if was_active:
            self._timers.note_cancelled()
        return was_active

    def fire(self) -> None:
        """For the timer thread."""
        action = self._action
        if action is None:
            return
        if self.interval is None:
            self.end()
        action()

    def end(self) -> None:
        """It will not fire (again)."""
        self._action = None
        on_end, self.on_end = self.on_end, None
        if on_end is not None:
            on_end(self)


class Timers:
    """The heap and its thread."""

    def __init__(self, runtime: Runtime, name: str, events: Events) -> None:
        self._runtime = runtime
        self._events = events
        self._name = name
        self._lock = runtime.lock()
        self._wake = runtime.lock()
        self._wake.acquire()
        self._sleeping = False
        self._started = False
        self._closed = False
        self._order = count()
        self._heap: list[tuple[float, int, Timer]] = []
        self._cancelled = 0  # of the heap's entries

    def after(self, seconds: float, action: Callable[[], object]) -> Timer:
        """Runs `action`, which must be short, once in `seconds`."""
        return self.arm(self.set(seconds, action))

    def at(self, due: float, action: Callable[[], object]) -> Timer:
        """Runs `action` once at `due` on the system's clock."""
        return self.arm(Timer(self, due, action, None))

    def every(self, seconds: float, action: Callable[[], object]) -> Timer:
        """Runs `action` each `seconds` from now; a late firing does not move the next one."""
        return self.arm(self.set(seconds, action, repeat=True))

    def set(self, seconds: float, action: Callable[[], object], *, repeat: bool = False) -> Timer:
        """A timer that waits for `arm`. Raises ValueError for what is no time."""
        if not is_time(seconds):
            raise ValueError(f"a timer is set to a number of seconds, not to {shown(seconds)}")
        if repeat and seconds <= 0:
            raise ValueError("an interval is longer than nothing")
        due = self._runtime.monotonic() + seconds
        return Timer(self, due, action, seconds if repeat else None)

    def close(self) -> None:
        """Ends the thread; what is in the heap never fires."""
        with self._lock:
            self._closed = True
            self._heap.clear()
            self._rouse()

    def renew(self) -> None:
        """In a forked child, where its thread is not: nothing will fire."""
        self._lock = self._runtime.lock()
        self._sleeping = False
        self.close()

    def __len__(self) -> int:
        return len(self._heap)

    def note_cancelled(self) -> None:
        """For Timer: one more entry is of no use. Most asks cancel one: they must not pile up."""
        with self._lock:
            self._cancelled += 1
            if self._cancelled > 64 and self._cancelled * 2 > len(self._heap):
                self._heap = [entry for entry in self._heap if entry[2].active]
                heapq.heapify(self._heap)
                self._cancelled = 0

    def arm(self, timer: Timer) -> Timer:
        """Lets it run. Raises RuntimeError if the machine has no thread for the timers now."""
        with self._lock:
            if self._closed:
                timer.end()
                return timer
            if not self._started:
                try:
                    self._runtime.start_thread(self._run, f"{self._name}:timers")
                except RuntimeError:
                    timer.end()
                    raise
                self._started = True
            heapq.heappush(self._heap, (timer.due, next(self._order), timer))
            if self._heap[0][2] is timer:
                self._rouse()
        return timer

    def _rouse(self) -> None:
        if self._sleeping:
            self._sleeping = False
            self._wake.release()

    def _run(self) -> None:
        while True:
            due: list[Timer] = []
            with self._lock:
                if self._closed:
                    return
                now = self._runtime.monotonic()
                while self._heap and self._heap[0][0] <= now:
                    timer = heapq.heappop(self._heap)[2]
                    due.append(timer)
                    if timer.interval is not None and timer.active:
                        timer.due = max(timer.due + timer.interval, now)
                        heapq.heappush(self._heap, (timer.due, next(self._order), timer))
                pause = self._heap[0][0] - now if self._heap else None
                if not due:
                    self._sleeping = True
            for timer in due:
                error = raised_by(timer.fire)
                if error is not None:  # the other timers are not at fault
                    self._events.callback_failed(self._name, error, "a timer's action raised")
            if not due:
                self._sleep(pause)

    def _sleep(self, pause: float | None) -> None:
        if not acquire(self._wake, pause):
            with self._lock:
                if self._sleeping:
                    self._sleeping = False
                    return
            self._wake.acquire()  # roused in the moment the pause ended: take the token
