"""What a supervisor knows about a child before it starts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Literal, ParamSpec

from actors.errors import SpecError
from actors.outside import shown
from actors.pace import Backoff
from actors.plain_pykka import as_actor, is_actor_class
from actors.runtime import is_time

if TYPE_CHECKING:
    from pykka import ThreadingActor

    from actors.actor import Actor

P = ParamSpec("P")
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
    supervisor; with None it has no name, and a dynamic supervisor takes any number of its id.
    """

    id: str
    cls: type[Actor] | type[ThreadingActor]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    restart: Restart = "permanent"
    shutdown: float | Brutal = -1.0
    type: ChildType | None = None
    significant: bool = False
    backoff: Backoff | None = None
    start_timeout: float | None = -1.0
    name: str | None = ""

    @classmethod
    def of(
        cls,
        id: str,  # noqa: A002
        actor: Callable[P, Actor | ThreadingActor],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> ChildSpec:
        """The spec of `actor(*args, **kwargs)`, which a type checker checks.

        The other fields have their defaults; `dataclasses.replace` changes them.
        """
        return cls(id, actor, args, kwargs)  # type: ignore[arg-type]  # a class, or it is refused

    def __post_init__(self) -> None:
        _require(isinstance(self.id, str) and self.id, "id is a text that is not empty", self.id)
        self._require("cls", is_actor_class(self.cls), "an actor class")
        cls = as_actor(self.cls)
        is_supervisor = bool(getattr(cls, "is_supervisor", False))
        self._default("type", None, "supervisor" if is_supervisor else "worker")
        self._default("shutdown", -1.0, math.inf if self.type == "supervisor" else 5.0)
        self._default("start_timeout", -1.0, cls.start_timeout)
        self._default("name", "", self.id)
        self._check()
        object.__setattr__(self, "kwargs", dict(self.kwargs))  # whose was given may change

    def _default(self, field_name: str, unset: object, value: object) -> None:
        if getattr(self, field_name) == unset:
            object.__setattr__(self, field_name, value)

    def _check(self) -> None:
        kwargs, shutdown, limit = self.kwargs, self.shutdown, self.start_timeout
        texts = isinstance(kwargs, Mapping) and all(isinstance(key, str) for key in kwargs)
        self._require("args", isinstance(self.args, tuple), "a tuple")
        self._require("kwargs", texts, "a mapping of texts to values")
        self._require("restart", self.restart in RESTARTS, f"one of {RESTARTS}")
        self._require("type", self.type in ("worker", "supervisor"), "worker or supervisor")
        self._require("significant", isinstance(self.significant, bool), "True or False")
        ends = shutdown is BRUTAL_KILL or (is_time(shutdown) and shutdown >= 0)
        self._require("shutdown", ends, "seconds from 0, math.inf or BRUTAL_KILL")
        starts = limit is None or (is_time(limit) and limit >= 0)
        self._require("start_timeout", starts, "seconds from 0, or None")
        self._require("backoff", isinstance(self.backoff, Backoff | None), "a Backoff or None")
        self._require("name", isinstance(self.name, str | None), "a text or None")
        if self.significant and self.restart == "permanent":
            raise SpecError(f"{self.id}: a significant child is transient or temporary")

    def _require(self, field_name: str, condition: object, what: str) -> None:
        _require(condition, f"{self.id}: {field_name} is {what}", getattr(self, field_name))


def _require(condition: object, what: str, value: object) -> None:
    if not condition:
        raise SpecError(f"{what}, not {shown(value)}")


def check_child_specs(specs: object, auto_shutdown: AutoShutdown = "never") -> None:
    """Raises SpecError for what a supervisor with these children would refuse."""
    known = auto_shutdown in AUTO_SHUTDOWNS
    _require(known, f"auto_shutdown is one of {AUTO_SHUTDOWNS}", auto_shutdown)
    _require(isinstance(specs, list | tuple), "children is a list of ChildSpec", specs)
    assert isinstance(specs, list | tuple)
    seen: set[str] = set()
    for spec in specs:
        check_spec(spec, auto_shutdown)
        if spec.id in seen:
            raise SpecError(f"two children have the id {spec.id!r}")
        seen.add(spec.id)


def check_spec(spec: object, auto_shutdown: AutoShutdown) -> None:
    """Raises SpecError for one child spec that does not fit its supervisor."""
    _require(isinstance(spec, ChildSpec), "a child is a ChildSpec", spec)
    assert isinstance(spec, ChildSpec)
    if spec.significant and auto_shutdown == "never":
        raise SpecError(f"{spec.id}: significant needs a supervisor with auto_shutdown")
