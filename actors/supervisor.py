"""The actors around the pure state machines of `strategy` and `dynamic_strategy`."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from actors.actor import Actor
from actors.address import ActorRef, Address, Handle
from actors.current import current
from actors.dynamic_strategy import DynamicChildren
from actors.effects import (
    Child,
    Effect,
    Exit,
    Forget,
    Outcome,
    Report,
    ReportKind,
    Retry,
    Start,
    Stop,
)
from actors.errors import SpecError, StartError, StartIgnored
from actors.inspect import Node
from actors.monitor import Monitor
from actors.outside import shown
from actors.reasons import SHUTDOWN, Down, ExitReason
from actors.spec import BRUTAL_KILL, AutoShutdown, ChildSpec, Strategy, check_spec
from actors.strategy import StaticChildren, Steps

if TYPE_CHECKING:
    from collections.abc import Iterable

    from actors.cell import Cell


BATCH = 32
"""Children that are told to stop at the same moment."""

BATCH_PAUSE = 0.002
"""Seconds before the next batch is told, if the last one has not ended by then."""


class SupervisorBase(Actor):
    """Performs the effects that a state machine yields, one after the other, in this thread.

    As in OTP it serves nobody while it starts or stops a child. A retry is a message to itself, so
    that requests and a shutdown come between two attempts.
    """

    mailbox_limit: ClassVar[int | None] = None  # it must never lose a request or a retry
    ask_timeout: ClassVar[float | None] = None  # a child may take its time to start or to end
    start_timeout: ClassVar[float | None] = None  # its children have limits of their own
    is_supervisor: ClassVar[bool] = True
    machine: StaticChildren | DynamicChildren

    def on_down(self, down: Down) -> None:
        self._perform(self.machine.down(down.ref, down.reason, self._now()))

    def on_stop(self, reason: ExitReason) -> None:
        machine = getattr(self, "machine", None)
        if machine is not None:
            self._perform(machine.shutdown())

    def which_children(self) -> list[tuple[str, ActorRef[Any] | str, str]]:
        """(id, ref or "down" or "restarting", type) of each child, the last started first."""
        return [
            (child.spec.id, child.ref or child.state, child.spec.type or "worker")
            for child in reversed(self.machine.children.values())
        ]

    def count_children(self) -> dict[str, int]:
        """How many specs, active children, supervisors and workers there are."""
        children = list(self.machine.children.values())
        supervisors = sum(child.spec.type == "supervisor" for child in children)
        return {
            "specs": len(children),
            "active": sum(child.ref is not None and child.ref.alive for child in children),
            "supervisors": supervisors,
            "workers": len(children) - supervisors,
        }

    def _name(self, child: Child) -> str:
        return child.spec.name or f"{self.name}/{child.key}"

    def _now(self) -> float:
        return self.system.runtime.monotonic()

    def _retry(self, key: str, token: int) -> None:
        self._perform(self.machine.retry(key, token, self._now()))

    def _perform(self, steps: Steps) -> Any:
        answer: Any = None
        while True:
            try:
                effect: Effect = steps.send(answer)
            except StopIteration as done:
                return done.value
            answer = self._act(effect)

    def _act(self, effect: Effect) -> Any:
        match effect:
            case Start():
                return self._start_child(effect.child, effect.restart)
            case Report():
                self._report(effect.kind, effect.child, effect.reason)
            case Stop():
                return self._stop_children(effect.specs, effect.refs)
            case Retry():
                self._retry_later(effect.child, effect.token, effect.delay)
            case Forget():
                self._forget(effect.child)
            case Exit():
                self.stop(effect.reason)
        return None

    def _retry_later(self, child: Child, token: int, delay: float) -> None:
        name = self._name(child)
        self._cell.children.setdefault(name, Node(name, kept=True)).state = "restarting"
        if delay > 0:
            self.send_after(delay, self._retry, child.key, token)
        else:
            self._cell.mailbox.force(("_retry", (child.key, token), {}, None))

    def _start_child(self, child: Child, restart: bool) -> Outcome:
        spec = child.spec
        nodes = self._cell.children
        name = self._name(child)
        node = nodes.get(name) or Node(name, kept=True)
        node.restarts += restart  # before anybody can see the new incarnation
        try:
            ref = self.system.start(
                spec.cls,
                spec.args,
                dict(spec.kwargs),
                name=name,
                timeout=spec.start_timeout,
                parent=self._cell,
                node=node,
                registered=spec.name is not None,
            )
        except StartIgnored:
            node.restarts -= restart
            return Outcome()
        except StartError as error:
            node.restarts -= restart
            return Outcome(reason=error.reason)
        if restart:
            self.system.events.tell("restarted", name, ref.incarnation)
        Monitor(self._cell, name, ref.cell()).begin()
        return Outcome(ref)

    def _forget(self, child: Child) -> None:
        node = self._cell.children.get(self._name(child))
        # A failed start may have left the name with a sibling that had it before.
        if node is not None and node.cell is None:
            del self._cell.children[node.name]

    def _stop_children(
        self, specs: tuple[ChildSpec, ...], refs: tuple[ActorRef[Any], ...]
    ) -> list[ExitReason]:
        """All are told before any is waited for long: it takes as long as the slowest one."""
        told = []
        for first in range(0, len(refs), BATCH):
            for spec, ref in zip(
                specs[first : first + BATCH], refs[first : first + BATCH], strict=True
            ):
                cell = ref.cell()
                told.append((spec, cell, self._now()))
                if spec.shutdown is BRUTAL_KILL:
                    cell.kill()
                else:
                    cell.request_stop(SHUTDOWN)
            if first + BATCH < len(refs):
                self._let_end([cell for _, cell, _ in told[first:]])
        return [self._await_end(spec, cell, begun) for spec, cell, begun in told]

    def _let_end(self, cells: list[Cell]) -> None:
        """Gives a batch a moment: thousands of threads that wake at once cost far more each."""
        until = self._now() + BATCH_PAUSE
        for cell in cells:
            if not cell.ends_by(until):
                return

    def _await_end(self, spec: ChildSpec, cell: Cell, begun: float) -> ExitReason:
        current.check()
        me = self._cell
        # A child that asks us from now on fails at once. One that asks already is no reason for us
        # to fail: its grace ends the wait.
        before, me.awaits = me.awaits, (cell, cell.ended)
        try:
            grace = spec.shutdown
            if grace is BRUTAL_KILL or grace == math.inf:
                cell.ended.wait()
            elif not cell.ends_by(begun + grace):
                cell.kill()
            cell.ended.wait()
        finally:
            me.awaits = before
        return cell.ended.value()

    def _report(self, kind: ReportKind, child: Child, reason: ExitReason) -> None:
        name = self._name(child)
        node = self._cell.children.get(name)
        if node is not None:
            node.last_crash = reason
        if kind == "crashed":
            return  # the end of the incarnation has said so already
        about = self.name if kind == "gave_up" else name
        self.system.events.failed(kind, about, reason, detail=name)


class Supervisor(SupervisorBase):
    """Starts its children in order, restarts those that end, stops them in reverse order.

    `strategy`: when one child must be restarted, restart `one_for_one` only it, `one_for_all` all,
    `rest_for_one` it and those started after it. After more than `intensity` restarts within
    `period` seconds it gives up: it stops all and ends with the reason `shutdown(intensity)`, so
    that its own supervisor decides. `auto_shutdown`: it ends with `shutdown` after the own end of
    `any_significant` or of the last of `all_significant` children.
    """

    machine: StaticChildren

    def __init__(
        self,
        strategy: Strategy,
        children: Iterable[ChildSpec] = (),
        intensity: int = 3,
        period: float = 5.0,
        auto_shutdown: AutoShutdown = "never",
    ) -> None:
        self.machine = StaticChildren(strategy, children, intensity, period, auto_shutdown)

    def on_start(self) -> None:
        error = self._perform(self.machine.boot(self._now()))
        if error is not None:
            raise error

    def start_child(self, spec: ChildSpec) -> ActorRef[Any] | None:
        """Adds a child and starts it; None if it ignored. Raises ChildError or StartError."""
        ref: ActorRef[Any] | None = self._perform(self.machine.start_child(spec, self._now()))
        return ref

    def terminate_child(self, id: str) -> None:  # noqa: A002
        """Stops a child; its spec stays for `restart_child`, unless it is temporary."""
        self._perform(self.machine.terminate_child(id))

    def restart_child(self, id: str) -> ActorRef[Any] | None:  # noqa: A002
        """Starts a child that was terminated or has ended."""
        ref: ActorRef[Any] | None = self._perform(self.machine.restart_child(id, self._now()))
        return ref

    def delete_child(self, id: str) -> None:  # noqa: A002
        """Forgets a child that is down."""
        self._perform(self.machine.delete_child(id))

    def get_childspec(self, id: str) -> ChildSpec:  # noqa: A002
        """The spec with its defaults filled in."""
        return self.machine.find(id).spec


class DynamicSupervisor(SupervisorBase):
    """Starts with no children; restarts each alone; stops all at the same time.

    `max_children` counts children that wait for a restart, too. `extra_args` are put before the
    arguments of every spec.
    """

    machine: DynamicChildren

    def __init__(
        self,
        max_children: int | None = None,
        intensity: int = 3,
        period: float = 5.0,
        extra_args: tuple[Any, ...] = (),
    ) -> None:
        self.machine = DynamicChildren(max_children, intensity, period)
        if not isinstance(extra_args, tuple):
            raise SpecError(f"extra_args is a tuple, not {shown(extra_args)}")
        self._extra_args = extra_args

    def start_child(self, spec: ChildSpec) -> ActorRef[Any] | None:
        """Starts a child; None if it ignored. Raises ChildError or StartError."""
        check_spec(spec, "never")
        if self._extra_args:
            spec = replace(spec, args=(*self._extra_args, *spec.args))
        ref: ActorRef[Any] | None = self._perform(self.machine.start_child(spec, self._now()))
        return ref

    def terminate_child(self, child: Address[Any] | str) -> None:
        """Stops and forgets the child with this ref or name. Raises ChildError `not_found`."""
        self._perform(self.machine.terminate_child(_key(child)))

    def get_childspec(self, child: Address[Any] | str) -> ChildSpec:
        """The spec of the child with this ref or name."""
        return self.machine.find(_key(child)).spec


def _key(child: Address[Any] | str) -> Any:
    return child.name if isinstance(child, Handle) else child
