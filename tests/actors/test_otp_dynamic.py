"""simple_one_for_one of supervisor_SUITE, and Elixir's dynamic_supervisor_test."""

from __future__ import annotations

import pytest
from stage import Player, Stage

from actors import (
    Actor,
    ActorRef,
    ChildError,
    ChildSpec,
    DynamicSupervisor,
    ExitReason,
    Refusal,
    SpecError,
    StartError,
    Supervisor,
)


def add(stage: Stage, part: str, **options: object) -> ActorRef[Player] | None:
    sup = stage.system.handle(DynamicSupervisor, "sup")
    return sup.ask(DynamicSupervisor.start_child, stage.child(part, **options))


def test_simple_one_for_one(stage: Stage) -> None:
    """One dynamic child is restarted, the others are left alone; they share the intensity."""
    sup = stage.dynamic(intensity=2)
    add(stage, "a")
    add(stage, "b")
    b = stage.incarnation("b")
    stage.end("a")
    stage.end("a")
    assert stage.incarnation("b") == b
    stage.end("b")
    assert stage.gave_up(sup)


def test_simple_one_for_one_extra_child_is_restarted_with_different_values(stage: Stage) -> None:
    """A restart may hand over information, fail, return junk, or ignore; the counts follow."""
    stage.dynamic(intensity=10)
    ref = add(stage, "a")
    assert ref is not None
    stage.script["a"] = ["info", "fail", "junk", "ok", "ignore"]
    stage.end("a")
    assert stage.counts() == (1, 1, 0, 1)
    stage.end("a")
    stage.until(lambda: stage.log[-1] == "start a")
    stage.settle()
    assert stage.log[-3:] == ["fail a", "junk a", "start a"]
    stage.end("a")
    assert stage.counts() == (0, 0, 0, 0)


def test_simple_one_for_one_escalation(stage: Stage) -> None:
    """A dynamic child that cannot restart ends the supervisor and its siblings."""
    sup = stage.dynamic(intensity=4)
    add(stage, "a")
    add(stage, "b")
    stage.script["a"] = ["fail"] * 10
    stage.end("a")
    assert stage.gave_up(sup)
    assert stage.log.count("fail a") == 4
    assert stage.incarnation("b") is None


def test_simple_one_for_one_restart_ignore(stage: Stage) -> None:
    """A child that ignores its restart is dropped."""
    stage.dynamic()
    add(stage, "a")
    stage.script["a"] = ["ignore"]
    stage.end("a")
    assert stage.children() == {}


def test_can_be_supervised_directly(stage: Stage) -> None:
    stage.supervisor(stage.child("pool", DynamicSupervisor))
    assert stage.counts() == (1, 1, 1, 0)
    assert stage.children("pool") == {}


def test_init_1_set_default_options(stage: Stage) -> None:
    """3 restarts in 5 seconds, no limit of children."""
    sup = stage.dynamic()
    for number in range(50):
        add(stage, f"a{number}")
    for _ in range(3):
        stage.end("a0")
    assert sup.alive
    stage.end("a0")
    assert stage.gave_up(sup)


def test_supports_extra_arguments(stage: Stage) -> None:
    """Arguments that all children share are put first, also at a restart."""
    sup = stage.dynamic(extra_args=(stage,))
    sup.ask(DynamicSupervisor.start_child, ChildSpec("a", Player, ("a",)))
    stage.end("a")
    assert stage.log == ["start a", "stop a", "start a"]


def test_with_invalid_child_spec(stage: Stage) -> None:
    """What is no spec is refused, and the supervisor lives."""
    sup = stage.dynamic()
    for bad in ("junk", 7, None, (Player,)):
        with pytest.raises(SpecError, match="ChildSpec"):
            sup.ask(DynamicSupervisor.start_child, bad)  # type: ignore[arg-type]
    assert sup.alive


@pytest.mark.parametrize("outcome", ["fail", "junk"])
def test_with_different_returns_with_throw_error_exit(stage: Stage, outcome: str) -> None:
    """A start that raises is an error for the asker; the supervisor lives."""
    sup = stage.dynamic()
    stage.script["a"] = [outcome, "info"]
    with pytest.raises(StartError):
        add(stage, "a")
    ref = add(stage, "a")
    assert ref is not None
    assert ref.info == "info of a"
    assert sup.alive


def test_with_max_children(stage: Stage) -> None:
    """Over the limit is refused."""
    stage.dynamic(max_children=0)
    with pytest.raises(ChildError, match="max_children"):
        add(stage, "a")


