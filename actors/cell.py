"""One incarnation of an actor: what others may touch of it, and its one end.

The order at the end is fixed: refuse and drain the mailbox (askers learn it at once), `on_stop`,
answer open promises, cancel timers, free the names, then one DOWN to each watcher.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.address import AS_ITS_CLASS_SAYS
from actors.as_pykka import enlist, last_hooks, leave, report
from actors.current import current
from actors.errors import AskCycle, Fenced, MailboxFull
from actors.future import Future, Latch, Promise
from actors.inspect import Inspection
from actors.mailbox import Args, Kwargs, Mailbox, Message, Notice, Result
from actors.outside import shown
from actors.reasons import FORKED, KILLED, NORMAL, SHUTDOWN, ExitReason, Started, crash

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Hashable
    from types import TracebackType

    from actors.actor import Actor
    from actors.inspect import Node
    from actors.monitor import Monitor
    from actors.process import Process
    from actors.system import System
    from actors.timers import Timer

    Method = Callable[..., Any]


LINKED_SECONDS = 5.0
"""For what an actor has spawned to end when it has ended."""


class Cell:
    """The part of an actor that others may touch."""

    __slots__ = (
        *("_lock", "actor", "arguments", "asked", "awaits", "children", "claimed", "cls", "dying"),
        *("ended", "fenced", "handled", "heard", "incarnation", "injected", "leaving", "mailbox"),
        *("monitors", "name", "names", "of_pykka", "owned", "parent", "promised", "promises"),
        *("reason", "started", "suspended", "system", "thread_ended", "timers", "topics", "trace"),
        "watching",
    )

    def __init__(
        self,
        system: System,
        cls: type[Actor],
        arguments: tuple[Args, Kwargs],
        name: str,
        incarnation: int,
        parent: Cell | None,
    ) -> None:
        runtime = system.runtime
        self.system = system
        self.name = name
        self.names: dict[str, None] = {}
        self.topics: dict[Hashable, None] | None = None
        self.incarnation = incarnation
        self.parent = parent
        self.children: dict[str, Node] = {}
        self.actor: Actor | None = None
        self.mailbox = Mailbox(
            self, runtime, cls.mailbox_limit, cls.mailbox_policy, cls.mailbox_high
        )
        self.started: Latch[Started] = Latch(runtime)
        self.ended: Latch[ExitReason] = Latch(runtime)
        self.thread_ended = True  # there is none yet
        self.dying: ExitReason | None = None  # set before the mailbox closes
        self.claimed = False  # somebody is publishing the end
        self.reason: ExitReason | None = None  # set once, when the names are free again
        self.leaving: ExitReason | None = None  # the loop ends after this message
        self.fenced = False
        self.suspended = False
        self.handled = 0
        self.heard: BaseException | None = None  # the last answer that raised in this thread
        self.injected: deque[BaseException] | None = None
        self.trace: deque[tuple[float, str]] | None = None
        self.asked: Future[Any] | None = None  # the ask that is being served
        # Whom this actor's thread waits for, and until when.
        self.awaits: tuple[Cell, Latch[Any]] | None = None
        # Sets, but ordered ones: a replay must not depend on addresses in memory.
        self.promises: dict[Promise[Any], None] = {}
        self.timers: dict[Timer, None] = {}
        self.monitors: dict[Monitor, None] = {}  # who watches this
        self.watching: dict[Monitor, None] = {}  # whom this watches
        self.owned: dict[Process, None] = {}  # processes that die with a kill of this
        self.cls = cls
        self.arguments: tuple[Args, Kwargs] | None = arguments
        self.promised = False
        self.of_pykka = cls.of_pykka  # its end is told as pykka tells it
        self._lock = runtime.lock()

    def __repr__(self) -> str:
        return f"<{self.cls.__name__} {self.name}#{self.incarnation}>"

    def make(self, listed: bool) -> Actor:
        """The instance; `listed`: it is in pykka's registry from now on."""
        assert self.arguments is not None
        args, kwargs = self.arguments
        self.arguments = None  # those of a child may be large; its spec has them if needed
        actor = self.cls.__new__(self.cls)
        if self.cls.is_plain:
            vars(actor)["_cell"] = self  # it may guard its attributes
        else:
            actor.attach(self)
        actor.__init__(*args, **kwargs)  # type: ignore[misc]  # after attach, on purpose
        if listed:
            enlist(actor, self)
        return actor

    # -- sending, from any thread ------------------------------------------------------------

    def not_told(self, result: Result) -> None:
        """A tell found the mailbox closed or full."""
        if result == "closed":
            self.system.events.dead_letter("tell_dead", self.name)
        elif self.cls.mailbox_policy in {"fail", "block"}:
            raise MailboxFull(self.name)
        else:
            self.system.events.dead_letter("mailbox_full", self.name)

    def call(
        self, method: Method, args: Args, kwargs: Kwargs, timeout: float | None
    ) -> Future[Any]:
        me = current.cell
        if me is not None and me.fenced:
            raise Fenced
        if timeout is AS_ITS_CLASS_SAYS:
            timeout = self.cls.ask_timeout
        future: Future[Any] = Future(self.system, self.name, self, timeout)
        self.send(method, args, kwargs, future)
        return future

    def ask(self, method: Method, args: Args, kwargs: Kwargs, timeout: float | None) -> Any:
        me = current.cell
        if me is None:
            future = self.call(method, args, kwargs, timeout)
            future.await_answer()
            return future.value()
        if timeout is AS_ITS_CLASS_SAYS:
            timeout = self.cls.ask_timeout
        future = Future(self.system, self.name, self, timeout)
        before = me.block_on(self, future)
        try:
            self.send(method, args, kwargs, future)
            future.await_answer()
            return future.value()
        finally:
            me.awaits = before

    def send(self, method: Method, args: Args, kwargs: Kwargs, future: Future[Any]) -> None:
        name = self.cls.message_names[method]
        result = self.mailbox.put((name, args, kwargs, future), future.deadline)
        if result == "closed":
            future.died(self.dying or NORMAL)
        elif result == "full":
            future.settle(None, MailboxFull(self.name))

    def block_on(self, other: Cell, until: Latch[Any]) -> tuple[Cell, Latch[Any]] | None:
        """This actor's thread is about to wait for `other` to settle `until`.

        Raises AskCycle if that never ends. Returns what `awaits` was: the caller puts it back when
        it has waited.
        """
        if self.fenced:
            raise Fenced
        before = self.awaits
        # The own edge is drawn before the walk, so of two actors that close a cycle at the same
        # moment at least one sees it.
        edge: tuple[Cell, Latch[Any]] | None
        edge = self.awaits = (other, until)
        if other.awaits is None:
            return before
        path = [self.name]
        while edge is not None and len(path) < 1000:
            waited_for, latch = edge
            # Who has its answer only has to wake up; what is owed, any thread may give.
            if latch.done or latch.owed:
                break
            path.append(waited_for.name)
            if waited_for is self:
                self.awaits = before
                raise AskCycle(path)
            edge = waited_for.awaits
        return before

    def join(self, timeout: float | None) -> bool:
        """Waits until its end is published."""
        me = current.cell
        if me is None:
            return self.ended.wait(timeout)
        before = me.block_on(self, self.ended)
        try:
            return self.ended.wait(timeout)
        finally:
            me.awaits = before

    def ends_by(self, deadline: float) -> bool:
        """`join` for those who need not look for a cycle; False at the deadline."""
        return self.ended.wait(deadline - self.system.runtime.monotonic())

    def request_stop(self, reason: ExitReason = SHUTDOWN) -> None:
        """Lets it end after the message in hand, before all that waits. The first one counts."""
        if not isinstance(reason, ExitReason):
            raise TypeError(f"an actor ends for an ExitReason, not for {shown(reason)}")
        if self.leaving is None:
            self.leaving = reason
        self.mailbox.rouse()

    def promise(self) -> Promise[Any]:
        """Takes over the answer of the message in hand. For the actor itself."""
        current.check()
        self.promised = True
        if self.asked is not None:
            self.asked.owed = True
        return Promise(self.asked, self.promises)

    # -- the end -----------------------------------------------------------------------------

    def kill(self, grace: float = 1.0) -> None:
        """Fences this incarnation and the actors below it, and abandons their threads.

        Supervisors below it are told to end by themselves, so that what is below them is stopped in
        order; those that have not within `grace` seconds are killed, too.

        A thread cannot be ended from outside. It is cut off: its name is free, its mailbox closed,
        its answers dropped, its next call into this package ends it. Until then it is a zombie.
        """
        with self._lock:
            if self.claimed:
                return
            self.fenced = True
            self.leaving = KILLED
        self.dying = self.dying or KILLED
        busy = self._drain(KILLED)
        below = self._below()
        for cell in below:
            if getattr(cell.cls, "is_supervisor", False):
                cell.request_stop(KILLED)
            else:
                cell.kill(grace)
        # One may be ending by itself just now. Our end must not be told before its names are free;
        # but a listener that kills from within an end must not wait for itself.
        until = self.system.runtime.monotonic() + grace
        for cell in below:
            if not cell.ends_by(until):
                cell.kill(grace)
        self._kill_owned()
        if busy:
            self.system.add_zombie(self)
        # A starter that still waits is told last: it may try again with the same name.
        if self._publish(KILLED):
            self.started.settle(Started("error", KILLED))

    def end(
        self, reason: ExitReason, actor: Actor | None, traceback: TracebackType | None = None
    ) -> bool:
        """The loop has ended for `reason`. `actor` is None if it never started.

        False if a kill was faster, and says the rest.
        """
        if self.fenced:
            return False
        self.dying = reason
        self._drain(reason)
        if actor is None:
            self._kill_owned()
        else:
            try:
                if self.of_pykka:
                    last_hooks(actor, reason, traceback)
                else:
                    actor.on_stop(reason)
            except BaseException as error:  # noqa: BLE001
                report(actor, error, error.__traceback__)
                if reason.kind != "error":
                    reason = self.dying = crash(error)
        if self.children:
            self._end_linked()
        return self._publish(reason)

    def _below(self) -> list[Cell]:
        """The children that run now, the last one first; others may come and go meanwhile."""
        nodes = reversed(tuple(self.children.values()))
        return [cell for node in nodes if (cell := node.cell) is not None]

    def _end_linked(self) -> None:
        """Stops what this actor has spawned, the last one first."""
        linked = self._below()
        for cell in linked:
            cell.request_stop(SHUTDOWN)
        until = self.system.runtime.monotonic() + LINKED_SECONDS
        for cell in linked:
            if not cell.ends_by(until):
                cell.kill()

    def _kill_owned(self) -> None:
        for process in tuple(self.owned):
            process.kill()

    def _drain(self, reason: ExitReason) -> bool:
        """Closes the mailbox and answers what is in it. True if the actor was in a handler."""
        if self.of_pykka and self.actor is not None:
            leave(self.actor)
        left, left_system, waiting = self.mailbox.close()
        asked, self.asked = self.asked, None
        if asked is not None:
            asked.died(reason, serving=True)
        for _, payload in left_system:
            if isinstance(payload, Inspection):
                payload.future.died(reason)
        for message in left:
            if message[3] is not None:
                message[3].died(reason)
            elif not isinstance(message, Notice):
                self.system.events.dead_letter("tell_dead", self.name)
        return not waiting

    def _publish(self, reason: ExitReason) -> bool:
        with self._lock:
            if self.claimed:
                return False
            self.claimed = True
        if self.promises or self.timers or self.watching:
            self._let_go(reason)
        self.system.forget(self, reason)
        # Only now: who starts to watch before this is told after it, and finds the names free.
        with self._lock:
            self.reason = reason
            monitors, self.monitors = self.monitors, {}
        for monitor in monitors:
            monitor.deliver(reason)
        self.ended.settle(reason)
        self.actor = None
        return True

    def _let_go(self, reason: ExitReason) -> None:
        for promise in tuple(self.promises):
            promise.abandon(reason)
        self.promises.clear()
        for timer in tuple(self.timers):
            timer.cancel()
        for monitor in tuple(self.watching):
            monitor.cancel()

    def bury(self) -> None:
        """In a forked child, where its thread is not: it has ended."""
        runtime = self.system.runtime
        self.reason = self.dying = self.leaving = FORKED
        self.fenced = self.claimed = True
        self.mailbox = Mailbox(self, runtime, None, "fail", 1)
        self.mailbox.close()
        self.ended = Latch(runtime)
        self.ended.settle(FORKED)
        for cell in self._below():
            cell.bury()

    def watch(self, monitor: Monitor) -> bool:
        """Adds a watcher; False if the end is already published."""
        with self._lock:
            if self.reason is not None:
                return False
            self.monitors[monitor] = None
            return True

    def unwatch(self, monitor: Monitor) -> None:
        with self._lock:
            self.monitors.pop(monitor, None)

    # -- notices -----------------------------------------------------------------------------

    def mailbox_high(self, length: int) -> None:
        self.system.events.tell("mailbox_high", self.name, self.incarnation, str(length))

    def mailbox_dropped(self, message: Message) -> None:
        if message[3] is not None:
            message[3].settle(None, MailboxFull(self.name))
        self.system.events.dead_letter("mailbox_full", self.name)

    @property
    def state(self) -> str:
        """One word for the tree."""
        if self.reason is not None:
            return "ended" if self.thread_ended or not self.fenced else "zombie"
        if self.dying is not None or self.leaving is not None:
            return "stopping"
        if not self.started.done:
            return "starting"
        if self.suspended:
            return "suspended"
        return "idle" if self.mailbox.waiting else "busy"
