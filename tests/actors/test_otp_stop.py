"""supervisor_SUITE and dynamic_supervisor_test: stopping children. Named for the cases there."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator

import pytest
from stage import REASONS, Player, Stage

from actors import (
    BRUTAL_KILL,
    SHUTDOWN,
    ActorRef,
    DynamicSupervisor,
    ExitReason,
    Supervisor,
)


class Clumsy(Player):
    """Ends in its own way when it is told to stop."""

    def on_stop(self, reason: ExitReason) -> None:
        super().on_stop(reason)
        raise RuntimeError("clumsy")


class Stuck(Player):
    """Is in a handler that does not return until the test lets it."""

    def hang(self, until: object) -> None:
        self.stage.log.append(f"hang {self.part}")
        until()  # type: ignore[operator]


@pytest.fixture
def gate(stage: Stage) -> Iterator[threading.Event | object]:
    """A handler that waits: for real time to pass, or for virtual time."""
    if hasattr(stage.system.runtime, "sleep"):
        yield lambda: stage.system.runtime.sleep(1e6)  # type: ignore[attr-defined]
        return
    event = threading.Event()
    yield event.wait
    event.set()


def hang(stage: Stage, part: str, gate: object) -> ActorRef[Stuck]:
    ref = stage.system.whereis(part)
    assert ref is not None
    ref.tell(Stuck.hang, gate)  # type: ignore[arg-type]
    stage.until(lambda: f"hang {part}" in stage.log)
    return ref


def test_sup_stop_infinity(stage: Stage) -> None:
    """Worker and supervisor may have all the time they want; both end with shutdown."""
    sup = stage.supervisor(stage.child("a", shutdown=math.inf), stage.group("g"))
    refs = [stage.system.whereis("a"), stage.system.whereis("g")]
    assert stage.system.stop(sup)
    assert [ref.reason for ref in refs if ref is not None] == [SHUTDOWN, SHUTDOWN]


def test_sup_stop_timeout(stage: Stage, gate: object) -> None:
    """A busy child is killed after its timeout; its idle sibling ends by itself."""
    sup = stage.supervisor(stage.child("a", shutdown=30.0), stage.child("b", Stuck, shutdown=0.05))
    idle = stage.system.whereis("a")
    busy = hang(stage, "b", gate)
    assert stage.system.stop(sup)
    assert idle is not None
    assert (idle.reason, busy.reason) == (SHUTDOWN, ExitReason("killed"))
    assert stage.system.zombies == ["b"]


def test_sup_stop_timeout_dynamic(stage: Stage, gate: object) -> None:
    sup = stage.dynamic()
    sup.ask(DynamicSupervisor.start_child, stage.child("a", shutdown=30.0))
    sup.ask(DynamicSupervisor.start_child, stage.child("b", Stuck, shutdown=0.05))
    idle = stage.system.whereis("a")
    busy = hang(stage, "b", gate)
    assert stage.system.stop(sup)
    assert idle is not None
    assert (idle.reason, busy.reason) == (SHUTDOWN, ExitReason("killed"))


def test_sup_stop_brutal_kill(stage: Stage) -> None:
    """A child with brutal_kill sees no shutdown phase."""
    sup = stage.supervisor(stage.child("a", shutdown=BRUTAL_KILL))
    ref = stage.system.whereis("a")
    assert stage.system.stop(sup)
    assert ref is not None
    assert ref.reason == ExitReason("killed")
    assert stage.log == ["start a"]


def test_sup_stop_brutal_kill_dynamic(stage: Stage) -> None:
    """Ten of them are all reported killed."""
    sup = stage.dynamic()
    refs = [
        sup.ask(DynamicSupervisor.start_child, stage.child(f"a{number}", shutdown=BRUTAL_KILL))
        for number in range(10)
    ]
    assert stage.system.stop(sup)
    assert {ref.reason for ref in refs if ref is not None} == {ExitReason("killed")}


@pytest.mark.parametrize("how", ["normal", "shutdown", "abnormal"])
def test_sup_stop_race(stage: Stage, how: str) -> None:
    """Children that end by themselves during the shutdown do not break it."""
    sup = stage.supervisor(*[stage.child(part) for part in "abc"])
    for part in "abc":
        stage.player(part).tell(Player.end, REASONS[how])
    assert stage.system.stop(sup)
    assert stage.system.whereis("a") is None
    assert stage.system.tree() == []


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
def test_sup_stop_non_shutdown_exit_dynamic(stage: Stage, restart: str) -> None:
    """Children that fail while they stop are reported; all end."""
    errors: list[str] = []
    stage.system.on_event(
        lambda event: errors.append(event.name) if event.kind == "shutdown_error" else None
    )
    sup = stage.dynamic()
    for part in "ab":
        sup.ask(DynamicSupervisor.start_child, stage.child(part, Clumsy, restart=restart))
    assert stage.system.stop(sup)
    assert sorted(errors) == ["a", "b"]
    assert stage.system.tree() == []


def test_order_of_children(stage: Stage) -> None:
    """Started in the given order, stopped in reverse, also at a group restart."""
    sup = stage.supervisor(*[stage.child(part) for part in "abc"], strategy="one_for_all")
    stage.end("a")
    assert stage.system.stop(sup)
    assert stage.log == [
        *("start a", "start b", "start c"),
        *("stop a", "stop c", "stop b"),
        *("start a", "start b", "start c"),
        *("stop c", "stop b", "stop a"),
    ]


def test_child_unlink(stage: Stage) -> None:
    """A child that stops watching and being watched cannot hang its supervisor's terminate."""
    sup = stage.supervisor(stage.child("a"))
    ref = stage.system.whereis("a")
    assert ref is not None
    ref.cell().monitors.clear()
    sup.ask(Supervisor.terminate_child, "a")
    assert ref.reason == SHUTDOWN


