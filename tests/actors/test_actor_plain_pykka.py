"""A class written for pykka alone, as a supervised child."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pykka
import pytest
from simulated_pykka import pykka_in
from stage import Stage

from actors import (
    Actor,
    ActorDied,
    ChildSpec,
    Down,
    DynamicSupervisor,
    Pool,
    StartError,
    Supervisor,
    System,
    as_pykka,
)
from actors.testing import Simulation, explore


class Plain(pykka.ThreadingActor):
    def __init__(self, log: list[str], name: str = "plain") -> None:
        super().__init__()
        self.log = log
        self.name = name

    def on_start(self) -> None:
        self.log.append(f"start {self.name}")

    def on_stop(self) -> None:
        self.log.append(f"stop {self.name}")

    def on_failure(self, *failure: Any) -> None:
        self.log.append(f"{failure[1]} {self.name}")

    def on_receive(self, message: Any) -> Any:
        if message == "crash":
            raise ValueError("crash")
        if message == "end":
            self.actor_ref.tell("last")
            self.stop()
        if message == "exit":
            raise SystemExit
        self.log.append(str(message))
        return message

    def hold(self, gate: threading.Event) -> None:
        gate.wait(10)


@pytest.fixture(autouse=True)
def nobody_left() -> Iterator[None]:
    yield
    assert pykka.ActorRegistry.get_all() == []


@pytest.fixture(autouse=True)
def pykka_simulated(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where the world is the simulated one, pykka's events and futures are."""
    with ExitStack() as stack:
        if "world" in request.fixturenames:
            runtime = request.getfixturevalue("world").system.runtime
            if isinstance(runtime, Simulation):
                stack.enter_context(pykka_in(runtime))
        yield


def spec(log: list[str], name: str, **options: Any) -> ChildSpec:
    return ChildSpec(name, Plain, (log, name), **options)


def test_plain_children_start_in_order_and_stop_in_reverse_with_their_hooks(stage: Stage) -> None:
    log: list[str] = []
    sup = stage.supervisor(*(spec(log, name) for name in "abc"))
    assert len(pykka.ActorRegistry.get_by_class(Plain)) == 3
    stage.system.stop(sup)
    assert log == ["start a", "start b", "start c", "stop c", "stop b", "stop a"]
    assert pykka.ActorRegistry.get_all() == []


def test_what_ends_a_plain_child_by_pykkas_rules_is_a_crash_and_is_restarted(stage: Stage) -> None:
    log: list[str] = []
    stage.supervisor(spec(log, "a"), spec(log, "b"), strategy="rest_for_one")
    first = stage.system.whereis("a")
    assert first is not None
    old = first.actor_ref
    old.tell("crash")
    assert first.join(10)
    stage.settle()
    assert isinstance(first.reason.error, ValueError)  # type: ignore[union-attr]
    assert log == ["start a", "start b", "crash a", "stop b", "start a", "start b"]
    new = stage.system.handle(Plain, "a").actor_ref
    assert new.ask("hello") == "hello"
    assert new.proxy().name.get() == "a"
    assert not old.is_alive()
    assert len(pykka.ActorRegistry.get_all()) == 2


def test_an_exception_that_the_asker_gets_is_no_crash(stage: Stage) -> None:
    log: list[str] = []
    stage.supervisor(spec(log, "a"))
    ref = stage.system.handle(Plain, "a").actor_ref
    with pytest.raises(ValueError, match="crash"):
        ref.ask("crash")
    assert ref.is_alive()
    assert log == ["start a"]


def test_it_gives_up_after_its_intensity(stage: Stage) -> None:
    log: list[str] = []
    sup = stage.supervisor(spec(log, "a"), intensity=1)
    for _ in range(2):
        ref = stage.system.whereis("a")
        assert ref is not None
        ref.actor_ref.tell("crash")
        assert ref.join(10)
        stage.settle()
    assert stage.gave_up(sup)


