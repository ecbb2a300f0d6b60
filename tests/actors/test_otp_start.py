"""supervisor_SUITE: starting, and what is refused. Each test is named for its case there."""

from __future__ import annotations

import itertools
import math

import pytest
from stage import Player, Stage

from actors import (
    BRUTAL_KILL,
    SHUTDOWN,
    Actor,
    ActorRef,
    Backoff,
    ChildError,
    ChildSpec,
    DynamicSupervisor,
    Ignore,
    SpecError,
    StartError,
    StartIgnored,
    Supervisor,
)
from actors.spec import check_child_specs


def test_sup_start_normal(stage: Stage) -> None:
    """It starts with no children and ends with the reason shutdown."""
    sup = stage.supervisor()
    assert stage.children() == {}
    assert stage.system.stop(sup)
    assert sup.reason == SHUTDOWN


def test_sup_start_ignore_init(stage: Stage) -> None:
    """A supervisor may ignore; that is no crash."""

    class Shy(Supervisor):
        def on_start(self) -> Ignore:
            return Ignore()

    with pytest.raises(StartIgnored):
        stage.system.spawn(Shy, "one_for_one", name="sup")
    assert stage.system.events.counts["crashed"] == 0


def test_sup_start_ignore_child(stage: Stage) -> None:
    """A permanent child that ignores keeps its spec and is not active."""
    stage.script["a"] = ["ignore"]
    stage.supervisor(stage.child("a"), stage.child("b"))
    assert stage.children() == {"a": "down", "b": "up"}
    assert stage.counts() == (2, 1, 0, 2)


def test_sup_start_ignore_temporary_child(stage: Stage) -> None:
    """A temporary child of the first list that ignores leaves no spec."""
    stage.script["a"] = ["ignore"]
    stage.supervisor(stage.child("a", restart="temporary"), stage.child("b"))
    assert stage.children() == {"b": "up"}


def test_sup_start_ignore_temporary_child_start_child(stage: Stage) -> None:
    sup = stage.supervisor()
    stage.script["a"] = ["ignore"]
    assert sup.ask(Supervisor.start_child, stage.child("a", restart="temporary")) is None
    assert stage.children() == {}


def test_sup_start_ignore_temporary_child_start_child_simple(stage: Stage) -> None:
    sup = stage.dynamic()
    stage.script["a"] = ["ignore"]
    assert sup.ask(DynamicSupervisor.start_child, stage.child("a", restart="temporary")) is None
    assert stage.children() == {}


def test_sup_start_ignore_permanent_child_start_child_simple(stage: Stage) -> None:
    """A dynamic child that ignores is not kept; the supervisor still stops cleanly."""
    sup = stage.dynamic()
    stage.script["a"] = ["ignore"]
    assert sup.ask(DynamicSupervisor.start_child, stage.child("a")) is None
    assert stage.counts() == (0, 0, 0, 0)
    assert stage.system.stop(sup)


def test_sup_start_error_return(stage: Stage) -> None:
    """An on_start that returns junk is an error, and nothing else happens."""

    class Odd(Supervisor):
        def on_start(self) -> None:
            return "junk"  # type: ignore[return-value]

    with pytest.raises(StartError, match="bad return of on_start: 'junk'"):
        stage.system.spawn(Odd, "one_for_one", name="sup")
    assert stage.system.tree() == []


def test_sup_start_fail(stage: Stage) -> None:
    """An on_start that raises is an error with its reason and its stack."""

    class Broken(Supervisor):
        def on_start(self) -> None:
            raise OSError("no such device")

    with pytest.raises(StartError) as caught:
        stage.system.spawn(Broken, "one_for_one", name="sup")
    assert isinstance(caught.value.reason.error, OSError)
    assert "in on_start" in caught.value.reason.traceback


@pytest.mark.parametrize("outcome", ["fail", "junk"])
def test_sup_start_child_returns_error(stage: Stage, outcome: str) -> None:
    """A start that fails is reported, and nothing is stored."""
    sup = stage.supervisor()
    stage.script["a"] = [outcome]
    with pytest.raises(StartError):
        sup.ask(Supervisor.start_child, stage.child("a"))
    assert stage.children() == {}
    assert stage.system.tree()[0]["children"] == []


def test_sup_start_restart_child_returns_error(stage: Stage) -> None:
    """A restart by hand that fails leaves the spec, and nobody running."""
    sup = stage.supervisor(stage.child("a"))
    sup.ask(Supervisor.terminate_child, "a")
    stage.script["a"] = ["fail"]
    with pytest.raises(StartError):
        sup.ask(Supervisor.restart_child, "a")
    assert stage.children() == {"a": "down"}


@pytest.mark.parametrize("outcome", ["fail", "junk"])
def test_sup_start_child_returns_error_simple(stage: Stage, outcome: str) -> None:
    sup = stage.dynamic()
    stage.script["a"] = [outcome]
    with pytest.raises(StartError):
        sup.ask(DynamicSupervisor.start_child, stage.child("a"))
    assert stage.children() == {}


def test_faulty_application_shutdown(stage: Stage) -> None:
    """A child that fails at boot is the supervisor's start error, with the cause; none is left."""
    stage.script["b"] = ["fail"]
    with pytest.raises(StartError) as caught:
        stage.supervisor(stage.child("a"), stage.child("b"), stage.child("c"))
    assert "b cannot start" in str(caught.value)
    assert stage.log == ["start a", "fail b", "stop a"]
    assert stage.system.tree() == []