def test_restarting_children_counted_in_max_children(stage: Stage) -> None:
    """A child that waits for its restart takes a place."""
    stage.dynamic(max_children=1, intensity=10**9)
    add(stage, "a")
    stage.script["a"] = ["fail"] * 1_000_000
    stage.end("a")
    with pytest.raises(ChildError, match="max_children"):
        add(stage, "b")
    assert stage.counts() == (1, 0, 0, 1)


@pytest.mark.parametrize(
    ("restart", "how", "left"),
    [
        ("temporary", "normal", {}),
        ("temporary", "crash", {}),
        ("transient", "normal", {}),
        ("transient", "shutdown", {}),
        ("transient", "crash", {"a": "up"}),
        ("permanent", "normal", {"a": "up"}),
        ("permanent", "crash", {"a": "up"}),
    ],
)
def test_temporary_transient_permanent(
    stage: Stage, restart: str, how: str, left: dict[str, str]
) -> None:
    stage.dynamic()
    add(stage, "a", restart=restart)
    stage.end("a", how)
    assert stage.children() == left


def test_child_is_restarted_when_trying_again(stage: Stage) -> None:
    """One failed attempt, then success."""
    stage.dynamic(intensity=2)
    add(stage, "a")
    stage.script["a"] = ["fail"]
    stage.end("a")
    stage.until(lambda: stage.log[-1] == "start a")
    stage.settle()
    assert stage.children() == {"a": "up"}


def test_child_triggers_maximum_intensity_when_trying_again(stage: Stage) -> None:
    """Failed attempts count."""
    sup = stage.dynamic(intensity=1)
    add(stage, "a")
    stage.script["a"] = ["fail", "fail"]
    stage.end("a")
    assert stage.gave_up(sup)


def test_terminate_child_2_terminates_restarting_child(stage: Stage) -> None:
    """It cancels the pending attempt."""
    sup = stage.dynamic(intensity=10**9)
    ref = add(stage, "a")
    stage.script["a"] = ["fail"] * 1_000_000
    stage.end("a")
    assert ref is not None
    sup.ask(DynamicSupervisor.terminate_child, ref)
    tries = stage.log.count("fail a")
    stage.settle()
    assert stage.children() == {}
    assert stage.log.count("fail a") == tries


def test_a_child_whose_name_is_not_its_id_is_retried_too(stage: Stage) -> None:
    stage.dynamic(intensity=5)
    add(stage, "a", name="the-name")
    stage.script["a"] = ["fail"]
    stage.end("the-name")
    stage.until(lambda: stage.log[-1] == "start a")


# -- supervisor_test ------------------------------------------------------------------------------


def test_child_spec_1_a_class_gives_a_default_spec() -> None:
    """generates child_spec/1; child_spec/2: defaults, each of which can be overridden."""
    spec = ChildSpec("a", Player)
    assert (spec.restart, spec.shutdown, spec.name) == ("permanent", 5.0, "a")
    assert ChildSpec("a", Player, restart="temporary").restart == "temporary"


def test_init_2_strategy_is_required(stage: Stage) -> None:
    with pytest.raises(StartError, match="strategy"):
        stage.system.spawn(Supervisor)


def test_start_link_3_class_based_supervisor(stage: Stage) -> None:
    """A subclass may choose its own children."""

    class Pair(Supervisor):
        def __init__(self, first: str, second: str) -> None:
            super().__init__("one_for_all", [stage.child(first), stage.child(second)])

    stage.system.spawn(Pair, "a", "b", name="sup")
    assert stage.children() == {"a": "up", "b": "up"}


def test_start_link_2_a_named_child_comes_back_with_fresh_state(stage: Stage) -> None:
    class Counter(Actor):
        def __init__(self) -> None:
            self.count = 0

        def add(self) -> int:
            self.count += 1
            if self.count == 2:
                raise Refusal("full")
            return self.count

        def leave(self) -> None:
            self.stop()

    stage.supervisor(stage.child("counter", Counter))
    handle = stage.system.handle(Counter, "counter")
    assert handle.ask(Counter.add) == 1
    ref = stage.system.whereis("counter")
    assert ref is not None
    handle.tell(Counter.leave)
    assert ref.join(5)
    stage.settle()
    assert handle.ask(Counter.add) == 1


def test_a_dead_supervisor_says_what_it_gave_up_on(stage: Stage) -> None:
    sup = stage.supervisor(stage.child("a"), intensity=0)
    stage.end("a")
    assert sup.join(5)
    assert str(sup.reason) == "shutdown(intensity): ValueError: told to crash"
    assert sup.reason == ExitReason("shutdown", "intensity")