def test_simple_one_for_one_shutdown(stage: Stage, gate: object) -> None:
    """Dynamic children are stopped at the same time: it takes as long as the slowest."""
    clock = stage.system.runtime.monotonic
    sup = stage.dynamic()
    for number in range(10):
        sup.ask(DynamicSupervisor.start_child, stage.child(f"a{number}", Stuck, shutdown=0.2))
        hang(stage, f"a{number}", gate)
    begun = clock()
    assert stage.system.stop(sup, timeout=None)
    taken = clock() - begun
    assert taken > 0.19
    if stage.system.name == "simulated":  # the machine's own time is as it likes
        assert taken < 0.21


@pytest.mark.parametrize(
    ("options", "how", "expected"),
    [
        ({"shutdown": BRUTAL_KILL}, "obey", "killed"),
        ({"shutdown": math.inf}, "obey", "shutdown"),
        ({"shutdown": math.inf}, "fail", "error"),
        ({"shutdown": 5.0}, "obey", "shutdown"),
        ({"shutdown": 5.0}, "fail", "error"),
        ({"shutdown": 0.01}, "hang", "killed"),
        ({"restart": "permanent"}, "normal", "normal"),
    ],
)
def test_dynamic_terminate_2(
    stage: Stage, options: dict[str, object], how: str, expected: str, gate: object
) -> None:
    """Elixir terminate/2: what watchers see for each kind of shutdown (eight cases, mixed too)."""
    sup = stage.dynamic()
    cls = {"fail": Clumsy, "hang": Stuck}.get(how, Player)
    sup.ask(DynamicSupervisor.start_child, stage.child("other"))
    ref = sup.ask(DynamicSupervisor.start_child, stage.child("a", cls, **options))
    assert ref is not None
    if how == "hang":
        hang(stage, "a", gate)
    if how == "normal":
        ref.stop(REASONS["normal"])
    assert stage.system.stop(sup, timeout=None)
    assert ref.reason is not None
    assert ref.reason.kind == expected


def test_dynamic_terminate_child_2(stage: Stage, gate: object) -> None:
    """Elixir terminate_child/2: the watcher sees it; the second call is not_found."""
    from actors import ChildError

    sup = stage.dynamic()
    for part, shutdown in (("a", BRUTAL_KILL), ("b", 5.0)):
        ref = sup.ask(DynamicSupervisor.start_child, stage.child(part, shutdown=shutdown))
        assert isinstance(ref, ActorRef)
        sup.ask(DynamicSupervisor.terminate_child, ref)
        assert ref.reason is not None
        assert ref.reason.kind == ("killed" if part == "a" else "shutdown")
        with pytest.raises(ChildError, match="not_found"):
            sup.ask(DynamicSupervisor.terminate_child, ref)


def test_brutal_kill_of_a_stuck_handler_frees_its_name_and_is_counted(
    stage: Stage, gate: object
) -> None:
    sup = stage.supervisor(stage.child("a", Stuck, shutdown=BRUTAL_KILL))
    stuck = hang(stage, "a", gate)
    sup.ask(Supervisor.terminate_child, "a")
    assert stage.system.whereis("a") is None
    assert stage.system.zombies == ["a"]
    again = sup.ask(Supervisor.restart_child, "a")
    assert again is not None
    assert again.incarnation > stuck.incarnation


def test_a_supervisor_that_is_killed_takes_its_children_along(stage: Stage) -> None:
    sup = stage.supervisor(stage.child("a"), stage.group("g", stage.child("b")))
    refs = [stage.system.whereis(part) for part in ("a", "g", "b")]
    stage.system.kill(sup)
    kinds = [ref.reason.kind for ref in refs if ref is not None and ref.reason is not None]
    assert kinds == ["killed", "killed", "shutdown"]
    assert stage.system.registry.names() == []


def test_start_child_with_valid_child_spec_shutdown_0_and_1_ms(stage: Stage, gate: object) -> None:
    """Elixir: shutdown 0 and 1 ms are accepted and enforced."""
    sup = stage.supervisor()
    for part, shutdown in (("a", 0), ("b", 0.001)):
        sup.ask(Supervisor.start_child, stage.child(part, Stuck, shutdown=shutdown))
        ref = hang(stage, part, gate)
        sup.ask(Supervisor.terminate_child, part)
        assert ref.reason == ExitReason("killed")