def test_sup_start_map(stage: Stage) -> None:
    """Defaults are filled in and can be read back."""
    sup = stage.supervisor(stage.child("a"), stage.group("g"))
    worker = sup.ask(Supervisor.get_childspec, "a")
    group = sup.ask(Supervisor.get_childspec, "g")
    assert (worker.restart, worker.shutdown, worker.type) == ("permanent", 5.0, "worker")
    assert (worker.significant, worker.name, worker.start_timeout) == (False, "a", 30.0)
    assert (group.shutdown, group.type, group.start_timeout) == (math.inf, "supervisor", None)


def test_sup_start_map_simple(stage: Stage) -> None:
    """The spec in effect is read by the child's ref; a stranger is not_found."""
    sup = stage.dynamic()
    ref = sup.ask(DynamicSupervisor.start_child, stage.child("a"))
    assert isinstance(ref, ActorRef)
    assert sup.ask(DynamicSupervisor.get_childspec, ref).id == "a"
    stranger = stage.system.spawn(Player, stage, "x")
    with pytest.raises(ChildError, match="not_found"):
        sup.ask(DynamicSupervisor.get_childspec, stranger)


FAULTY = {
    "id": ["", None, 7],
    "cls": ["Player", None, 7],
    "args": [[1], "x", None],
    "kwargs": [[1], None],
    "restart": ["always", None, True],
    "shutdown": [-2, "brutal", None, True, math.nan],
    "type": ["process", 7],
    "significant": [1, "yes", None],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in FAULTY.items() for value in values]
)
def test_child_specs_sup_start_map_faulty_specs(field: str, value: object) -> None:
    """Each bad field has an error of its own, which names the field."""
    with pytest.raises(SpecError, match=field):
        ChildSpec(**{"id": "a", "cls": Player, field: value})  # type: ignore[arg-type]


def test_check_child_specs() -> None:
    """Specs can be checked without a supervisor."""
    good = ChildSpec("a", Player)
    check_child_specs([good, ChildSpec("b", Player)])
    for bad in ([good, good], "junk", [1], [("a", Player)]):
        with pytest.raises(SpecError):
            check_child_specs(bad)


@pytest.mark.parametrize(
    ("significant", "auto_shutdown", "restart"),
    list(
        itertools.product(
            [False, True],
            ["never", "any_significant", "all_significant"],
            ["permanent", "transient", "temporary"],
        )
    ),
)
def test_child_specs_map(significant: bool, auto_shutdown: str, restart: str) -> None:
    """significant goes with neither `never` nor `permanent`; all else goes together."""
    valid = not significant or (auto_shutdown != "never" and restart != "permanent")

    def check() -> None:
        spec = ChildSpec("a", Player, significant=significant, restart=restart)  # type: ignore[arg-type]
        check_child_specs([spec], auto_shutdown)  # type: ignore[arg-type]

    if valid:
        check()
    else:
        with pytest.raises(SpecError, match="significant"):
            check()


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("strategy", "one_for_some"),
        ("strategy", "simple_one_for_one"),
        ("intensity", -1),
        ("intensity", 1.5),
        ("intensity", None),
        ("period", 0),
        ("period", -1.0),
        ("auto_shutdown", "always"),
    ],
)
def test_sup_flags(stage: Stage, flag: str, value: object) -> None:
    """A bad flag is a start error that names it."""
    flags = {"strategy": "one_for_one", flag: value}
    with pytest.raises(StartError, match=flag) as caught:
        stage.system.spawn(Supervisor, **flags)
    assert isinstance(caught.value.reason.error, SpecError)


@pytest.mark.parametrize("flag", [{"max_children": -1}, {"intensity": -1}, {"period": 0}])
def test_dynamic_start_link_with_non_ok_init(stage: Stage, flag: dict[str, int]) -> None:
    """Elixir: each bad flag of a dynamic supervisor is named."""
    with pytest.raises(StartError, match=next(iter(flag))):
        stage.dynamic(**flag)


def test_extra_return(stage: Stage) -> None:
    """What on_start hands over reaches who started or restarted by hand."""
    sup = stage.supervisor()
    stage.script["a"] = ["info", "info"]
    ref = sup.ask(Supervisor.start_child, stage.child("a"))
    assert ref is not None
    assert ref.info == "info of a"
    sup.ask(Supervisor.terminate_child, "a")
    again = sup.ask(Supervisor.restart_child, "a")
    assert again is not None
    assert again.info == "info of a"


def test_external_start_no_progress_log(stage: Stage) -> None:
    """A start by hand is told as `started`, never as `restarted`."""
    kinds: list[tuple[str, str]] = []
    stage.system.on_event(lambda event: kinds.append((event.kind, event.name)))
    stage.supervisor().ask(Supervisor.start_child, stage.child("a"))
    assert ("started", "a") in kinds
    assert ("restarted", "a") not in kinds


def test_already_started_outside_supervisor(stage: Stage) -> None:
    """The name is taken elsewhere: already_started, and nothing is stored."""
    sup = stage.supervisor()
    stage.system.spawn(Player, stage, "outside", name="a")
    with pytest.raises(StartError, match="already_started"):
        sup.ask(Supervisor.start_child, stage.child("a"))
    assert stage.children() == {}


def test_a_bad_backoff_is_refused_where_it_is_made() -> None:
    for bad in ({"min": 0}, {"min": 2, "max": 1}, {"jitter": 2}):
        with pytest.raises(SpecError, match="backoff"):
            Backoff(**bad)


def test_brutal_kill_and_infinity_are_shutdowns() -> None:
    assert ChildSpec("a", Actor, shutdown=BRUTAL_KILL).shutdown is BRUTAL_KILL
    assert ChildSpec("a", Actor, shutdown=math.inf).shutdown == math.inf
    assert ChildSpec("a", Actor, shutdown=0).shutdown == 0
