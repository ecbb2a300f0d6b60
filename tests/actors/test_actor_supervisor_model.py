"""Random histories: the real Supervisor, on the deterministic system, agrees with the model."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from otp_model import Model, Row
from stage import Stage

from actors import ActorRef, ChildError, ChildSpec, StartError, Supervisor
from actors.testing import Preemptions, Simulation
from actors.testing.hypothesis import schedules

HISTORIES = int(os.environ.get("ACTORS_HISTORIES", "150"))
PARTS = "abcd"

parts = st.sampled_from(PARTS)
outcomes = st.sampled_from(["fail", "ignore", "ok", "junk"])
steps = st.one_of(
    st.tuples(st.just("died"), parts, st.sampled_from(["crash", "normal", "shutdown", "kill"])),
    st.tuples(st.sampled_from(["terminate", "restart", "delete"]), parts),
    st.tuples(st.just("start"), parts, st.sampled_from(["permanent", "transient", "temporary"])),
    st.tuples(st.just("script"), parts, st.lists(outcomes)),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 1.0, 4.0, 5.0, 6.0])),
)
children = st.tuples(st.sampled_from(["permanent", "transient", "temporary"]), st.booleans())
flags = st.fixed_dictionaries(
    {
        "strategy": st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"]),
        "intensity": st.integers(0, 4),
        "period": st.sampled_from([1.0, 5.0]),
        "auto_shutdown": st.sampled_from(["never", "any_significant", "all_significant"]),
    }
)


def significant(restart: str, wanted: bool, auto_shutdown: str) -> bool:
    return wanted and restart != "permanent" and auto_shutdown != "never"


def answer(operation: Callable[[], object]) -> str:
    try:
        operation()
    except ChildError as refused:
        return refused.code
    except StartError:
        return "start_failed"
    return "ok"


@pytest.mark.slow
@settings(max_examples=HISTORIES, deadline=None)
@given(
    flags,
    st.lists(children, min_size=1, max_size=4),
    st.dictionaries(parts, st.lists(st.sampled_from(["ok", "ignore", "fail"]), max_size=2)),
    st.lists(steps, max_size=25),
    schedules(max_switches=10),
)
def test_supervisor_agrees_with_the_model(
    flags: dict[str, Any],
    first: list[tuple[str, bool]],
    script: dict[str, list[str]],
    history: list[tuple[Any, ...]],
    policy: Preemptions,
) -> None:
    auto = flags["auto_shutdown"]
    rows = [
        Row(part, restart, significant(restart, wanted, auto))
        for part, (restart, wanted) in zip(PARTS, first, strict=False)
    ]
    model = Model(
        rows=list(rows), script={part: list(todo) for part, todo in script.items()}, **flags
    )
    with Simulation(policy=policy) as sim:
        stage = Stage(SimpleNamespace(system=sim.system, until=sim.until))
        stage.script = {part: list(todo) for part, todo in script.items()}
        specs = [
            stage.child(row.id, restart=row.restart, significant=row.significant) for row in rows
        ]
        model.boot()
        try:
            sup = stage.supervisor(*specs, **flags)
        except StartError:
            assert model.ended == "start_failed"
            assert stage.log == model.log
            return
        for step in history:
            compare(stage, sup, model)
            if model.ended:
                break
            play(sim, stage, sup, model, step)
            sim.quiet()
        compare(stage, sup, model)
        if not model.ended:
            model.finish("shutdown")
            sim.system.stop(sup)
            compare(stage, sup, model)


def play(
    sim: Simulation, stage: Stage, sup: ActorRef[Supervisor], model: Model, step: tuple[Any, ...]
) -> None:
    """The same step in both."""
    match step:
        case ("died", part, how):
            row = model.row(part)
            if row is not None and row.state == "up":
                model.died(part, how, sim.now)
                stage.end(part, how)
        case ("terminate", part):
            operation = lambda: sup.ask(Supervisor.terminate_child, part)  # noqa: E731
            assert answer(operation) == model.terminate(part)
        case ("restart", part):
            operation = lambda: sup.ask(Supervisor.restart_child, part)  # noqa: E731
            assert answer(operation) == model.restart_child(part)
        case ("delete", part):
            operation = lambda: sup.ask(Supervisor.delete_child, part)  # noqa: E731
            assert answer(operation) == model.delete(part)
        case ("start", part, restart):
            spec: ChildSpec = stage.child(part, restart=restart)
            operation = lambda: sup.ask(Supervisor.start_child, spec)  # noqa: E731
            assert answer(operation) == model.start(Row(part, restart, False))
        case ("script", part, outcomes):
            stage.script[part] = list(outcomes)
            model.script[part] = list(outcomes)
        case ("wait", seconds):
            sim.sleep(seconds)


def compare(stage: Stage, sup: ActorRef[Supervisor], model: Model) -> None:
    assert stage.log == model.log
    if model.ended:
        assert sup.join(5)
        assert str(sup.reason).partition(":")[0] == model.ended
    else:
        assert stage.children() == {row.id: row.state for row in model.rows}
