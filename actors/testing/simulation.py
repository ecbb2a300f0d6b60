"""A deterministic run: virtual time, one thread at a time, every choice made by a policy.

It gives a `System` its clock, threads and locks and nothing else, so what runs is the code that
runs in production. Threads change places where they take or release a lock; with `lines=True` also
between any two lines of this package, which covers the code that needs no lock.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from bisect import insort
from typing import TYPE_CHECKING, Any

from actors import address
from actors.system import System
from actors.testing.faults import Faults
from actors.testing.policies import Policy, RandomWalk
from actors.testing.threads import SimExit, SimLock, SimThread

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType
    from typing import Self

_HERE = os.path.dirname(os.path.abspath(__file__))
_PACKAGE = os.path.dirname(_HERE) + os.sep


def _remembers(frame: FrameType | None) -> bool:
    """Whether this fills a memory that outlives the run: a replay, which finds it, goes another
    way through those lines."""
    while frame is not None and frame.f_code.co_filename == address.__file__:
        if frame.f_code is address.MessageNames.__missing__.__code__:
            return True
        frame = frame.f_back
    return False


class SimulationError(AssertionError):
    """The simulated program cannot go on."""


class Deadlock(SimulationError):  # noqa: N818  # its plain name
    """Every thread waits, and none for a time."""


class Stuck(SimulationError):  # noqa: N818  # its plain name
    """A thread waits for something that is not the simulation's."""


class Livelock(SimulationError):  # noqa: N818  # its plain name
    """More steps than allowed: something spins."""


