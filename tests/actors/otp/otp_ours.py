"""Plays a history on `actors` and says what happened in the words of otp_driver.erl."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

from otp_history import History, Spec, Step

from actors import (
    BRUTAL_KILL,
    NORMAL,
    SHUTDOWN,
    Actor,
    ActorDied,
    ActorRef,
    ChildError,
    ChildSpec,
    Down,
    DynamicSupervisor,
    ExitReason,
    Future,
    Ignore,
    NoSuchActor,
    Refusal,
    StartError,
    Supervisor,
    System,
    SystemEvent,
)
from actors.runtime import Lock

DEATHS = {"normal": NORMAL, "shutdown": SHUTDOWN, "detail": ExitReason("shutdown", "detail")}
FOR_EVER = 1e6

Asked = tuple[str, str, Future[Any] | None]


class World(Protocol):
    """Where it is played: the simulation, or real threads."""

    system: System

    def settle(self, ours: Ours) -> None:
        """Returns when nothing more happens by itself."""


class Ours:
    """One history, played on one system."""

    def __init__(self, world: World, history: History) -> None:
        self.world = world
        self.system = world.system
        self.history = history
        self.lines: list[str] = []
        self.heard: list[str] = []
        self.scripts = {name: list(todo) for name, todo in history.scripts.items()}
        self.deviations: dict[str, int] = {}  # by name: the first step that cannot be compared
        self.begun: set[int] = set()  # incarnations of workers that have started
        self.latest: dict[str, ActorRef[Any]] = {}  # a pool knows its children by ref
        self.step = 0
        self.hanging: list[Lock] = []

    def play(self) -> list[str]:
        """The whole trace."""
        self.lines += [f"history {self.history.number}", "step boot"]
        self.system.on_event(self._on_event)
        self.observer = self.system.spawn(Observer, self, name="observer")
        spec = self._child(self.history.tree)
        try:
            top = self.system.spawn(Supervisor, **spec.kwargs, name="top", start_timeout=None)
        except StartError:
            self.world.settle(self)
            return [*self.lines, "boot failed"]
        self._settle()
        self._snapshot()
        for number, step in enumerate(self.history.steps, 1):
            self.step = number
            self.lines.append(f"step {number}")
            asked = self._step(step)
            self._settle()
            for name, verb, future in asked:
                self.lines.append(f"answer {name} {verb} {answer(name, verb, future)}")
            self.observer.ask(Observer.said, "", -1)
            self.lines += [f"heard {text}" for text in self.heard]
            self.heard.clear()
            self._snapshot()
        self.lines.append("step stop")
        top.stop()
        top.join()
        self._settle()
        return list(self.lines)

    def close(self) -> None:
        """Lets the threads of those go who hang."""
        for lock in self.hanging:
            lock.release()

    # -- steps -------------------------------------------------------------------------------

    def _step(self, step: Step) -> list[Asked]:
        """Returns the requests whose answers are still to come."""
        match step:
            case ("die", name, how):
                self._die(name, how)
            case ("script", name, outcomes):
                self.scripts[name] = list(outcomes)
            case ("ask", name, request):
                return [self._ask(name, request)]
            case ("gate", name, subs):
                return self._gate(name, subs)
            case ("talk", watched, subs):
                self._talk(watched, subs)
        return []

    def _die(self, name: str, how: str) -> None:
        ref = self.system.whereis(name)
        if ref is None:
            self.lines.append(f"skip {name}")
            return
        if how == "kill":
            self.system.kill(ref)
        elif how == "crash":
            ref.tell(Worker.crash)
        else:
            ref.tell(Worker.end, DEATHS[how])
        ref.join()

    def _gate(self, name: str, subs: list[Step]) -> list[Asked]:
        ref = self.system.whereis(name)
        if ref is None:
            self.lines.append(f"skip {name}")
            return []
        gate, entered = self._held(), self._held()
        started = ref.within(None).call(
            Supervisor.start_child, ChildSpec("gate", Gate, (gate, entered), restart="temporary")
        )
        entered.acquire()
        asked = []
        for sub in subs:
            if sub[0] == "ask":
                asked.append(self._ask(name, sub[2]))
            elif self.history.parents.get(sub[1]) == name:
                self._die(sub[1], sub[2])
            else:
                self.lines.append(f"skip {sub[1]}")
        gate.release()
        started.wait()
        return asked

    def _talk(self, watched: list[str], subs: list[Step]) -> None:
        for name in watched:
            self.observer.ask(Observer.watch, name)
        gate, entered = self._held(), self._held()
        self.observer.tell(Observer.hold, gate, entered)
        entered.acquire()
        for sub in subs:
            if sub[0] == "die":
                self._die(sub[1], sub[2])
            else:
                ref = self.system.whereis(sub[1])
                if ref is None:
                    self.lines.append(f"skip {sub[1]}")
                else:
                    ref.ask(Worker.say, sub[2])
            self._settle()
        gate.release()

    def _held(self) -> Lock:
        lock = self.system.runtime.lock()
        lock.acquire()
        return lock

    # -- requests ----------------------------------------------------------------------------

    def _ask(self, name: str, request: Step) -> Asked:
        ref = self.system.whereis(name)
        pooled = name.startswith("p")
        verb, *rest = request
        if ref is None:
            return name, verb, None
        to: ActorRef[Any] = ref.within(None)
        method: Callable[..., Any]
        args = rest
        match verb:
            case "which":
                method = Supervisor.which_children
            case "count":
                method = Supervisor.count_children
            case "start" if pooled:
                method, args = DynamicSupervisor.start_child, [self._pooled(name, rest[0])]
            case "start":
                method, args = Supervisor.start_child, [self._child(rest[0])]
            case "terminate" if pooled:
                method = DynamicSupervisor.terminate_child
                args = [self.latest.get(rest[0], "nobody")]
            case _:
                method = getattr(Supervisor, f"{verb}_child")
        return name, verb, to.call(method, *args)

    def _settle(self) -> None:
        self.world.settle(self)

    def groups(self) -> list[str]:
        """Names of all supervisors, those below first."""
        return ["top", *self.history.groups][::-1]

    def _snapshot(self) -> None:
        for name in sorted({*self.groups()}):
            ref = self.system.whereis(name)
            if ref is not None:
                children = which(ref.ask(Supervisor.which_children), name.startswith("p"))
                counts = count(ref.ask(Supervisor.count_children), name.startswith("p"))
                self.lines.append(f"tree {name} {children} / {counts}")

    # -- children ----------------------------------------------------------------------------

    def _child(self, spec: Spec) -> ChildSpec:
        match spec:
            case ("worker", name, restart, shutdown, significant, manner):
                cls, args, kwargs = Worker, (self, name, manner), {}
            case ("sup", name, strategy, intensity, auto, restart, shutdown, significant, below):
                children = [self._child(child) for child in below]
                cls, args = Supervisor, ()
                kwargs = {"strategy": strategy, "children": children, "auto_shutdown": auto}
                kwargs |= {"intensity": intensity, "period": FOR_EVER}
            case ("pool", name, intensity, restart, shutdown, significant, _, _):
                cls, args = DynamicSupervisor, ()
                kwargs = {"intensity": intensity, "period": FOR_EVER}
        options: Any = {"shutdown": grace(shutdown), "significant": significant}
        return ChildSpec(name, cls, args, kwargs, restart=restart, **options)

    def _pooled(self, pool: str, name: str) -> ChildSpec:
        _, _, _, _, _, _, restart, shutdown = self.history.groups[pool]
        return ChildSpec(
            name, Worker, (self, name, "obeys"), restart=restart, shutdown=grace(shutdown)
        )

    def _on_event(self, event: SystemEvent) -> None:
        match event.kind:
            case "gave_up":
                spec = self.history.groups[event.name]
                if event.name != "top" and spec[-4 if spec[0] == "sup" else 3] == "transient":
                    self.deviations.setdefault("gave-up-is-abnormal", self.step)
            case "started":
                self.begun.add(event.incarnation)
            case "ended" | "crashed" | "killed" if event.incarnation in self.begun:
                kinds = {"crashed": "error", "killed": "killed"}
                kind = kinds.get(event.kind) or event.detail.partition("(")[0]
                self.lines.append(f"down {event.name} {kind}")


class Worker(Actor):
    """A child that starts, ends and talks as it is told."""

    def __init__(self, ours: Ours, part: str, manner: str) -> None:
        self.ours, self.part, self.manner = ours, part, manner

    def on_start(self) -> Ignore | None:
        script = self.ours.scripts.get(self.part)
        outcome = script.pop(0) if script else "ok"
        self.ours.lines.append(f"{'start' if outcome == 'ok' else outcome} {self.part}")
        if outcome == "fail":
            raise RuntimeError("told to fail")
        if outcome == "ignore":
            return Ignore()
        if outcome == "junk":
            return "junk"  # type: ignore[return-value]
        self.ours.begun.add(self.incarnation)
        self.ours.latest[self.part] = self.ref
        return None

    def crash(self) -> None:
        raise ValueError("told to crash")

    def end(self, reason: ExitReason) -> None:
        self.stop(reason)

    def say(self, word: int) -> None:
        self.ours.observer.tell(Observer.said, self.part, word)

    def on_stop(self, reason: ExitReason) -> None:
        self.ours.lines.append(f"stop {self.part} {reason.kind}")
        if self.manner == "hangs":
            never = self.ours._held()
            self.ours.hanging.append(never)
            never.acquire()
        elif self.manner == "fails":
            raise ValueError("told to fail")


class Gate(Actor):
    """Starting it lasts as long as it is told to; then it is not there."""

    def __init__(self, gate: Lock, entered: Lock) -> None:
        self.gate, self.entered = gate, entered

    def on_start(self) -> Ignore:
        self.entered.release()
        self.gate.acquire()
        return Ignore()


class Observer(Actor):
    """Hears words and deaths."""

    def __init__(self, ours: Ours) -> None:
        self.ours = ours

    def watch(self, name: str) -> None:
        self.monitor(self.system.handle(Actor, name))

    def hold(self, gate: Lock, entered: Lock) -> None:
        entered.release()
        gate.acquire()

    def said(self, name: str, word: int) -> None:
        if word >= 0:
            self.ours.heard.append(f"{name} {word}")

    def on_down(self, down: Down) -> None:
        kind = "nobody" if down.ref is None else down.reason.kind
        self.ours.heard.append(f"{down.name} down {kind}")


def answer(name: str, verb: str, future: Future[Any] | None) -> str:
    """What a request came to, in a word or a few."""
    if future is None:
        return "dead"
    future.wait()
    try:
        value = future.value()
    except ChildError as refused:
        return refused.code
    except StartError:
        return "start_failed"
    except (ActorDied, NoSuchActor):
        return "dead"
    if verb == "which":
        return which(value, name.startswith("p"))
    if verb == "count":
        return count(value, name.startswith("p"))
    return "ignored" if value is None and verb in {"start", "restart"} else "ok"


def grace(shutdown: Any) -> Any:
    """Milliseconds as `ChildSpec` wants them."""
    named = {"infinity": math.inf, "brutal_kill": BRUTAL_KILL}
    return named[shutdown] if isinstance(shutdown, str) else shutdown / 1000


def which(children: list[tuple[str, Any, str]], pooled: bool) -> str:
    states = [(child, state if isinstance(state, str) else "up") for child, state, _ in children]
    if not pooled:
        return " ".join(f"{child}:{state}" for child, state in states)
    ups = sum(state == "up" for _, state in states)
    return f"{ups} up {sum(state == 'restarting' for _, state in states)} restarting"


def count(counts: dict[str, int], pooled: bool) -> str:
    if pooled:
        return f"{counts['active']} {counts['supervisors'] + counts['workers']}"
    return " ".join(str(counts[key]) for key in ("specs", "active", "supervisors", "workers"))


def quiet(ours: Ours) -> bool:
    """Asks every supervisor; whether none had anything to do."""
    before = len(ours.lines)
    at_rest = True
    for name in ours.groups():
        ref = ours.system.whereis(name)
        if ref is None:
            continue
        future = ref.within(None).call(Supervisor.which_children)
        future.wait()
        try:
            at_rest &= all(state != "restarting" for _, state, _ in future.value())
        except Refusal:
            raise
        except (ActorDied, NoSuchActor):
            ref.join()  # an asker is told before the actor has ended
            at_rest = False
    return at_rest and len(ours.lines) == before
