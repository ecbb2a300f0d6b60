"""supervisor_SUITE: when children are restarted, in which order, and when it gives up.

Each test is named for its case there; the golden traces were recorded on OTP 27.
"""

from __future__ import annotations

import pytest
from stage import Stage

from actors import DynamicSupervisor, Supervisor


@pytest.mark.parametrize("how", ["normal", "shutdown", "crash"])
def test_permanent_normal_shutdown_abnormal(stage: Stage, how: str) -> None:
    """A permanent child is always restarted."""
    stage.supervisor(stage.child("a"))
    before = stage.incarnation("a")
    stage.end("a", how)
    assert stage.children() == {"a": "up"}
    assert stage.incarnation("a") != before


@pytest.mark.parametrize("how", ["normal", "shutdown"])
def test_transient_normal_shutdown(stage: Stage, how: str) -> None:
    """A transient child that ends well is not restarted; its spec stays."""
    stage.supervisor(stage.child("a", restart="transient"))
    stage.end("a", how)
    assert stage.children() == {"a": "down"}


@pytest.mark.parametrize("how", ["crash", "abnormal", "kill"])
def test_transient_abnormal(stage: Stage, how: str) -> None:
    """A transient child that ends badly is restarted."""
    stage.supervisor(stage.child("a", restart="transient"))
    stage.end("a", how)
    assert stage.children() == {"a": "up"}


@pytest.mark.parametrize("how", ["normal", "shutdown", "crash", "kill"])
def test_temporary_normal_shutdown_abnormal(stage: Stage, how: str) -> None:
    """A temporary child is never restarted; its spec goes with it."""
    stage.supervisor(stage.child("a", restart="temporary"))
    stage.end("a", how)
    assert stage.children() == {}


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_temporary_bystander(stage: Stage, strategy: str) -> None:
    """A temporary sibling that a group restart stops does not come back, and hurts nobody."""
    stage.supervisor(stage.child("a"), stage.child("b", restart="temporary"), strategy=strategy)
    stage.end("a")
    assert stage.children() == {"a": "up"}
    assert stage.log.count("start b") == 1


def test_multiple_restarts(stage: Stage) -> None:
    """Restarts that are slow enough go on for ever."""
    if not hasattr(stage.world.system.runtime, "sleep"):
        pytest.skip("needs the virtual clock")
    sup = stage.supervisor(stage.child("a"), intensity=1, period=1.0)
    for _ in range(20):
        stage.end("a")
        stage.world.system.runtime.sleep(1.01)
    assert sup.alive
    assert stage.children() == {"a": "up"}


def test_the_window_is_inclusive(stage: Stage) -> None:
    """A restart exactly `period` seconds ago still counts."""
    if not hasattr(stage.world.system.runtime, "sleep"):
        pytest.skip("needs the virtual clock")
    sup = stage.supervisor(stage.child("a"), intensity=1, period=1.0)
    stage.end("a")
    stage.world.system.runtime.sleep(1.0)
    stage.end("a")
    assert stage.gave_up(sup)


def test_one_for_one(stage: Stage) -> None:
    """Only the dead child changes; one restart too many ends the supervisor."""
    sup = stage.supervisor(stage.child("a"), stage.child("b"), intensity=2)
    b = stage.incarnation("b")
    stage.end("a")
    stage.end("a")
    assert stage.incarnation("b") == b
    assert stage.log == ["start a", "start b", "stop a", "start a", "stop a", "start a"]
    stage.end("a")
    assert stage.gave_up(sup)


def test_one_for_one_escalation(stage: Stage) -> None:
    """A child that cannot restart ends the supervisor and the siblings."""
    sup = stage.supervisor(stage.child("a"), stage.child("b"), intensity=4)
    stage.script["a"] = ["fail"] * 10
    stage.end("a")
    assert stage.gave_up(sup)
    assert stage.log.count("fail a") == 4
    assert stage.incarnation("b") is None


def test_one_for_all(stage: Stage) -> None:
    """All are replaced, in order; a group restart counts once."""
    sup = stage.supervisor(stage.child("a"), stage.child("b"), strategy="one_for_all", intensity=2)
    stage.end("b")
    assert stage.log == ["start a", "start b", "stop b", "stop a", "start a", "start b"]
    stage.end("a")
    assert sup.alive
    stage.end("b")
    assert stage.gave_up(sup)


def test_one_for_all_escalation(stage: Stage) -> None:
    """A sibling that cannot restart ends everything."""
    sup = stage.supervisor(stage.child("a"), stage.child("b"), strategy="one_for_all", intensity=4)
    stage.script["b"] = ["fail"] * 10
    stage.end("a")
    assert stage.gave_up(sup)
    assert stage.incarnation("a") is None


def test_one_for_all_other_child_fails_restart(stage: Stage) -> None:
    """Children that were restarted already are stopped before the next round."""
    stage.supervisor(stage.child("a"), stage.child("b"), stage.child("c"), strategy="one_for_all")
    stage.log.clear()
    stage.script["b"] = ["fail"]
    stage.end("a")
    stage.until(lambda: stage.log[-1] == "start c")
    assert stage.log == [
        *("stop a", "stop c", "stop b"),
        *("start a", "fail b"),
        *("stop a", "start a", "start b", "start c"),
    ]


