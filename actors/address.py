"""Ways to reach actors: one incarnation (`ActorRef`), a name (`Handle`), a key of many (`Topic`).

Messages are named by the method itself, never by a string, so that a type checker sees the
arguments and the answer. What travels is the method's name; it is looked up on the receiver, so
that subclasses and replacements work.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, cast, overload

from actors.current import current
from actors.errors import Fenced, MailboxFull, NoSuchActor
from actors.future import Future
from actors.outside import shown
from actors.reasons import SHUTDOWN, ExitReason
from actors.runtime import check_time

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Self

    import pykka

    from actors.cell import Cell
    from actors.future import Promise
    from actors.system import System

A = TypeVar("A")
P = ParamSpec("P")
R = TypeVar("R")

AS_ITS_CLASS_SAYS: Any = object()


class MessageNames(dict["Callable[..., Any]", str]):
    """Under which name an actor of the class has a method; TypeError for what is none of its."""

    def __init__(self, cls: type) -> None:
        self._cls = cls

    def __missing__(self, method: Callable[..., Any]) -> str:
        cls, name = self._cls, getattr(method, "__name__", "")
        if name[:2] == "__" and name[-2:] != "__":  # Python has given it the name of its class
            name = f"_{method.__qualname__.split('.')[-2].lstrip('_')}{name}"
        bound = getattr(method, "__self__", None)
        if not hasattr(cls, name) or not isinstance(bound, cls | None):
            raise TypeError(f"{shown(method)} is no method of {cls.__name__}")
        if bound is None and self._lasts(method, name):
            self[method] = name
        return name

    def _lasts(self, method: Callable[..., Any], name: str) -> bool:
        """Whether it lives as long as the class, or a module: what is made for each message would
        add up here."""
        if "<locals>" not in getattr(method, "__qualname__", "<locals>"):
            return True
        return any(vars(base).get(name) is method for base in self._cls.__mro__)


class Address(Generic[A]):
    """What a `ActorRef` and a `Handle` have in common."""

    __slots__ = ("_timeout",)
    _timeout: float | None
    _system: System

    @property
    def name(self) -> str:
        raise NotImplementedError

    def cell(self) -> Cell | None:
        """The incarnation that a message sent now would reach. For this package only."""
        raise NotImplementedError

    def tell(
        self, method: Callable[Concatenate[A, P], Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Sends and forgets. To an actor that is not there it is a counted dead letter.

        Raises `MailboxFull` if the receiver's mailbox is at its limit and its policy is `fail`.
        """
        me, cell = current.cell, self.cell()
        if me is not None and me.fenced:
            raise Fenced
        if cell is None:
            self._system.events.dead_letter("tell_absent", self.name)
            return
        result = cell.mailbox.put((cell.cls.message_names[method], args, kwargs, None))
        if result != "ok":
            cell.not_told(result)

    def ask(
        self, method: Callable[Concatenate[A, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Sends and waits for the answer: 5 seconds, a supervisor's without limit, or `within`.

        Raises what the actor refuses with; `ActorDied` at once when it ends first; `NoSuchActor` at
        once when the name is free; `AskTimeout`; `AskCycle` if the answer could never come.
        """
        cell = self.cell()
        if cell is None:
            raise NoSuchActor(self.name)
        return cast("R", cell.ask(method, args, kwargs, self._timeout))

    @overload
    def call(
        self, method: Callable[Concatenate[A, P], Promise[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[R]: ...

    @overload
    def call(
        self, method: Callable[Concatenate[A, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[R]: ...

    def call(
        self, method: Callable[Concatenate[A, P], Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[Any]:
        """Sends and returns the answer's future. Its deadline runs from now, as with `ask`. What
        is promised is the answer when it is there.

        It never raises: what `ask` would raise, the future holds.
        """
        cell = self.cell()
        if cell is None:
            nobody: Future[Any] = Future(self._system, self.name, None, None)
            nobody.settle(None, NoSuchActor(self.name))
            return nobody
        return cell.call(method, args, kwargs, self._timeout)

    def within(self, seconds: float | None) -> Self:
        """The same address with another deadline for `ask` and `call`; None is no deadline."""
        raise NotImplementedError

    def stop(self, reason: ExitReason = SHUTDOWN) -> None:
        """Asks the actor to end after its present message, ahead of all others. Returns at once."""
        current.check()
        cell = self.cell()
        if cell is not None:
            cell.request_stop(reason)

    @property
    def actor_ref(self) -> pykka.ActorRef[Any]:
        """pykka's ref of the present incarnation: `tell`, `ask`, `proxy`, `stop`, `is_alive`.

        Waits for its start, no longer than an ask. Raises `NoSuchActor` if there is none.
        """
        cell = self.cell()
        if cell is None or (cell.actor is None and not cell.started.wait(cell.cls.ask_timeout)):
            raise NoSuchActor(self.name)
        actor = cell.actor
        if actor is None:  # it has ended
            raise NoSuchActor(self.name)
        return actor.actor_ref

    def join(self, timeout: float | None = None) -> bool:
        """Waits until the present incarnation has ended; True if it has (or there is none).

        Raises `AskCycle` in an actor that it waits for, such as itself.
        """
        cell = self.cell()
        return cell is None or cell.join(timeout)

    @property
    def alive(self) -> bool:
        """False once `on_stop` has returned. True promises nothing about the next moment."""
        cell = self.cell()
        return cell is not None and cell.reason is None


class ActorRef(Address[A]):
    """One incarnation of an actor. Equal to every other ref of the same incarnation."""

    __slots__ = ("_cell", "info")

    def __init__(
        self, cell: Cell, info: Any = None, timeout: float | None = AS_ITS_CLASS_SAYS
    ) -> None:
        self._cell = cell
        self._timeout = timeout
        self.info = info

    @property
    def name(self) -> str:
        return self._cell.name

    @property
    def incarnation(self) -> int:
        """Grows from one incarnation to the next in one system, whatever the name."""
        return self._cell.incarnation

    @property
    def reason(self) -> ExitReason | None:
        """Why it ended; None while it has not."""
        return self._cell.reason

    def cell(self) -> Cell:
        return self._cell

    def within(self, seconds: float | None) -> ActorRef[A]:
        check_time(seconds)
        return ActorRef(self._cell, self.info, seconds)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ActorRef) and other._cell is self._cell

    def __hash__(self) -> int:
        return hash(self._cell)

    def __repr__(self) -> str:
        return f"<ActorRef {self._cell.name}#{self._cell.incarnation}>"


class Handle(Address[A]):
    """A name. Each send goes to the incarnation that has the name at that moment."""

    __slots__ = ("_name", "_system", "cell")
    cell: Callable[[], Cell | None]  # an attribute: no frame of its own at every send

    def __init__(
        self, system: System, name: str, timeout: float | None = AS_ITS_CLASS_SAYS
    ) -> None:
        self._system = system
        self._name = name
        self._timeout = timeout
        self.cell = partial(system.registry.find, name)

    @property
    def name(self) -> str:
        return self._name

    def within(self, seconds: float | None) -> Handle[A]:
        check_time(seconds)
        return Handle(self._system, self._name, seconds)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Handle)
            and other._name == self._name
            and other._system is self._system
        )

    def __hash__(self) -> int:
        return hash((id(self._system), self._name))

    def __repr__(self) -> str:
        return f"<Handle {self._name}>"


class Topic(Generic[A]):
    """Those that are in it: from `self.join_topic(key)` until `self.leave_topic(key)` or their end.

    Each is one incarnation; to be in it after a restart, join in `on_start`.
    """

    def __init__(self, system: System, key: Hashable) -> None:
        self._system = system
        self.key = key

    def members(self) -> list[ActorRef[A]]:
        """In the order of their joining."""
        return [ActorRef(cell) for cell in self._system.registry.members(self.key)]

    def tell(
        self, method: Callable[Concatenate[A, P], Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> int:
        """Tells each of them; returns how many that were.

        What one sender tells a topic, each hears in that order. A full mailbox (policy `fail`, or
        `block` after its 5 seconds) costs its owner the message, a counted dead letter, and nobody
        else anything.
        """
        current.check()
        cells = self._system.registry.members(self.key)
        for cell in cells:
            try:
                ActorRef(cell).tell(method, *args, **kwargs)
            except MailboxFull:
                self._system.events.dead_letter("mailbox_full", cell.name)
        return len(cells)
