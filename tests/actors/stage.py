"""A supervisor with children that do what they are told, and a log of what happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors import (
    NORMAL,
    SHUTDOWN,
    Actor,
    ActorRef,
    ChildSpec,
    DynamicSupervisor,
    ExitReason,
    Handle,
    Ignore,
    Info,
    Supervisor,
    System,
)

ERROR = ExitReason("error", "told to")
REASONS = {"normal": NORMAL, "shutdown": SHUTDOWN, "abnormal": ERROR}


class Player(Actor):
    """A child of the stage."""

    def __init__(self, stage: Stage, part: str) -> None:
        self.stage = stage
        self.part = part

    def on_start(self) -> Ignore | Info | None:
        script = self.stage.script.get(self.part)
        outcome = script.pop(0) if script else "ok"
        if outcome == "ok":
            self.stage.log.append(f"start {self.part}")
            return None
        self.stage.log.append(f"{outcome} {self.part}")
        if outcome == "fail":
            raise RuntimeError(f"{self.part} cannot start")
        if outcome == "ignore":
            return Ignore()
        if outcome == "info":
            return Info(f"info of {self.part}")
        return "junk"  # type: ignore[return-value]

    def on_stop(self, reason: ExitReason) -> None:
        self.stage.log.append(f"stop {self.part}")
        self.stage.reasons.append((self.part, reason.kind))

    def crash(self) -> None:
        raise ValueError("told to crash")

    def end(self, reason: ExitReason) -> None:
        self.stop(reason)

    def hang(self, until: Callable[[], object]) -> None:
        until()


class Stage:
    """Builds supervisors in a world and drives their children."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.system: System = world.system
        self.script: dict[str, list[str]] = {}
        self.log: list[str] = []
        self.reasons: list[tuple[str, str]] = []
        self.until = world.until

    def child(self, part: str, cls: type[Actor] = Player, **options: Any) -> ChildSpec:
        args = (self, part) if issubclass(cls, Player) else ()
        return ChildSpec(part, cls, options.pop("args", args), **options)

    def group(
        self, part: str, *children: ChildSpec, strategy: str = "one_for_one", **options: Any
    ) -> ChildSpec:
        """A supervisor as a child."""
        flags = {
            name: options.pop(name)
            for name in ("intensity", "period", "auto_shutdown")
            if name in options
        }
        kwargs = {"strategy": strategy, "children": list(children), **flags}
        return ChildSpec(part, Supervisor, kwargs=kwargs, **options)

    def supervisor(
        self, *children: ChildSpec, strategy: str = "one_for_one", name: str = "sup", **flags: Any
    ) -> ActorRef[Supervisor]:
        return self.system.spawn(Supervisor, strategy, list(children), name=name, **flags)

    def dynamic(self, name: str = "sup", **flags: Any) -> ActorRef[DynamicSupervisor]:
        return self.system.spawn(DynamicSupervisor, name=name, **flags)

    def player(self, part: str) -> Handle[Player]:
        return self.system.handle(Player, part)

    def incarnation(self, part: str) -> int | None:
        ref = self.system.whereis(part)
        return None if ref is None else ref.incarnation

    def end(self, part: str, how: str = "crash", sup: str = "sup") -> None:
        """Ends a child; returns when its supervisor has dealt with that, or has ended."""
        ref = self.system.whereis(part)
        assert ref is not None, f"{part} does not run"
        if how == "crash":
            ref.tell(Player.crash)
        elif how == "kill":
            self.system.kill(ref)
        else:
            ref.tell(Player.end, REASONS[how])
        assert ref.join(5)
        self.settle(sup)

    def settle(self, sup: str = "sup") -> None:
        """Returns when the supervisor has served all that had reached it, or has ended."""
        ref = self.system.whereis(sup)
        if ref is not None:
            ref.call(Supervisor.count_children).wait(5)

    def counts(self, sup: str = "sup") -> tuple[int, int, int, int]:
        """(specs, active, supervisors, workers)"""
        counts = self.system.handle(Supervisor, sup).ask(Supervisor.count_children)
        return counts["specs"], counts["active"], counts["supervisors"], counts["workers"]

    def children(self, sup: str = "sup") -> dict[str, str]:
        """id -> up, down or restarting, in start order."""
        found = self.system.handle(Supervisor, sup).ask(Supervisor.which_children)
        return {
            child: state if isinstance(state, str) else "up" for child, state, _ in reversed(found)
        }

    def gave_up(self, ref: ActorRef[Any]) -> bool:
        """The supervisor has ended because of too many restarts."""
        return ref.join(5) and ref.reason == ExitReason("shutdown", "intensity")
