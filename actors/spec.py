"""What a supervisor knows about a child before it starts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from inspect import isclass
from typing import TYPE_CHECKING, Any, Final, Literal

from actors.errors import SpecError

if TYPE_CHECKING:
    from actors.actor import Actor
    from actors.backoff import Backoff

Restart = Literal["permanent", "transient", "temporary"]
ChildType = Literal["worker", "supervisor"]
Strategy = Literal["one_for_one", "one_for_all", "rest_for_one"]
AutoShutdown = Literal["never", "any_significant", "all_significant"]

RESTARTS: Final = ("permanent", "transient", "temporary")
STRATEGIES: Final = ("one_for_one", "one_for_all", "rest_for_one")
AUTO_SHUTDOWNS: Final = ("never", "any_significant", "all_significant")


class Brutal(Enum):
    """The type of `BRUTAL_KILL`."""

    KILL = "brutal_kill"


BRUTAL_KILL: Final = Brutal.KILL
"""As `shutdown`: no shutdown phase, killed at once."""


@dataclass(frozen=True)
class ChildSpec:
    """How to start, restart and stop one child.

    `restart`: `permanent` always, `transient` after an abnormal end, `temporary` never.
    `shutdown`: seconds to end by itself before it is killed (default 5, a supervisor: `math.inf`),
    or `BRUTAL_KILL`. `significant`: its own end may end its supervisor, see `auto_shutdown`.
    `backoff`: wait before restarts. `start_timeout`: seconds for its start (default 30, a
    supervisor: no limit). `name`: default its id; names are unique in a system, ids in one
    supervisor.
    """

    id: str
    cls: type[Actor]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    restart: Restart = "permanent"
    shutdown: float | Brutal = -1.0
    type: ChildType | None = None
    significant: bool = False
    backoff: Backoff | None = None
    start_timeout: float | None = -1.0
    name: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not self.id:
            raise SpecError(f"id is a text that is not empty, not {self.id!r}")
        if not isclass(self.cls):
            raise SpecError(f"{self.id}: cls is an actor class, not {self.cls!r}")
        is_supervisor = bool(getattr(self.cls, "is_supervisor", False))
        self._default("type", None, "supervisor" if is_supervisor else "worker")
        self._default("shutdown", -1.0, math.inf if self.type == "supervisor" else 5.0)
        self._default("start_timeout", -1.0, None if self.type == "supervisor" else 30.0)
        self._default("name", None, self.id)
        self._check()

    def _default(self, field_name: str, unset: object, value: object) -> None:
        if getattr(self, field_name) == unset:
            object.__setattr__(self, field_name, value)

    def _check(self) -> None:
        if self.restart not in RESTARTS:
            raise SpecError(f"{self.id}: restart is one of {RESTARTS}, not {self.restart!r}")
        if self.type not in {"worker", "supervisor"}:
            raise SpecError(f"{self.id}: type is worker or supervisor, not {self.type!r}")
        if not isinstance(self.args, tuple):
            raise SpecError(f"{self.id}: args is a tuple, not {self.args!r}")
        if not isinstance(self.kwargs, Mapping):
            raise SpecError(f"{self.id}: kwargs is a mapping, not {self.kwargs!r}")
        if not isinstance(self.significant, bool):
            raise SpecError(f"{self.id}: significant is True or False, not {self.significant!r}")
        shutdown = self.shutdown
        if shutdown is not BRUTAL_KILL and (
            isinstance(shutdown, bool) or not isinstance(shutdown, int | float) or not shutdown >= 0
        ):
            raise SpecError(
                f"{self.id}: shutdown is seconds from 0, math.inf or BRUTAL_KILL, not {shutdown!r}"
            )
        if self.significant and self.restart == "permanent":
            raise SpecError(f"{self.id}: a significant child is transient or temporary")


def check_child_specs(specs: object, auto_shutdown: AutoShutdown = "never") -> None:
    """Raises SpecError for what a supervisor with these children would refuse."""
    if auto_shutdown not in AUTO_SHUTDOWNS:
        raise SpecError(f"auto_shutdown is one of {AUTO_SHUTDOWNS}, not {auto_shutdown!r}")
    if not isinstance(specs, list | tuple):
        raise SpecError(f"children is a list of ChildSpec, not {specs!r}")
    seen: set[str] = set()
    for spec in specs:
        check_spec(spec, auto_shutdown)
        if spec.id in seen:
            raise SpecError(f"two children have the id {spec.id!r}")
        seen.add(spec.id)


def check_spec(spec: object, auto_shutdown: AutoShutdown) -> None:
    """Raises SpecError for one child spec that does not fit its supervisor."""
    if not isinstance(spec, ChildSpec):
        raise SpecError(f"a child is a ChildSpec, not {spec!r}")
    if spec.significant and auto_shutdown == "never":
        raise SpecError(f"{spec.id}: significant needs a supervisor with auto_shutdown")
