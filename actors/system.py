"""A system: one clock, one registry, one set of timers, one tree. There is no global one."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from actors.address import ActorRef, Address, Handle, Topic
from actors.cell import Cell
from actors.current import current
from actors.errors import Fenced, NameTaken, NoSuchActor, SpecError, StartError, StartIgnored
from actors.events import Events, SystemEvent
from actors.guards import guard
from actors.inspect import Inspector, Node, TreeNode, draw
from actors.loop import run
from actors.outside import shown
from actors.plain_pykka import as_actor, is_actor_class
from actors.reasons import SHUTDOWN, ExitReason, Started
from actors.registry import Registry
from actors.runtime import RealRuntime, check_time
from actors.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from pykka import ThreadingActor

    from actors.actor import Actor
    from actors.mailbox import Args, Kwargs
    from actors.processes import Processes
    from actors.runtime import Runtime

A = TypeVar("A", bound="Actor | ThreadingActor")
P = ParamSpec("P")


class System:
    """Owns everything that actors share, and the roots of the tree."""

    def __init__(self, name: str = "system", *, runtime: Runtime | None = None) -> None:
        self.name = name
        self.runtime: Runtime = runtime if runtime is not None else RealRuntime()
        self.events = Events(self.runtime)
        self.registry = Registry(self.runtime, self.events)
        self.timers = Timers(self.runtime, name, self.events)
        self._lock = self.runtime.lock()
        self._serial = count(1)
        self._roots: dict[str, Node] = {}
        self._zombies: set[Cell] = set()
        self._processes: Processes | None = None
        self.closing = False
        """Whether it shuts down, or has."""
        if runtime is None:
            guard(self)

    @property
    def processes(self) -> Processes:
        """Processes as children. Made when first needed: multiprocessing is slow to import."""
        if self._processes is None:
            from actors.processes import Processes

            with self._lock:
                if self._processes is None:
                    self._processes = Processes(self)
        return self._processes

    @overload
    def spawn(
        self,
        cls: Callable[..., A],
        /,
        *args: Any,
        name: str | None,
        start_timeout: float | None = ...,
        linked: bool = ...,
        **kwargs: Any,
    ) -> ActorRef[A]: ...
    @overload
    def spawn(self, cls: Callable[P, A], /, *args: P.args, **kwargs: P.kwargs) -> ActorRef[A]: ...
    def spawn(  # type: ignore[misc]  # a name in kwargs would be the actor's own
        self,
        cls: Any,
        /,
        *args: Any,
        name: str | None = None,
        start_timeout: float | None = -1.0,
        linked: bool = True,
        **kwargs: Any,
    ) -> ActorRef[Any]:
        """Starts `cls(*args, **kwargs)` and waits until its `on_start` has returned.

        `name` defaults to one made from the class; `start_timeout` to 30 seconds, for a supervisor
        to no limit. What an actor spawns is `linked`: after its `on_stop` it stops it, and kills it
        after 5 seconds. Raises `StartError` with the cause, or `StartIgnored`: nothing is left.
        """
        if not is_actor_class(cls):
            raise SpecError(f"cls is an actor class, not {shown(cls)}")
        if not isinstance(name, str | None):
            raise SpecError(f"name is a text or None, not {shown(name)}")
        if start_timeout == -1.0:
            start_timeout = as_actor(cls).start_timeout
        check_time(start_timeout, "start_timeout")
        me = current.cell
        parent = me if linked and me is not None and me.system is self else None
        return self.start(cls, args, kwargs, name=name, timeout=start_timeout, parent=parent)

    def start(
        self,
        cls: type[A],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        *,
        name: str | None = None,
        timeout: float | None = None,
        parent: Cell | None = None,
        node: Node | None = None,
        registered: bool = True,
    ) -> ActorRef[A]:
        """`spawn` for supervisors, whose specs are checked: with the place in the tree."""
        me = current.cell
        if me is not None and me.fenced:
            raise Fenced
        node = node or Node("")
        cell = self.prepare(cls, (args, kwargs or {}), name, parent, node, registered)
        acknowledged = self._acknowledge(cell, me, timeout)
        if acknowledged.outcome == "ok":
            self.events.tell("started", cell.name, cell.incarnation)
            return ActorRef(cell, acknowledged.info)
        node.cell = None
        if acknowledged.outcome == "ignore":
            raise StartIgnored(cell.name, acknowledged.reason)
        raise StartError(cell.name, acknowledged.reason)

    def prepare(
        self,
        cls: type[Any],
        arguments: tuple[Args, Kwargs],
        name: str | None = None,
        parent: Cell | None = None,
        node: Node | None = None,
        registered: bool = True,
    ) -> Cell:
        """An incarnation that has its name and its place, and no thread yet."""
        serial = next(self._serial)
        name = name or f"{cls.__name__}-{serial}"
        cell = Cell(self, as_actor(cls), arguments, name, serial, parent)
        owner = self.registry.register(name, cell) if registered else None
        if owner is not None:
            taken = NameTaken(name, owner.incarnation)
            raise StartError(name, ExitReason("error", "already_started", taken))
        node = node or Node(name)
        node.name, node.cell = name, cell
        self._adopt(cell, node)
        return cell

    def _adopt(self, cell: Cell, node: Node) -> None:
        parent = cell.parent
        if parent is None:
            with self._lock:
                closing = self.closing
                if not closing:
                    self._roots[cell.name] = node
            if closing:
                self.registry.forget(cell)
                raise StartError(cell.name, ExitReason("error", "the system shuts down"))
        else:
            # A kill fences the parent, then kills the children it finds. Here it is the other way
            # round, so that of a child that comes in the same moment one of the two knows.
            parent.children[cell.name] = node
            if parent.fenced:
                cell.kill()

    def _acknowledge(self, cell: Cell, me: Cell | None, timeout: float | None) -> Started:
        before = None if me is None else me.block_on(cell, cell.started)
        try:
            cell.thread_ended = False
            self.runtime.start_thread(lambda: run(cell), cell.name)
            if not cell.started.wait(timeout):
                late = Started("error", ExitReason("error", f"no start within {timeout} s"))
                if cell.started.settle(late):
                    cell.kill()
                    cell.ended.wait()
                cell.started.wait()
        except RuntimeError as error:  # the machine has no thread left
            cell.thread_ended = True
            cell.started.settle(Started("error", ExitReason("error", "no thread", error)))
            cell.kill()
        finally:
            if me is not None:
                me.awaits = before
        return cell.started.value()

    def handle(self, cls: type[A] | Callable[..., A], name: str) -> Handle[A]:
        """The stable address of whoever has the name; `cls` is for the type checker."""
        return Handle(self, name)

    def topic(self, cls: type[A] | Callable[..., A], key: Hashable) -> Topic[A]:
        """All that have joined the topic `key`; `cls` is for the type checker."""
        return Topic(self, key)

    def whereis(self, name: str) -> ActorRef[Any] | None:
        """The incarnation that has the name now."""
        cell = self.registry.find(name)
        return None if cell is None else ActorRef(cell)

    def tree(self) -> list[TreeNode]:
        """All actors as nested data: name, state, restarts, mailbox, last_crash, children."""
        return draw(list(self._roots.values()))

    def inspect(self, address: Address[Any]) -> Inspector:
        """The present incarnation's state, statistics and trace; suspend and resume."""
        return Inspector(address)

    def inject(self, name: str, error: BaseException) -> None:
        """Raises `error` in the actor's next turn for a user message, as if its handler had.

        For tests of supervision. Raises NoSuchActor.
        """
        current.check()
        cell = self.registry.find(name)
        if cell is None:
            raise NoSuchActor(name)
        cell.mailbox.put_system((_inject, error))

    def on_event(
        self, callback: Callable[[SystemEvent], object], *, handled: bool = False
    ) -> Callable[[], None]:
        """Calls back for each event, in the thread where it happened: be quick, do not raise.

        With `handled` also for each message that an actor has handled, with the seconds it took.
        Returns what removes the callback.
        """
        return self.events.subscribe(callback, handled)

    @property
    def dead_letters(self) -> dict[str, int]:
        """How many messages nobody read, by kind."""
        return dict(self.events.dead_letters)

    @property
    def zombies(self) -> list[str]:
        """Names of killed actors whose threads are still in a handler."""
        return sorted(cell.name for cell in tuple(self._zombies))

    def kill(self, address: Address[Any]) -> None:
        """Fences and abandons the present incarnation and all below it. See `Cell.kill`."""
        current.check()
        cell = address.cell()
        if cell is not None:
            cell.kill()

    def stop(self, address: Address[Any], timeout: float | None = 5.0) -> bool:
        """Stops the present incarnation; kills it after `timeout`. True if it ended by itself.

        An actor that stops itself, or one above it, has not to wait for that: it is told, True.
        """
        current.check()
        cell = address.cell()
        if cell is None:
            return True
        cell.request_stop(SHUTDOWN)
        if cell in _path(current.cell) or cell.join(timeout):
            return True
        cell.kill()
        return False

    def shutdown(self, timeout: float = 10.0) -> list[str]:
        """Stops all roots, the last started first, within `timeout` seconds in all.

        What has not ended by then is killed; so that one stuck root does not use up the time of
        the others, these are told together when a fifth of it is left. An actor that shuts down its
        own system ends after its present message. Returns the names whose threads still run: they
        are daemon threads and do not keep the process alive. Nothing can be spawned afterwards.
        """
        current.check()
        deadline = self.runtime.monotonic() + timeout
        with self._lock:
            self.closing = True
            nodes = tuple(self._roots.values())
            roots = [cell for node in nodes if (cell := node.cell) is not None]
        own = _path(current.cell)
        waiting = []
        for cell in reversed(roots):
            cell.request_stop(SHUTDOWN)
            if cell not in own and not cell.ends_by(deadline - timeout / 5):
                waiting.append(cell)
        for cell in waiting:
            if not cell.ends_by(deadline):
                cell.kill(grace=0.0)
        self.timers.close()
        if self._processes is not None:
            self._processes.close()
        return self.zombies

    def bury(self) -> None:
        """In a forked child: no thread of this system lives here, and any lock may be held."""
        self._lock = self.runtime.lock()
        self.closing = True
        for part in (self.events, self.registry, self.timers):
            part.renew()
        roots, self._roots, self._processes = self._roots, {}, None
        self._zombies.clear()
        for node in roots.values():
            if node.cell is not None:
                node.cell.bury()

    # -- for cells ---------------------------------------------------------------------------

    def forget(self, cell: Cell, reason: ExitReason) -> None:
        """An incarnation has ended: frees its names and its place among the roots."""
        self.registry.forget(cell)
        siblings = self._roots if cell.parent is None else cell.parent.children
        with self._lock:
            node = siblings.get(cell.name)
            if node is not None and node.cell is cell:
                node.cell, node.state = None, "down"
                if not node.kept:
                    del siblings[cell.name]
        if reason.kind == "error":
            self.events.failed("crashed", cell.name, reason, cell.incarnation)
        elif reason.kind == "killed":
            self.events.tell("killed", cell.name, cell.incarnation)
        else:
            self.events.tell("ended", cell.name, cell.incarnation, str(reason))

    def add_zombie(self, cell: Cell) -> None:
        with self._lock:
            self._zombies.add(cell)
            if cell.thread_ended:
                self._zombies.discard(cell)
                return
        self.events.tell("zombie", cell.name, cell.incarnation)

    def thread_ended(self, cell: Cell) -> None:
        if self._zombies:
            with self._lock:
                self._zombies.discard(cell)


def _path(cell: Cell | None) -> list[Cell]:
    """The actor and all above it."""
    path = []
    while cell is not None:
        path.append(cell)
        cell = cell.parent
    return path


def _inject(cell: Cell, error: BaseException) -> None:
    if cell.injected is None:
        from collections import deque

        cell.injected = deque()
    cell.injected.append(error)