class Simulation:
    """Use it as a context manager; the body is the first of the simulated threads.

        with Simulation(seed=7) as sim:
            ref = sim.system.spawn(Counter)
            ref.tell(Counter.add, 1)
            sim.quiet()

    The same seed gives the same run. `time_pressure` is the chance at each step that the next
    timeout comes although somebody could still run. A thread that does not come back for
    `patience` real seconds, because it waits for a lock of the machine, fails the run.
    """

    active: Simulation | None = None

    def __init__(
        self,
        seed: int = 0,
        policy: Policy | None = None,
        *,
        time_pressure: float = 0.0,
        lines: bool = False,
        max_steps: int = 1_000_000,
        patience: float = 60.0,
    ) -> None:
        self.seed = seed
        self.now = 0.0
        self.steps = 0
        self.schedule: list[int] = []
        self.faults = Faults(seed)
        self.ending = False
        self._policy: Policy = policy or RandomWalk(seed)
        self._time_pressure = time_pressure
        self._time_chance = RandomWalk(seed ^ 0x5EED)._random
        self._lines = lines
        self._line_chance = RandomWalk(seed ^ 0x11AE)._random
        self._max_steps = max_steps
        self._real_patience = patience
        self._stuck: SimThread | None = None
        self._main = SimThread(0, "main")
        self._current = self._main
        self._threads = [self._main]
        self._ready = [self._main]
        self._failure: BaseException | None = None
        self._patience: int | None = None  # steps until the quiet one is woken anyway
        self._restless = False  # it was woken before the others were quiet
        self._system: System | None = None
        self._outer_trace: Any = None

    @property
    def system(self) -> System:
        """The system that runs in here, made when first asked for."""
        if self._system is None:
            self._system = System("simulated", runtime=self)
        return self._system

    # -- Runtime -----------------------------------------------------------------------------

    def monotonic(self) -> float:
        return self.now

    def lock(self) -> SimLock:
        return SimLock(self)

    def reentrant_lock(self) -> SimLock:
        return SimLock(self)  # there are no signals in here

    def start_thread(self, target: Callable[[], None], name: str) -> None:
        thread = SimThread(len(self._threads), name)
        self._threads.append(thread)
        self._ready.append(thread)
        threading.Thread(target=self._run, args=(thread, target), name=name, daemon=True).start()
        self.yield_point()

    # -- for the test ------------------------------------------------------------------------

    def quiet(self) -> None:
        """Lets all others run until nobody can go on without time passing."""
        self._wait_quietly(None)

    def _wait_quietly(self, steps: int | None) -> None:
        me = self._current
        self._patience = steps
        me.state = "quiet"
        self._ready.remove(me)
        self._switch()

    def sleep(self, seconds: float) -> None:
        """Waits in virtual time."""
        self.block(None, self.now + seconds)

    def until(self, condition: Callable[[], object], within: float = 60.0) -> None:
        """Lets the others run, and time pass, until the condition holds; fails after `within`."""
        limit = self.now + within
        while True:
            self._wait_quietly(100)  # a program may never be quiet, and the condition true
            if condition():
                return
            if self._restless:
                continue
            following = self._next_deadline()
            if following is None or following > limit:
                raise SimulationError(f"the condition did not come true within {within} s")
            self.sleep(max(0.0, following - self.now))

    # -- for locks ---------------------------------------------------------------------------

    def yield_point(self) -> None:
        """Another thread may go on here."""
        if self.ending:
            self._unwind()
            return
        self.steps += 1
        if self.steps > self._max_steps:
            self._max_steps *= 2  # said once
            self._fail(Livelock(f"seed {self.seed}: more than {self.steps} steps"))
            self._switch()
        if self._time_pressure and self._time_chance.random() < self._time_pressure:
            self._pass_time()
        if self._patience is not None:
            self._patience -= 1
        if len(self._ready) > 1 or self._patience == 0:
            self._switch()

    def block(self, lock: SimLock | None, deadline: float | None) -> bool:
        """Waits until the lock is released; False at the deadline."""
        me = self._current
        me.state = "blocked"
        me.waits_for = lock
        me.deadline = deadline
        me.timed_out = False
        self._ready.remove(me)
        if lock is not None:
            lock.waiters.append(me)
        self._switch()
        return not me.timed_out

    def unblock(self, lock: SimLock) -> None:
        for thread in lock.waiters:
            self._make_ready(thread)
        lock.waiters.clear()

    # -- the scheduler -----------------------------------------------------------------------

    def _switch(self) -> None:
        me = self._current
        following = self._choose(me)
        if following is not me:
            self._hand_over(following)
            self._await_baton(me)
        self._unwind()

    def _await_baton(self, me: SimThread) -> None:
        """The first thread looks whether the others come on; nobody else could fail the run."""
        if me is not self._main:
            me.baton.acquire()
            return
        seen = -1
        while not me.baton.acquire(True, self._real_patience):
            if self.steps == seen:
                self._stuck = self._current
                me.state = "ready"
                self._current = me
                raise Stuck(self._describe_stuck(self._stuck))
            seen = self.steps

    def _describe_stuck(self, thread: SimThread) -> str:
        frame = sys._current_frames().get(thread.ident)
        where = "".join(traceback.format_stack(frame)[-3:]) if frame is not None else ""
        return (
            f"seed {self.seed}: {thread.name} has not come back for {self._real_patience:g} s of"
            f" real time; let it wait for locks of the simulation only:\n{where}"
        )

    def _unwind(self) -> None:
        me = self._current
        if self.ending:
            if me is not self._main:
                raise SimExit
        elif self._failure is not None and me is self._main:
            failure, self._failure = self._failure, None
            raise failure

    def _hand_over(self, thread: SimThread) -> None:
        self._current = thread
        thread.baton.release()

    def _choose(self, me: SimThread) -> SimThread:
        if self._patience == 0:
            self._restless = True
            self._patience = None
            self._make_ready(self._main)
            self.schedule.append(0)
            return self._main
        while not self._ready:
            waiting = [thread for thread in self._threads if thread.state == "quiet"]
            for thread in waiting:
                self._restless = False
                self._patience = None
                self._make_ready(thread)
            if not waiting and not self._pass_time():
                self._fail(Deadlock(self._describe()))
        chosen = self._policy.pick(self._ready, me if me.state == "ready" else None)
        self.schedule.append(chosen.id)
        return chosen

    def _pass_time(self) -> bool:
        deadline = self._next_deadline()
        if deadline is None:
            return False
        self.now = max(self.now, deadline)
        for thread in self._threads:
            if thread.state == "blocked" and thread.deadline == deadline:
                thread.timed_out = True
                if thread.waits_for is not None:
                    thread.waits_for.waiters.remove(thread)
                self._make_ready(thread)
        return True

    def _next_deadline(self) -> float | None:
        deadlines = [
            thread.deadline
            for thread in self._threads
            if thread.state == "blocked" and thread.deadline is not None
        ]
        return min(deadlines, default=None)

    def _make_ready(self, thread: SimThread) -> None:
        thread.state = "ready"
        thread.waits_for = None
        insort(self._ready, thread, key=lambda ready: ready.id)

    def _fail(self, failure: BaseException) -> None:
        """Raises in the first thread, whoever notices."""
        if self._current is self._main and self._main.state == "ready":
            raise failure
        self._failure = failure
        if self._main.state != "ready":
            if self._main.waits_for is not None:
                self._main.waits_for.waiters.remove(self._main)
            self._make_ready(self._main)
        self._ready = [self._main]

    def _run(self, thread: SimThread, target: Callable[[], None]) -> None:
        thread.ident = threading.get_ident()
        thread.baton.acquire()
        try:
            if not self.ending:
                if self._lines:
                    sys.settrace(self._trace_call)
                target()
        except SimExit:
            pass
        except BaseException as error:  # noqa: BLE001  # a thread that dies silently hides a bug
            self._failure = error
        finally:
            sys.settrace(None)
        thread.state = "done"
        if self.ending:
            self._hand_over(self._main)
            return
        self._threads.remove(thread)
        self._ready.remove(thread)
        self._hand_over(self._choose(thread))

    def _describe(self) -> str:
        return f"seed {self.seed}: every thread waits for ever: {self._threads}"

    def _trace_call(self, frame: FrameType, event: str, arg: object) -> Any:
        name = frame.f_code.co_filename
        if name.startswith(_PACKAGE) and not name.startswith(_HERE) and not _remembers(frame):
            return self._trace_line
        return None

    def _trace_line(self, frame: FrameType, event: str, arg: object) -> Any:
        if event == "line" and not self.ending and self._line_chance.random() < 0.2:
            self.yield_point()
        return self._trace_line

    # -- the ends of the run -----------------------------------------------------------------

    def __enter__(self) -> Self:
        assert Simulation.active is None, "one simulation at a time"
        Simulation.active = self
        if self._lines:
            self._outer_trace = sys.gettrace()
            sys.settrace(self._trace_call)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        stack: TracebackType | None,
    ) -> None:
        if self._lines:
            sys.settrace(self._outer_trace)
        Simulation.active = None
        failure = self._failure
        self.ending = True
        for thread in self._threads[1:]:
            if thread.state != "done" and thread is not self._stuck:
                self._hand_over(thread)
                self._main.baton.acquire()
        if failure is not None and error is None:
            raise failure
