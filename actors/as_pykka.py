"""An actor used pykka's way: what pykka's own refs, proxies and registry meet in one of ours.

A pykka ref puts envelopes into `actor_inbox`; ours leads to the mailbox of the incarnation, where
they take their turn. Envelopes are served by pykka's rules: an exception of an asked one is its
answer, one of a told one ends the actor, and a stop waits until what came before it is served.
Nothing of this exists for an actor until somebody asks for its `actor_ref`.
"""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, Any

from pykka import ActorDeadError, ActorRegistry, ThreadingActor
from pykka.messages import _ActorStop

from actors.current import current
from actors.errors import ActorDied, Fenced
from actors.future import Future
from actors.outside import raised_by

if TYPE_CHECKING:
    from types import TracebackType

    from pykka import ActorRef
    from pykka._envelope import Envelope

    from actors.actor import Actor
    from actors.cell import Cell
    from actors.reasons import ExitReason
    from actors.system import System

_making = RLock()
_system: System | None = None


class OfPykka:
    """An attribute that pykka's constructor sets: it runs when the first of them is asked for.

    It has no `__set__`, so that once it is set the instance's own is found at once.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, actor: Any, owner: type | None = None) -> Any:
        if actor is None:
            return self
        with _making:
            if self._name not in vars(actor):
                ThreadingActor.__init__(actor)
        return vars(actor)[self._name]


class Inbox:
    """Where the refs of pykka put what is for one incarnation."""

    __slots__ = ("_cell",)

    def __init__(self, cell: Cell) -> None:
        self._cell = cell

    def put(self, envelope: Envelope[Any], /) -> None:
        """Raises `MailboxFull` as `tell` does; asked, the sender's future holds it."""
        current.check()
        cell, message = self._cell, (envelope.message,)
        if envelope.reply_to is None:
            result = cell.mailbox.put(("_handle_receive", message, {}, None))
            if result != "ok":
                cell.not_told(result)
        else:
            cell.send(cell.cls._answer_envelope, message, {}, Reply(cell, envelope))

    def empty(self) -> bool:
        return not self._cell.mailbox.user


class Reply(Future[Any]):
    """The answer to an envelope, handed on to the pykka future for which its sender waits."""

    __slots__ = ("_envelope",)

    def __init__(self, cell: Cell, envelope: Envelope[Any]) -> None:
        super().__init__(cell.system, cell.name, cell, None)
        self._envelope = envelope

    def settle(self, value: Any = None, error: BaseException | None = None) -> bool:
        first = super().settle(value, error)
        to: Any = self._envelope.reply_to
        if not first:
            return False
        if error is None:
            bad = raised_by(to.set, value)
        else:
            bad = raised_by(to.set_exception, (type(error), error, error.__traceback__))
        if bad is not None:  # its owner has settled it
            self._system.events.dead_letter("late_reply", self._name)
        return True

    def died(self, reason: ExitReason, serving: bool = False) -> None:
        if isinstance(self._envelope.message, _ActorStop):
            self.settle()
            return
        dead = ActorDeadError(f"{self._name} stopped before handling the message")
        dead.__cause__ = ActorDied(self._name, reason, serving)
        self.settle(None, dead)


def system_of_the_process() -> System:
    """The system of actors that are started without one; after a fork or its shutdown a new one."""
    global _system
    with _making:
        if _system is None or _system.closing:
            from actors.system import System

            _system = System("pykka")
        return _system


def start(cls: type[Actor], args: tuple[Any, ...], kwargs: dict[str, Any]) -> ActorRef[Any]:
    """pykka's `start`: `__init__` runs here and raises here; nobody waits for `on_start`.

    The thread is pykka's, too: it keeps the process alive unless `use_daemon_thread`.
    """
    current.check()
    cell = system_of_the_process().prepare(cls, (args, kwargs))
    try:
        actor: Any = cell.make(listed=True)
        cell.thread_ended = False
        cell.system.events.tell("started", cell.name, cell.incarnation)
        ThreadingActor._start_actor_loop(actor)
    except BaseException:
        cell.thread_ended = True
        cell.kill()
        raise
    return actor.actor_ref  # type: ignore[no-any-return]


def enlist(actor: Actor, cell: Cell) -> None:
    """Puts it into pykka's registry, until its end."""
    cell.actor = actor
    ActorRegistry.register(actor.actor_ref)
    if cell.fenced:  # the kill may have looked before
        leave(actor)


def leave(actor: Actor) -> None:
    """Its end begins: for pykka's refs it is dead, and its registry has it no more."""
    if "_actor_ref" in vars(actor):
        ActorRegistry.unregister(actor.actor_ref)
        actor.actor_stopped.set()


def report(actor: Actor, error: BaseException, traceback: TracebackType | None) -> None:
    """Logs a failure as pykka does, of an actor that it knows."""
    if "_actor_ref" in vars(actor) and isinstance(error, Exception):
        actor._handle_failure(type(error), error, traceback)


def last_hooks(actor: Actor, reason: ExitReason, traceback: TracebackType | None) -> None:
    """`on_failure` after an exception, then `on_stop`.

    One without a reason is pykka's, and as there it does not run after `on_failure`.
    """
    error = reason.error if reason.kind == "error" else None
    if isinstance(error, Exception):
        report(actor, error, traceback)
        try:
            actor.on_failure(type(error), error, traceback)
        except Fenced:
            raise
        except BaseException as second:  # noqa: BLE001  # the first one is the reason
            report(actor, second, second.__traceback__)
    if actor.on_stop_takes_reason:
        actor.on_stop(reason)
    elif not isinstance(error, Exception):
        actor.on_stop()  # type: ignore[call-arg]  # a class that is written for pykka
