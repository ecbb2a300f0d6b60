"""supervisor_SUITE: adding, removing and counting children. Named for the cases there."""

from __future__ import annotations

import gc
import weakref

import pytest
from stage import Player, Stage

from actors import ActorRef, ChildError, ChildSpec, DynamicSupervisor, Supervisor


def refused(code: str) -> object:
    return pytest.raises(ChildError, match=code)


def test_child_adm(stage: Stage) -> None:
    """The life of a child by hand, with every answer that can be refused."""
    sup = stage.supervisor(stage.child("a"))
    with refused("running"):
        sup.ask(Supervisor.restart_child, "a")
    with refused("running"):
        sup.ask(Supervisor.delete_child, "a")
    with refused("already_started"):
        sup.ask(Supervisor.start_child, stage.child("a"))
    sup.ask(Supervisor.terminate_child, "a")
    sup.ask(Supervisor.terminate_child, "a")  # idempotent
    assert stage.children() == {"a": "down"}
    with refused("already_present"):
        sup.ask(Supervisor.start_child, stage.child("a"))
    assert isinstance(sup.ask(Supervisor.restart_child, "a"), ActorRef)
    assert stage.children() == {"a": "up"}
    sup.ask(Supervisor.terminate_child, "a")
    sup.ask(Supervisor.delete_child, "a")
    assert stage.children() == {}
    for operation in (
        Supervisor.terminate_child,
        Supervisor.restart_child,
        Supervisor.delete_child,
        Supervisor.get_childspec,
    ):
        with refused("not_found"):
            sup.ask(operation, "a")
    assert isinstance(sup.ask(Supervisor.start_child, stage.child("a")), ActorRef)


def test_child_adm_simple(stage: Stage) -> None:
    """A dynamic child is terminated by its ref only once; there is no restart and no delete."""
    sup = stage.dynamic()
    ref = sup.ask(DynamicSupervisor.start_child, stage.child("a"))
    assert isinstance(ref, ActorRef)
    assert not hasattr(DynamicSupervisor, "restart_child")
    assert not hasattr(DynamicSupervisor, "delete_child")
    stranger = stage.system.spawn(Player, stage, "stranger")
    with refused("not_found"):
        sup.ask(DynamicSupervisor.terminate_child, stranger)
    sup.ask(DynamicSupervisor.terminate_child, ref)
    with refused("not_found"):
        sup.ask(DynamicSupervisor.terminate_child, ref)
    assert stage.counts() == (0, 0, 0, 0)


def test_count_children(stage: Stage) -> None:
    """specs, active, supervisors and workers are right in all states."""
    sup = stage.supervisor(stage.child("a"), stage.group("g"), stage.child("b"))
    assert stage.counts() == (3, 3, 1, 2)
    sup.ask(Supervisor.terminate_child, "a")
    assert stage.counts() == (3, 2, 1, 2)
    sup.ask(Supervisor.delete_child, "a")
    assert stage.counts() == (2, 2, 1, 1)


def test_count_children_supervisor(stage: Stage) -> None:
    """A dynamic supervisor of supervisors counts supervisors."""
    sup = stage.dynamic()
    for number in range(3):
        sup.ask(DynamicSupervisor.start_child, stage.group(f"g{number}"))
    assert stage.counts() == (3, 3, 3, 0)


def keep_failing(stage: Stage, part: str) -> None:
    """Makes the child restart and fail, over and over, in a supervisor that does not give up."""
    stage.script[part] = ["fail"] * 1_000_000
    ref = stage.system.whereis(part)
    assert ref is not None
    ref.tell(Player.crash)
    stage.until(lambda: stage.log.count(f"fail {part}") > 3)


def test_count_restarting_children(stage: Stage) -> None:
    """A restarting child is counted, is not active, recovers, and can be removed."""
    stage.supervisor(stage.child("a"), stage.child("b"), intensity=10**9)
    keep_failing(stage, "a")
    assert stage.counts() == (2, 1, 0, 2)
    assert stage.children() == {"a": "restarting", "b": "up"}
    stage.script["a"] = []
    stage.until(lambda: stage.counts() == (2, 2, 0, 2))