@pytest.mark.parametrize("restart", ["permanent", "transient"])
def test_its_own_stop_waits_its_turn_and_is_a_normal_end(stage: Stage, restart: str) -> None:
    log: list[str] = []
    stage.supervisor(spec(log, "a", restart=restart))
    ref = stage.system.whereis("a")
    assert ref is not None
    ref.actor_ref.tell("end")
    assert ref.join(10)
    stage.settle()
    assert ref.reason is not None
    assert ref.reason.kind == "normal"
    assert log[:4] == ["start a", "end", "last", "stop a"]
    assert (stage.system.whereis("a") is None) == (restart == "transient")


def test_a_system_exit_is_a_crash_of_the_one_and_leaves_all_others(stage: Stage) -> None:
    log: list[str] = []
    stage.supervisor(spec(log, "a"), spec(log, "b"))
    first, other = stage.system.whereis("a"), stage.system.whereis("b")
    assert first is not None
    with pytest.raises(pykka.ActorDeadError):
        first.actor_ref.ask("exit")
    assert first.join(10)
    stage.settle()
    assert isinstance(first.reason.error, SystemExit)  # type: ignore[union-attr]
    assert stage.system.whereis("b") == other
    assert log == ["start a", "start b", "stop a", "start a"]


def test_a_start_that_fails_leaves_nothing_and_names_the_cause(stage: Stage) -> None:
    class Unready(Plain):
        def on_start(self) -> None:
            raise OSError("no disk")

    for cls, args in ((Unready, ([],)), (Plain, ())):
        with pytest.raises(StartError) as refused:
            stage.system.spawn(cls, *args, name="unready")
        assert isinstance(refused.value.reason.error, OSError if args else TypeError)
        assert pykka.ActorRegistry.get_all() == []
        assert stage.system.whereis("unready") is None


def test_who_watches_it_hears_of_its_end(stage: Stage) -> None:
    class Watcher(Actor):
        def __init__(self, target: Any) -> None:
            self.downs: list[Down] = []
            self.monitor(target)

        def on_down(self, down: Down) -> None:
            self.downs.append(down)

    ref = stage.system.spawn(Plain, [], name="plain")
    watcher = stage.system.spawn(Watcher, ref)
    ref.actor_ref.tell("crash")
    actor: Any = watcher.cell().actor
    stage.until(lambda: actor.downs)
    assert actor.downs[0].ref == ref
    assert isinstance(actor.downs[0].reason.error, ValueError)


def test_it_takes_the_messages_of_this_package_and_their_rules(stage: Stage) -> None:
    log: list[str] = []
    ref = stage.system.spawn(Plain, log, name="a")
    assert ref.ask(Plain.on_receive, "hello") == "hello"
    ref.tell(Plain.on_receive, "told")
    with pytest.raises(TypeError, match="no method of Plain"):
        ref.ask(Supervisor.count_children)
    with pytest.raises(ActorDied, match="crash"):
        ref.ask(Plain.on_receive, "crash")
    assert log[:3] == ["start plain", "hello", "told"]


def test_a_dynamic_supervisor_takes_plain_children(stage: Stage) -> None:
    sup = stage.dynamic()
    ref = sup.ask(DynamicSupervisor.start_child, spec([], "a"))
    assert ref is not None
    assert ref.actor_ref.ask("hello") == "hello"
    sup.ask(DynamicSupervisor.terminate_child, ref)
    assert not ref.alive


def test_the_workers_of_a_pool_may_be_plain(stage: Stage) -> None:
    pool = stage.system.spawn(Pool, 2, worker=Plain, args=([],))
    assert pool.ask(Pool.send, Plain.on_receive, "hello") == "hello"
    with pytest.raises(ActorDied, match="crash"):
        pool.ask(Pool.send, Plain.on_receive, "crash")
    stage.system.stop(pool)


