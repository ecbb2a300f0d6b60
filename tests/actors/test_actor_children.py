"""Children without a name, children that an actor spawned, and what a type checker sees of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from actors import (
    Actor,
    ActorRef,
    ChildSpec,
    DynamicSupervisor,
    ExitReason,
    SpecError,
    Supervisor,
    System,
)
from actors.testing import Simulation, explore


class Worker(Actor):
    def __init__(self, log: list[str] | None = None) -> None:
        self.log = [] if log is None else log

    def crash(self) -> None:
        raise ValueError("told to crash")

    def on_stop(self, reason: ExitReason) -> None:
        self.log.append(f"{self.name} {reason}")


class Boss(Worker):
    def hire(self, name: str | None, *, linked: bool = True) -> ActorRef[Worker]:
        return self.system.spawn(Worker, self.log, name=name, linked=linked)

    def on_stop(self, reason: ExitReason) -> None:
        self.log.append("boss")


def test_ids_of_children_without_a_name_need_only_differ_within_their_supervisor() -> None:
    with Simulation() as sim:
        system = sim.system
        spec = ChildSpec("worker", Worker, name=None)
        sups = [
            system.spawn(Supervisor, "one_for_one", [spec], name=name) for name in ("one", "other")
        ]
        assert system.registry.names() == ["one", "other"]
        [(_, first, _)] = sups[0].ask(Supervisor.which_children)
        assert isinstance(first, ActorRef)
        assert first.name == "one/worker"
        first.tell(Worker.crash)
        sim.quiet()
        [(_, second, _)] = sups[0].ask(Supervisor.which_children)
        assert isinstance(second, ActorRef)
        assert second != first
        [child] = system.tree()[0]["children"]
        assert (child["name"], child["restarts"]) == ("one/worker", 1)
        sups[0].ask(Supervisor.terminate_child, "worker")
        sups[0].ask(Supervisor.delete_child, "worker")
        assert system.tree()[0]["children"] == []


def test_a_pool_takes_any_number_of_children_without_a_name() -> None:
    with Simulation() as sim:
        pool = sim.system.spawn(DynamicSupervisor, name="pool")
        spec = ChildSpec("worker", Worker, name=None)
        refs = [pool.ask(DynamicSupervisor.start_child, spec) for _ in range(3)]
        assert pool.ask(DynamicSupervisor.count_children)["active"] == 3
        assert refs[1] is not None
        pool.ask(DynamicSupervisor.terminate_child, refs[1])
        assert not refs[1].alive
        assert pool.ask(DynamicSupervisor.count_children)["active"] == 2
        assert sim.system.registry.names() == ["pool"]
        sim.system.shutdown()
        assert not any(ref is not None and ref.alive for ref in refs)


def test_a_spawned_actor_ends_with_the_one_that_spawned_it(seeds: Sequence[int]) -> None:
    def scenario(sim: Simulation) -> None:
        log: list[str] = []
        boss = sim.system.spawn(Boss, log, name="boss")
        hired = [boss.ask(Boss.hire, name) for name in ("a", "b")]
        free = boss.ask(Boss.hire, "free", linked=False)
        assert [node["name"] for node in sim.system.tree()] == ["boss", "free"]
        assert [node["name"] for node in sim.system.tree()[0]["children"]] == ["a", "b"]
        hired[0].tell(Worker.crash)
        assert hired[0].join()
        assert [node["name"] for node in sim.system.tree()[0]["children"]] == ["b"]
        boss.tell(Worker.crash)
        assert boss.join()
        assert log[-2:] == ["boss", "b shutdown"]
        assert sim.system.registry.names() == ["free"]
        assert free.alive

    explore(scenario, seeds)


def test_a_spawned_actor_that_does_not_end_is_killed_after_five_seconds() -> None:
    class Stuck(Worker):
        def on_stop(self, reason: ExitReason) -> None:
            lock = self.system.runtime.lock()
            lock.acquire()
            lock.acquire()

    class Unlucky(Worker):
        def hire(self) -> None:
            self.system.spawn(Stuck, name="stuck")

    with Simulation() as sim:
        boss = sim.system.spawn(Unlucky)
        boss.ask(Unlucky.hire)
        boss.stop()
        assert boss.join(60.0)
        assert sim.now == 5.0
        assert sim.system.zombies == ["stuck"]


def test_what_a_failed_start_has_spawned_ends_with_it(system: System) -> None:
    class Failing(Worker):
        def on_start(self) -> None:
            self.system.spawn(Worker, name="helper")
            raise ValueError("not today")

    sup = system.spawn(Supervisor, "one_for_one", [])
    with pytest.raises(Exception, match="not today"):
        sup.ask(Supervisor.start_child, ChildSpec("f", Failing))
    assert system.whereis("helper") is None


def test_a_spec_made_of_a_call_is_the_same_as_one_made_of_parts() -> None:
    spec = ChildSpec.of("a", Worker, log=["x"])
    assert spec == ChildSpec("a", Worker, (), {"log": ["x"]})
    assert replace(spec, restart="transient", name=None).restart == "transient"
    with pytest.raises(SpecError, match="cls"):
        ChildSpec.of("a", int)  # type: ignore[arg-type]


PROGRAM = """
from actors import Actor, ChildSpec, System

class Account(Actor):
    def __init__(self, balance: int, owner: str = "nobody") -> None: ...
    def deposit(self, amount: int) -> int:
        return amount

system = System()
account = system.spawn(Account, 1, owner="me")
account.ask(Account.deposit, 5)
system.spawn(Account, 1, name="a", start_timeout=5.0)
ChildSpec.of("a", Account, 1)
system.spawn(Account, "1")  # wrong
system.spawn(Account)  # wrong
system.spawn(Account, 1, woner="me")  # wrong
ChildSpec.of("a", Account, "1")  # wrong
ChildSpec.of("a", Account)  # wrong
account.ask(Account.deposit, "5")  # wrong
"""


@pytest.mark.slow
def test_a_type_checker_catches_wrong_arguments(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    root = Path(__file__).parents[2]
    found = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent"),
            *(f"--cache-dir={root}/.mypy_cache", "--config-file=", str(tmp_path / "program.py")),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        env={**os.environ, "MYPYPATH": str(root)},
    )
    wrong = {
        number for number, line in enumerate(PROGRAM.splitlines(), 1) if line.endswith("# wrong")
    }
    lines = [line for line in found.stdout.splitlines() if ": error:" in line]
    assert {int(line.split(":")[1]) for line in lines} == wrong, found.stdout + found.stderr
