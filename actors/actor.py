"""The base class of all actors."""

from __future__ import annotations

import logging
from inspect import CO_VARARGS, unwrap
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, ParamSpec, TypeVar

from pykka import ThreadingActor

from actors.address import ActorRef, MessageNames
from actors.as_pykka import Inbox, OfPykka, start
from actors.current import current
from actors.errors import Fenced, NameTaken, SpecError
from actors.loop import run
from actors.mailbox import POLICIES, Args, Kept, Kwargs
from actors.monitor import Monitor
from actors.outside import shown
from actors.reasons import NORMAL
from actors.runtime import is_time

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from types import TracebackType
    from typing import Self

    import pykka

    from actors.address import Address
    from actors.cell import Cell
    from actors.future import Future, Outcome, Promise
    from actors.mailbox import Message, Policy
    from actors.process import Process, ProcessExit
    from actors.reasons import Down, ExitReason, Ignore, Info
    from actors.system import System
    from actors.timers import Timer

A = TypeVar("A")
P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger("pykka")

if TYPE_CHECKING:
    # pykka's hooks take other arguments and its refs other messages: to a type checker, and only
    # there, an Actor is a class of its own, so that subclasses need not silence it at each hook.
    _Base = object
else:
    _Base = ThreadingActor


class Actor(_Base):
    """A thread with a mailbox, which serves one message at a time.

    Subclass it, write methods, and start it with `System.spawn` or below a `Supervisor`. `__init__`
    (no call of `super().__init__` is needed) and `on_start` run in the actor's own thread; the
    starter waits for both. What leaves a handler as an exception, asked or told, ends the actor
    with the reason `error`; only a `Refusal` is an answer.
    """

    mailbox_limit: ClassVar[int | None] = 100_000
    """Messages that may wait. None: no limit."""

    mailbox_policy: ClassVar[Policy] = "fail"
    """At the limit: `fail` raises MailboxFull at the sender; `drop_new` and `drop_old` lose a
    message and count it; `block` makes the sender wait (an ask: until its deadline)."""

    mailbox_high: ClassVar[int] = 10_000
    """At this length the event `mailbox_high` is sent, once until the mailbox was empty again."""

    ask_timeout: ClassVar[float | None] = 5.0
    """Seconds that an ask waits for the answer unless `within` says otherwise; None: no limit."""

    start_timeout: ClassVar[float | None] = 30.0
    """Seconds for `__init__` and `on_start` unless the start says otherwise; None: no limit."""

    has_idle_hook: ClassVar[bool] = False
    """Whether the class overrides `on_idle`. Set by itself."""

    on_stop_takes_reason: ClassVar[bool] = True
    """False for an `on_stop(self)` as pykka has it. Set by itself."""

    of_pykka: ClassVar[bool] = False
    """Whether it has such an `on_stop`, or an `on_failure`. Set by itself."""

    is_plain: ClassVar[bool] = False
    """Whether it stands behind a plain pykka class."""

    message_names: ClassVar[MessageNames]
    """Set by itself."""

    system: System
    name: str
    incarnation: int
    ref: ActorRef[Self]
    _cell: Cell

    actor_urn = OfPykka()
    actor_inbox = OfPykka()
    actor_stopped = OfPykka()
    _actor_ref = OfPykka()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.message_names = MessageNames(cls)
        cls.has_idle_hook = cls.on_idle is not Actor.on_idle
        code = getattr(unwrap(cls.on_stop), "__code__", None)
        cls.on_stop_takes_reason = (
            code is None or code.co_argcount != 1 or bool(code.co_flags & CO_VARARGS)
        )
        has_failure_hook = cls.on_failure is not Actor.on_failure
        cls.of_pykka = has_failure_hook or not cls.on_stop_takes_reason
        for field, legal in (
            ("mailbox_limit", cls.mailbox_limit is None or is_time(cls.mailbox_limit)),
            ("mailbox_policy", cls.mailbox_policy in POLICIES),
            ("mailbox_high", is_time(cls.mailbox_high)),
            ("start_timeout", cls.start_timeout is None or is_time(cls.start_timeout)),
            ("ask_timeout", cls.ask_timeout is None or is_time(cls.ask_timeout)),
        ):
            if not legal:
                raise SpecError(f"{cls.__name__}: {field} is not {shown(getattr(cls, field))}")

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        """Does nothing: pykka's constructor would make a urn, an inbox and an event for each."""

    @property
    def actor_ref(self) -> pykka.ActorRef[Any]:
        """pykka's ref of this incarnation, made when it is first asked for."""
        return self._actor_ref  # type: ignore[no-any-return]

    def attach(self, cell: Cell) -> None:
        """Binds the new instance to its incarnation, before `__init__`. For this package only."""
        self._cell = cell
        self.system = cell.system
        self.name = cell.name
        self.incarnation = cell.incarnation
        self.ref = ActorRef(cell)

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> pykka.ActorRef[Any]:
        """Starts it as pykka does, in the system of this process; returns pykka's ref.

        `__init__` runs here; `on_start` is not waited for, and its failure is logged.
        """
        return start(cls, args, kwargs)

    # -- hooks -------------------------------------------------------------------------------

    def on_start(self) -> Ignore | Info | None:
        """Runs before the first message; the starter waits for it. Raising fails the start."""
        return None

    def on_stop(self, reason: ExitReason) -> None:
        """Runs last, whatever the reason, except after a kill. Watchers are told afterwards."""

    def on_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Runs when an exception has ended this actor, before `on_stop`."""

    def on_idle(self) -> None:
        """Runs when the mailbox has just run empty, before the actor waits."""

    def on_down(self, down: Down) -> None:
        """Runs when an actor that this one monitors has ended."""

    def on_process_exit(self, process: Process, how: ProcessExit) -> None:
        """Runs when a process that this actor watches has ended."""

    # -- what an actor can do, in its own thread ---------------------------------------------

    def stop(self, reason: ExitReason = NORMAL) -> None:
        """Ends this actor after the present message."""
        self._cell.request_stop(reason)
        if current.cell is self._cell and not self._cell.fenced:
            self._cell.leaving = reason  # its own word is the last

    def send_after(
        self, seconds: float, method: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> Timer:
        """Sends this incarnation `method(*args)` in `seconds`, whatever its mailbox's limit."""
        return self._schedule(seconds, False, self._own(method), args, kwargs)

    def send_interval(
        self, seconds: float, method: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> Timer:
        """Sends this incarnation `method(*args)` each `seconds` until the timer is cancelled.

        One beat at most waits to be served; those that come meanwhile are left out.
        """
        return self._schedule(seconds, True, self._own(method), args, kwargs)

    def monitor(self, target: Address[Any]) -> Monitor:
        """`on_down` will be told of the end of `target`'s present incarnation, once.

        If that has ended already, or nobody has the name, the message comes at once.
        """
        current.check()
        monitor = Monitor(self._cell, target.name, target.cell())
        monitor.begin()
        return monitor

    def promise(self) -> Promise[Any]:
        """Takes over the answer of the ask in hand: return it, and fulfil it later."""
        return self._cell.promise()

    def pipe(
        self,
        future: Future[R],
        method: Callable[Concatenate[Outcome[R], P], Any],
        /,
        *context: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """Tells this actor `method(outcome, *context)` when the future is done."""
        cell, name = self._cell, self._own(method)

        def deliver(done: Future[R]) -> None:
            if not cell.mailbox.force((name, (done.outcome(), *context), kwargs, None), Kept):
                cell.system.events.dead_letter("tell_dead", cell.name)

        future.on_done(deliver)

    def watch(self, process: Process, *, own: bool = False) -> None:
        """`on_process_exit` will be told of the end of `process`, once.

        With `own` the process is killed when this actor is, or does not start: nobody else would.
        """
        if own:
            self._cell.owned[process] = None
            if self._cell.fenced:  # the kill may have looked before
                process.kill()
                raise Fenced
        self.system.processes.watch(process, self._cell)

    def register(self, name: str) -> None:
        """Takes one more name for this incarnation; raises `NameTaken` if somebody has it."""
        current.check()
        owner = self.system.registry.register(name, self._cell)
        if owner is not None:
            raise NameTaken(name, owner.incarnation)

    def unregister(self, name: str) -> None:
        """Frees a name that this incarnation has taken; nothing if it has not."""
        self.system.registry.unregister(name, self._cell)

    def join_topic(self, topic: Hashable) -> None:
        """From now on `system.topic(cls, topic)` reaches this incarnation, too."""
        self.system.registry.join(topic, self._cell)

    def leave_topic(self, topic: Hashable) -> None:
        """It does no more; nothing if it did not."""
        self.system.registry.leave(topic, self._cell)

    def _schedule(
        self, seconds: float, repeat: bool, name: str, args: Args, kwargs: Kwargs
    ) -> Timer:
        cell = self._cell
        current.check()
        message: Message = (name, args, kwargs, None)

        def fire() -> None:
            if repeat and timer.waiting:
                return
            timer.waiting = True  # first: it may be served before `force` returns
            if not cell.mailbox.force(message):
                timer.cancel()

        timer = self.system.timers.set(seconds, fire, repeat=repeat)
        if repeat:
            message = ("_beat", (timer, name, args, kwargs), {}, None)
        timer.on_end = lambda ended: cell.timers.pop(ended, None)
        cell.timers[timer] = None
        return self.system.timers.arm(timer)  # now: it may fire before this returns

    def _beat(self, timer: Timer, name: str, args: Args, kwargs: Kwargs) -> None:
        timer.waiting = False
        if timer.active:
            getattr(self, name)(*args, **kwargs)

    def _own(self, method: Callable[..., Any]) -> str:
        """The name under which this actor has the method."""
        if getattr(method, "__self__", self) is not self:
            raise TypeError(f"{shown(method)} is no method of this {type(self).__name__}")
        # The function, which is remembered: a bound method is another one each time.
        return self.message_names[getattr(method, "__func__", method)]

    # -- what pykka's refs and threads call --------------------------------------------------

    if TYPE_CHECKING:  # pykka's own

        def on_receive(self, message: Any) -> Any:
            """Serves what a pykka ref tells or asks; what it returns is the answer."""

        def _handle_receive(self, message: Any) -> Any: ...
        def _handle_failure(self, *exc_info: Any) -> None: ...

    def _answer_envelope(self, message: Any) -> Any:
        try:
            return self._handle_receive(message)
        except Exception as error:  # pykka's rule: it is the answer
            logger.info(f"Exception returned from {self} to caller:", exc_info=True)
            assert current.cell is not None
            promise = current.cell.promise()
            promise.fail(error)
            return promise

    def _stop(self) -> Promise[Any]:
        """Who asked for this stop has his answer when the actor has ended."""
        cell = current.cell
        assert cell is not None
        cell.leaving = cell.leaving or NORMAL
        return cell.promise()

    def _create_actor_inbox(self) -> Any:
        cell = vars(self).get("_cell")
        if cell is None:  # nobody has started it
            return ThreadingActor._create_actor_inbox()
        cell.of_pykka = True
        return Inbox(cell)

    def _actor_loop(self) -> None:
        run(self._cell)


Actor.message_names = MessageNames(Actor)
