"""A conductor's context in a simulated system, with ears in the place of the other actors."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from context_stage import context_in

from actors import Actor
from actors.testing import Simulation
from marianne.daemon.config import DaemonConfig
from marianne.daemon.context import Context

Told = list[tuple[str, str, tuple[Any, ...]]]


class AnyMessage(type(Actor)):  # type: ignore[misc]
    """A class that has a method of any name."""

    def __getattr__(cls, method: str) -> Callable[..., None]:
        if method.startswith("_"):
            raise AttributeError(method)
        return lambda *_, **__: None


class Ear(Actor, metaclass=AnyMessage):
    """Notes each message that it gets, whatever it is."""

    def __init__(self, name: str, told: Told) -> None:
        super().__init__()
        self._of, self._told = name, told

    def __getattr__(self, method: str) -> Callable[..., None]:
        if method.startswith("_"):
            raise AttributeError(method)
        return lambda *args, **_: self._told.append((self._of, method, args))


class Stage:
    """``told`` has (actor, method, arguments) of what the others were told."""

    def __init__(self, sim: Simulation, place: Path, config: DaemonConfig | None = None) -> None:
        os.chmod(place, 0o700)
        self.sim = sim
        self.told: Told = []
        self.context = context_in(
            place, sim.system, config, kind=Context, memory_mb=1_000, processes=100
        )
        self.context.resources.snapshot = None

    def ears(self, *names: str) -> None:
        for name in names:
            self.sim.system.spawn(Ear, name, self.told, name=name)

    def heard(self, actor: str, method: str) -> list[tuple[Any, ...]]:
        """The arguments of each message to the actor with that method."""
        return [args for name, what, args in self.told if (name, what) == (actor, method)]
