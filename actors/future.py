"""The answer to an ask: settled exactly once, by whoever comes first.

The first to acquire `_claim` settles; everybody else has come too late. Waiting needs no lock of
its own: a waiter adds itself to a list, then looks whether the answer is there; the settler puts
the answer there, then empties the list. Each waiter is popped by exactly one of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from actors.current import current
from actors.errors import ActorDied, AskTimeout
from actors.outside import raised_by
from actors.runtime import acquire

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from actors.cell import Cell
    from actors.reasons import ExitReason
    from actors.runtime import Runtime
    from actors.system import System

T = TypeVar("T")


class Outcome(NamedTuple, Generic[T]):
    """How a future ended: `value`, or the `error` instead of it."""

    value: T | None = None
    error: BaseException | None = None

    @property
    def ok(self) -> bool:
        return self.error is None


class Latch(Generic[T]):
    """A value that is set once and that any number of threads can wait for.

    `owed` says that not only the thread of one actor sets it: a Promise of it exists.
    """

    __slots__ = ("_claim", "_done", "_error", "_runtime", "_value", "_waiters", "owed")

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._claim = runtime.lock()
        self._done = self.owed = False
        self._value: Any = None
        self._error: BaseException | None = None
        self._waiters: list[Callable[[], object]] = []

    @property
    def done(self) -> bool:
        return self._done

    def settle(self, value: T | None = None, error: BaseException | None = None) -> bool:
        """Sets the value or the error; False if somebody was faster."""
        if not self._claim.acquire(False):
            return False
        self._value = value
        self._error = error
        self._done = True
        if self._waiters:
            self._wake_all()
        return True

    def wait(self, timeout: float | None = None) -> bool:
        """Blocks until it is settled; False after `timeout` seconds."""
        if self._done:
            return True
        lock = self._runtime.lock()
        lock.acquire()
        wake = lock.release
        self._waiters.append(wake)
        if self._done:
            self._wake_all()
        if lock.acquire() if timeout is None else acquire(lock, timeout):
            return True
        try:
            self._waiters.remove(wake)
        except ValueError:
            pass  # popped by the settler in this moment
        return self._done

    def value(self) -> T:
        """The value, or raises the error. Only after it is done."""
        if self._error is not None:
            if current.cell is not None:
                current.cell.heard = self._error
            try:
                raise self._error
            finally:
                self = None  # type: ignore[assignment]  # noqa: PLW0642  # or its traceback holds us
        return self._value  # type: ignore[no-any-return]

    def _wake_all(self) -> None:
        waiters = self._waiters
        while waiters:
            try:
                wake = waiters.pop(0)
            except IndexError:
                return
            wake()


class Future(Latch[T]):
    """What `call` returns. Its deadline runs from the call, whether anybody waits or not."""

    __slots__ = ("_cell", "_name", "_system", "deadline")

    def __init__(self, system: System, name: str, cell: Cell | None, timeout: float | None) -> None:
        Latch.__init__(self, system.runtime)  # an ask is made of little more than this
        self._system = system
        self._name = name
        self._cell = cell
        self.deadline = None if timeout is None else system.runtime.monotonic() + timeout

    def get(self, timeout: float | None = None) -> T:
        """Waits for the answer.

        Raises what the actor refused with, `ActorDied`, or `AskTimeout` at the deadline or after
        `timeout` seconds. After a `timeout` short of the deadline the answer may still come.
        """
        me = current.cell
        if self._done or me is None or self._cell is None:
            self.await_answer(timeout)
        else:
            before = me.block_on(self._cell, self)
            try:
                self.await_answer(timeout)
            finally:
                me.awaits = before
        return self.value()

    def on_done(self, callback: Callable[[Future[T]], object], *, timed: bool = True) -> None:
        """Calls back once, when it is done: in the answering thread, or here if it is done.

        Callbacks are called in the order in which they were added.

        The callback must be short and must not raise. Who watches the deadline himself says that
        it need not be `timed`: then nobody calls at the deadline, and it costs no timer.
        """
        timer = None
        if timed and self.deadline is not None and not self._done:
            timer = self._system.timers.at(self.deadline, self.expire)

        def wake() -> None:
            if timer is not None:
                timer.cancel()
            error = raised_by(callback, self)
            if error is not None:  # the answering actor is not at fault
                self._system.events.callback_failed(self._name, error)

        self._waiters.append(wake)
        if self._done:
            self._wake_all()

    def outcome(self) -> Outcome[T]:
        """The value or the error as data. Only after it is done."""
        return Outcome(self._value, self._error)

    @property
    def late(self) -> bool:
        """Whether an answer would come too late."""
        return self._done or (
            self.deadline is not None and self._runtime.monotonic() >= self.deadline
        )

    def expire(self) -> None:
        """The deadline has come: later answers are dead letters."""
        self.settle(None, AskTimeout(f"{self._name} did not answer in time"))

    def answer(self, value: T) -> None:
        """For the asked actor."""
        if not self.settle(value):
            self._system.events.dead_letter("late_reply", self._name)

    def refuse(self, error: BaseException) -> None:
        """For the asked actor."""
        if not self.settle(None, error):
            self._system.events.dead_letter("late_reply", self._name)

    def died(self, reason: ExitReason, serving: bool = False) -> None:
        """The asked actor ended first, `serving` this."""
        self.settle(None, ActorDied(self._name, reason, serving))

    def await_answer(self, timeout: float | None = None) -> None:
        """`get` without the look for cycles and without the answer."""
        if self._done:
            return
        runtime = self._runtime
        left = None if self.deadline is None else self.deadline - runtime.monotonic()
        if timeout is not None and (left is None or timeout < left):
            if not self.wait(timeout):
                raise AskTimeout(f"{self._name} did not answer within {timeout} s")
        elif not self.wait(left):
            self.expire()
            self.wait()  # if the answer was faster, it is being written now

    def __await__(self) -> Generator[Any, None, T]:
        import asyncio

        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not waiter.done():
                waiter.set_result(None)

        self.on_done(lambda _: loop.is_closed() or loop.call_soon_threadsafe(wake))
        yield from waiter
        return self.value()


class Promise(Generic[T]):
    """The duty to answer one ask later. Any thread may fulfil it, once.

    If its actor ends first, the asker gets `ActorDied`. For a message that was told there is
    nobody to answer, and fulfilling it does nothing.
    """

    __slots__ = ("_future", "_open")

    def __init__(self, future: Future[T] | None, opened: dict[Promise[Any], None]) -> None:
        self._future = future
        self._open = opened
        opened[self] = None

    def set(self, value: T) -> None:
        self._open.pop(self, None)
        if self._future is not None:
            self._future.answer(value)

    def fail(self, error: BaseException) -> None:
        self._open.pop(self, None)
        if self._future is not None:
            self._future.refuse(error)

    def settle(self, outcome: Outcome[T]) -> None:
        """As another future has ended."""
        if outcome.error is None:
            self.set(outcome.value)  # type: ignore[arg-type]  # it has one
        else:
            self.fail(outcome.error)

    def expired(self) -> bool:
        """Whether its asker's deadline has come: then nobody need fulfil it any more."""
        if self._future is None or not self._future.late:
            return False
        self._open.pop(self, None)
        self._future.expire()
        return True

    def abandon(self, reason: ExitReason) -> None:
        """The actor ended. For the run loop only."""
        if self._future is not None:
            self._future.died(reason)