def test_rest_for_one(stage: Stage) -> None:
    """Those started earlier are left alone, those started later are replaced."""
    stage.supervisor(stage.child("a"), stage.child("b"), stage.child("c"), strategy="rest_for_one")
    a = stage.incarnation("a")
    stage.log.clear()
    stage.end("b")
    assert stage.log == ["stop b", "stop c", "start b", "start c"]
    assert stage.incarnation("a") == a


def test_rest_for_one_escalation(stage: Stage) -> None:
    """A later sibling that cannot restart ends everything."""
    sup = stage.supervisor(stage.child("a"), stage.child("b"), strategy="rest_for_one", intensity=4)
    stage.script["b"] = ["fail"] * 10
    stage.end("a")
    assert stage.gave_up(sup)


def test_rest_for_one_other_child_fails_restart(stage: Stage) -> None:
    """The retry begins at the failing child; earlier restarted ones are kept."""
    stage.supervisor(stage.child("a"), stage.child("b"), stage.child("c"), strategy="rest_for_one")
    stage.log.clear()
    stage.script["b"] = ["fail"]
    stage.end("a")
    stage.until(lambda: stage.log[-1] == "start c")
    assert stage.log == ["stop a", "stop c", "stop b", "start a", "fail b", "start b", "start c"]


# -- the golden traces, recorded on OTP 27 ------------------------------------------------------


@pytest.mark.parametrize("intensity", [0, 1, 3])
def test_trace_the_crash_after_intensity_gives_up(stage: Stage, intensity: int) -> None:
    sup = stage.supervisor(stage.child("a"), intensity=intensity)
    for _ in range(intensity):
        stage.end("a")
        assert sup.alive
    stage.end("a")
    assert stage.gave_up(sup)
    assert stage.log.count("start a") == intensity + 1


def test_trace_failing_starts_count_as_restarts(stage: Stage) -> None:
    sup = stage.supervisor(stage.child("a"), intensity=3)
    stage.script["a"] = ["fail"] * 10
    stage.end("a")
    assert stage.gave_up(sup)
    assert stage.log == ["start a", "stop a", "fail a", "fail a", "fail a"]


def test_trace_one_for_all_of_three(stage: Stage) -> None:
    parts = [stage.child(part) for part in "abc"]
    stage.supervisor(*parts, strategy="one_for_all", intensity=3)
    stage.log.clear()
    stage.end("b")
    assert stage.log == ["stop b", "stop c", "stop a", "start a", "start b", "start c"]


def test_trace_rest_for_one_of_four(stage: Stage) -> None:
    parts = [stage.child(part) for part in "abcd"]
    stage.supervisor(*parts, strategy="rest_for_one", intensity=3)
    stage.log.clear()
    stage.end("b")
    assert stage.log == ["stop b", "stop d", "stop c", "start b", "start c", "start d"]


def test_trace_rest_for_one_with_a_temporary_child(stage: Stage) -> None:
    parts = [
        stage.child(part, restart="temporary" if part == "c" else "permanent") for part in "abcd"
    ]
    stage.supervisor(*parts, strategy="rest_for_one", intensity=3)
    stage.log.clear()
    stage.end("b")
    assert stage.log == ["stop b", "stop d", "stop c", "start b", "start d"]
    assert stage.children() == {"a": "up", "b": "up", "d": "up"}


@pytest.mark.parametrize("restart", ["permanent", "transient"])
def test_trace_a_supervisor_that_gave_up_is_restarted(stage: Stage, restart: str) -> None:
    """The one deviation: OTP leaves the transient one down, because its reason is `shutdown`."""
    inner = stage.group("inner", stage.child("a"), intensity=0, restart=restart)
    stage.supervisor(inner, intensity=3)
    before = stage.incarnation("inner")
    stage.end("a", sup="inner")
    stage.until(lambda: stage.incarnation("inner") not in {before, None})
    assert stage.children() == {"inner": "up"}


def test_trace_a_permanent_child_that_ends_normally_at_intensity_0(stage: Stage) -> None:
    sup = stage.supervisor(stage.child("a"), intensity=0)
    stage.end("a", "normal")
    assert stage.gave_up(sup)


def test_tree(stage: Stage) -> None:
    """A failing worker escalates; static children come back, dynamic ones do not."""
    pool = stage.child("pool", DynamicSupervisor)
    inner = stage.group("inner", stage.child("a"), pool, intensity=1)
    sup = stage.supervisor(inner, intensity=1)
    stage.system.handle(DynamicSupervisor, "pool").ask(
        DynamicSupervisor.start_child, stage.child("d")
    )
    stage.end("a", sup="inner")
    before = stage.incarnation("inner")
    stage.end("a", sup="inner")
    stage.until(lambda: stage.incarnation("inner") not in {before, None})
    stage.until(lambda: stage.incarnation("a") is not None)
    stage.settle("inner")
    assert stage.children("inner") == {"a": "up", "pool": "up"}
    assert stage.children("pool") == {}
    assert stage.children() == {"inner": "up"}
    assert sup.ask(Supervisor.count_children)["active"] == 1