def test_hanging_restart_loop(stage: Stage) -> None:
    """While a restart keeps failing, requests are answered and a shutdown works."""
    sup = stage.supervisor(stage.child("a"), intensity=10**9)
    keep_failing(stage, "a")
    with refused("already_present"):
        sup.ask(Supervisor.start_child, stage.child("a"))
    with refused("restarting"):
        sup.ask(Supervisor.restart_child, "a")
    with refused("restarting"):
        sup.ask(Supervisor.delete_child, "a")
    sup.ask(Supervisor.terminate_child, "a")
    assert stage.children() == {"a": "down"}
    sup.ask(Supervisor.delete_child, "a")
    stage.script.clear()
    sup.ask(Supervisor.start_child, stage.child("a"))
    keep_failing(stage, "a")
    assert stage.system.stop(sup)


def test_hanging_restart_loop_rest_for_one(stage: Stage) -> None:
    """Later siblings stay down, and can be started by hand when the loop was cancelled."""
    sup = stage.supervisor(
        *[stage.child(part) for part in "abc"], strategy="rest_for_one", intensity=10**9
    )
    keep_failing(stage, "b")
    assert stage.children() == {"a": "up", "b": "restarting", "c": "down"}
    sup.ask(Supervisor.terminate_child, "b")
    sup.ask(Supervisor.delete_child, "b")
    assert isinstance(sup.ask(Supervisor.restart_child, "c"), ActorRef)
    assert stage.children() == {"a": "up", "c": "up"}


def test_hanging_restart_loop_simple(stage: Stage) -> None:
    """The same in a dynamic supervisor: found by its old ref while it is being restarted."""
    sup = stage.dynamic(intensity=10**9)
    ref = sup.ask(DynamicSupervisor.start_child, stage.child("a"))
    assert isinstance(ref, ActorRef)
    keep_failing(stage, "a")
    assert stage.counts() == (1, 0, 0, 1)
    sup.ask(DynamicSupervisor.terminate_child, ref)
    assert stage.counts() == (0, 0, 0, 0)
    assert stage.system.stop(sup)


class Heavy:
    """Something that one can see being let go."""


@pytest.mark.parametrize("dynamic", [False, True])
def test_do_not_save_start_parameters_for_temporary_children(stage: Stage, dynamic: bool) -> None:
    """simple_one_for_one_corruption too: the arguments of a dead temporary child are let go."""
    sup = stage.dynamic() if dynamic else stage.supervisor()
    heavy = Heavy()
    seen = weakref.ref(heavy)
    start = DynamicSupervisor.start_child if dynamic else Supervisor.start_child
    spec = ChildSpec("a", Player, (stage, "a"), restart="temporary", kwargs={})
    spec = ChildSpec("a", Carrier, (stage, "a", heavy), restart="temporary")
    sup.ask(start, spec)  # type: ignore[arg-type]
    del spec, heavy
    stage.end("a")
    stage.settle()
    stage.until(lambda: gc.collect() is not None and seen() is None)
    assert stage.children() == {}


class Carrier(Player):
    def __init__(self, stage: Stage, part: str, load: Heavy) -> None:
        super().__init__(stage, part)
        self.load = load


@pytest.mark.parametrize("how", ["kill", "normal", "abnormal", "by hand"])
def test_do_not_save_child_specs_for_temporary_children(stage: Stage, how: str) -> None:
    """However a temporary child ends, its spec is gone."""
    sup = stage.supervisor(stage.child("a", restart="temporary"))
    if how == "by hand":
        sup.ask(Supervisor.terminate_child, "a")
    else:
        stage.end("a", how)
    with refused("not_found"):
        sup.ask(Supervisor.get_childspec, "a")
    assert stage.system.tree()[0]["children"] == []


@pytest.mark.parametrize("how", ["kill", "normal", "by hand"])
def test_simple_global_supervisor(stage: Stage, how: str) -> None:
    """A named child comes back under its name, with a fresh state."""
    sup = stage.supervisor(stage.child("a", name="the-name"))
    before = stage.incarnation("the-name")
    if how == "by hand":
        sup.ask(Supervisor.terminate_child, "a")
        assert stage.incarnation("the-name") is None
        sup.ask(Supervisor.restart_child, "a")
    else:
        stage.end("the-name", how)
    assert stage.incarnation("the-name") not in {before, None}
    assert stage.children() == {"a": "up"}
