"""supervisor_SUITE: significant children and auto_shutdown. Named for the cases there."""

from __future__ import annotations

import pytest
from stage import Stage

from actors import SHUTDOWN, Supervisor


def test_nonsignificant_temporary_nonsignificant_transient(stage: Stage) -> None:
    """Children that are not significant never end their supervisor."""
    sup = stage.supervisor(
        stage.child("a", restart="temporary"),
        stage.child("b", restart="transient"),
        auto_shutdown="any_significant",
    )
    stage.end("a")
    stage.end("b", "normal")
    assert sup.alive


@pytest.mark.parametrize("how", ["normal", "crash", "kill"])
def test_significant_temporary_any(stage: Stage, how: str) -> None:
    """Any own end of a significant temporary child ends it under any_significant."""
    sup = stage.supervisor(
        stage.child("a", restart="temporary", significant=True),
        stage.child("b"),
        auto_shutdown="any_significant",
    )
    stage.end("a", how)
    assert sup.join(5)
    assert sup.reason == SHUTDOWN
    assert stage.log[-1] == "stop b"


def test_significant_temporary_all(stage: Stage) -> None:
    """Under all_significant the last one counts."""
    sup = stage.supervisor(
        stage.child("a", restart="temporary", significant=True),
        stage.child("b", restart="temporary", significant=True),
        auto_shutdown="all_significant",
    )
    stage.end("a")
    assert sup.alive
    stage.end("b")
    assert sup.join(5)
    assert sup.reason == SHUTDOWN


def test_significant_temporary_terminated_by_hand(stage: Stage) -> None:
    """terminate_child does not count as the child's own end."""
    sup = stage.supervisor(
        stage.child("a", restart="temporary", significant=True), auto_shutdown="any_significant"
    )
    sup.ask(Supervisor.terminate_child, "a")
    assert sup.alive


@pytest.mark.parametrize("auto_shutdown", ["any_significant", "all_significant"])
def test_significant_transient(stage: Stage, auto_shutdown: str) -> None:
    """A significant transient child is restarted after a crash; its normal end counts."""
    sup = stage.supervisor(
        stage.child("a", restart="transient", significant=True), auto_shutdown=auto_shutdown
    )
    stage.end("a")
    assert stage.children() == {"a": "up"}
    stage.end("a", "normal")
    assert sup.join(5)
    assert sup.reason == SHUTDOWN


def test_significant_simple(stage: Stage) -> None:
    """A dynamic supervisor has no auto_shutdown, and takes no significant child."""
    from actors import DynamicSupervisor, SpecError, StartError

    with pytest.raises(StartError, match="auto_shutdown"):
        stage.dynamic(auto_shutdown="any_significant")
    sup = stage.dynamic()
    spec = stage.child("a", restart="transient", significant=True)
    with pytest.raises(SpecError, match="significant"):
        sup.ask(DynamicSupervisor.start_child, spec)
    assert sup.alive


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
@pytest.mark.parametrize("auto_shutdown", ["any_significant", "all_significant"])
def test_significant_bystander(stage: Stage, strategy: str, auto_shutdown: str) -> None:
    """A significant child that a sibling's restart stops does not end the supervisor."""
    sup = stage.supervisor(
        stage.child("a"),
        stage.child("b", restart="temporary", significant=True),
        stage.child("c", restart="transient", significant=True),
        strategy=strategy,
        auto_shutdown=auto_shutdown,
    )
    stage.end("a")
    assert sup.alive
    assert stage.children() == {"a": "up", "c": "up"}


@pytest.mark.parametrize("significant", [True, False])
def test_significant_escalation(stage: Stage, significant: bool) -> None:
    """The auto shutdown of a child supervisor counts above it only if that is significant."""
    inner = stage.group(
        "inner",
        stage.child("a", restart="transient", significant=True),
        auto_shutdown="any_significant",
        restart="transient",
        significant=significant,
    )
    sup = stage.supervisor(inner, stage.child("b"), auto_shutdown="any_significant")
    ref = stage.system.whereis("inner")
    assert ref is not None
    stage.end("a", "normal", sup="inner")
    assert ref.join(5)
    stage.settle()
    if significant:
        assert sup.join(5)
        assert sup.reason == SHUTDOWN
    else:
        assert stage.children() == {"inner": "down", "b": "up"}