def test_one_that_does_not_stop_in_its_time_is_killed(
    system: System, eventually: Callable[[Callable[[], object]], None]
) -> None:
    log, gate = list[str](), threading.Event()
    sup = system.spawn(Supervisor, "one_for_one", [spec(log, "a", shutdown=0.05)])
    ref = system.handle(Plain, "a").actor_ref
    holding, waiting = ref.proxy().hold(gate), ref.ask("never", block=False)
    eventually(lambda: system.inspect(system.handle(Plain, "a")).statistics()["mailbox"] == 1)
    assert system.stop(sup)
    assert system.zombies == ["a"]
    for future in (holding, waiting):
        with pytest.raises(pykka.ActorDeadError):
            future.get(timeout=10)
    assert not ref.is_alive()
    gate.set()


def test_the_class_stays_as_it_was_and_what_it_calls_its_attributes_is_its_own(
    system: System,
) -> None:
    class Stubborn(pykka.ThreadingActor):
        ask_timeout = mailbox_policy = "its own"
        mailbox_limit = "none"
        is_supervisor = True

        def __init_subclass__(cls, *, topic: str) -> None:
            subclasses.append(topic)

        def __setattr__(self, name: str, value: object) -> None:
            assert name != "_cell"
            super().__setattr__(name, value)

        def __init__(self, system: str) -> None:
            pykka.ThreadingActor.__init__(self)  # as pykka's documents have it, too
            self.system, self.ref, self.incarnation = system, "ref", None

        @property
        def name(self) -> str:
            return f"name of {self.system}"

        def on_start(self) -> str:  # type: ignore[override]
            return "pykka does not look at this"

        def attach(self) -> None: ...
        def on_idle(self) -> None:
            raise AssertionError

    subclasses: list[str] = []
    before = dict(vars(Stubborn))
    ref = system.spawn(Stubborn, "mine")
    proxy = ref.actor_ref.proxy()
    assert proxy.name.get() == "name of mine"
    assert proxy.ask_timeout.get() != "its own"  # the one word that is ours in a supervised child
    assert system.inspect(ref).state() == {"system": "mine", "ref": "ref", "incarnation": None}
    assert dict(vars(Stubborn)) == before
    assert subclasses == []
    assert isinstance(ref.cell().actor, Stubborn)
    assert Stubborn.start("plainly").stop()
    system.stop(ref)


class Ours(Actor):
    def on_receive(self, message: object) -> object:
        if message == "crash":
            raise ValueError("crash")
        return message


@pytest.mark.parametrize("end", ["stop", "kill", "crash"])
@pytest.mark.parametrize("kind", ["plain", "ours", "started"])
def test_no_ask_of_a_pykka_ref_is_lost_when_its_actor_ends(
    kind: str, end: str, seeds: Sequence[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[object] = set()

    def scenario(sim: Simulation) -> None:
        monkeypatch.setattr(as_pykka, "_system", sim.system)
        with pykka_in(sim):
            answers: list[object] = []
            if kind == "started":
                ref = Ours.start()
            else:
                cls: Any = Ours if kind == "ours" else Plain
                ref = sim.system.spawn(cls, []).actor_ref

            def ask() -> None:
                try:
                    answers.append(ref.ask(7))
                except pykka.ActorDeadError:
                    answers.append("dead")

            for number in range(2):
                sim.start_thread(ask, f"asker-{number}")
            if end == "kill":
                (name,) = sim.system.registry.names()
                sim.system.kill(sim.system.handle(Actor, name))
            elif end == "stop":
                ref.stop(block=False)
            else:
                ref.tell("crash")
            sim.until(lambda: len(answers) == 2)
            sim.until(lambda: not ref.is_alive() and not pykka.ActorRegistry.get_all())
            seen.update(answers)

    explore(scenario, seeds)
    assert seen == {7, "dead"} or len(seeds) < 20


def test_a_plain_class_that_nobody_supervises_stays_plain() -> None:
    ref = Plain.start([])
    assert type(ref.proxy()._actor) is Plain
    assert ref.stop()
