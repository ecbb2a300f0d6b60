"""A supervisor whose children come and go at run time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from actors.address import ActorRef, Address, Handle
from actors.dynamic_strategy import DynamicChildren
from actors.errors import SpecError
from actors.outside import shown
from actors.spec import ChildSpec, check_spec
from actors.supervisor import SupervisorBase


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
