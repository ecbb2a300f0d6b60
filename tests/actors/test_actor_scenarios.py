"""Moments in which a small mistake in this package would show; `scripts/mutants actors` makes them.

Each runs on the deterministic system, those that need a certain schedule under many of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from stage import Player, Stage

from actors import (
    Actor,
    ActorRef,
    AskCycle,
    Backoff,
    Down,
    DynamicSupervisor,
    ExitReason,
    Handle,
    Promise,
    StartError,
    Supervisor,
)
from actors.process import Process, ProcessExit
from actors.runtime import Lock
from actors.testing import Simulation, explore


class Watcher(Actor):
    def __init__(self) -> None:
        self.told: list[object] = []

    def look_at(self, ref: ActorRef[Actor]) -> None:
        self.monitor(ref)

    def look_at_process(self, process: Process) -> None:
        self.watch(process)

    def on_down(self, down: Down) -> None:
        self.told.append(down)

    def on_process_exit(self, process: Process, how: ProcessExit) -> None:
        self.told.append(how)

    def all_told(self) -> list[object]:
        return self.told


def stage_in(sim: Simulation) -> Stage:
    return Stage(SimpleNamespace(system=sim.system, until=sim.until))


def test_whoever_watches_at_the_moment_of_an_end_is_told_once(seeds: Sequence[int]) -> None:
    def scenario(sim: Simulation) -> None:
        target = sim.system.spawn(Watcher)
        watchers = [sim.system.spawn(Watcher) for _ in range(3)]
        target.stop()
        for watcher in watchers:
            watcher.tell(Watcher.look_at, target)
        sim.quiet()
        assert [len(watcher.ask(Watcher.all_told)) for watcher in watchers] == [1, 1, 1]

    explore(scenario, seeds, lines=True)


def test_whoever_watches_a_process_at_the_moment_of_its_exit_is_told_once(
    seeds: Sequence[int],
) -> None:
    def scenario(sim: Simulation) -> None:
        processes = sim.system.processes
        process = Process(sim, 1, 0, -1, "a process that exits")
        watchers = [sim.system.spawn(Watcher) for _ in range(3)]
        sim.start_thread(lambda: processes._settle(process, ProcessExit(0)), "its watcher")
        for watcher in watchers:
            watcher.tell(Watcher.look_at_process, process)
        sim.quiet()
        assert [watcher.ask(Watcher.all_told) for watcher in watchers] == [[ProcessExit(0)]] * 3

    explore(scenario, seeds, lines=True)


def test_a_restart_that_was_overtaken_by_a_request_does_not_come_any_more() -> None:
    with Simulation() as sim:
        stage = stage_in(sim)
        backoff = Backoff(min=1.0, max=8.0, jitter=0.0, reset_after=1000.0)
        sup = stage.supervisor(stage.child("a", backoff=backoff), intensity=100)
        stage.end("a")  # would come back after 1 s
        sup.ask(Supervisor.terminate_child, "a")
        sup.ask(Supervisor.restart_child, "a")
        sim.sleep(0.5)
        stage.end("a")  # comes back 1 s after this, or later
        sim.sleep(0.9)
        assert stage.children() == {"a": "restarting"}
        sim.sleep(2.0)
        assert stage.children() == {"a": "up"}


def test_the_window_of_restarts_slides_and_has_both_its_ends() -> None:
    with Simulation() as sim:
        stage = stage_in(sim)
        sup = stage.supervisor(stage.child("a"), intensity=2, period=5.0)
        for pause in (0.0, 4.0, 2.0):  # at 0, 4, 6: never three within 5 seconds
            sim.sleep(pause)
            stage.end("a")
        assert stage.children() == {"a": "up"}
        sim.sleep(3.0)
        stage.end("a")  # at 9: that at 4, exactly the period ago, counts
        assert stage.gave_up(sup)


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
def test_children_and_groups_of_a_failed_boot_are_stopped_the_last_started_first(
    strategy: str,
) -> None:
    with Simulation() as sim:
        stage = stage_in(sim)
        stage.script["d"] = ["fail"]
        group = stage.group("g", stage.child("b1"), stage.child("b2"), strategy=strategy)
        children = [stage.child("a"), group, stage.child("c"), stage.child("d"), stage.child("e")]
        with pytest.raises(StartError):
            stage.supervisor(*children, strategy=strategy)
        stops = [line for line in stage.log if line.startswith("stop")]
        assert stops == ["stop c", "stop b2", "stop b1", "stop a"]


@pytest.mark.parametrize("way", ["shutdown", "restart"])
def test_a_group_is_stopped_in_its_place_among_its_siblings(way: str) -> None:
    with Simulation() as sim:
        stage = stage_in(sim)
        group = stage.group("g", stage.child("b"))
        children = [stage.child("x"), stage.child("a"), group, stage.child("c")]
        sup = stage.supervisor(*children, strategy="one_for_all")
        if way == "restart":
            stage.end("x", "kill")
        else:
            sim.system.stop(sup)
        stops = [line for line in stage.log if line.startswith("stop")]
        assert stops[:3] == ["stop c", "stop b", "stop a"]


class Owner(Actor):
    """Looks in `on_stop` who has its name."""

    def __init__(self, found: list[object]) -> None:
        self.found = found

    def on_stop(self, reason: ExitReason) -> None:
        self.found.append(self.system.whereis(self.name))
        with pytest.raises(StartError):
            self.system.spawn(Watcher, name=self.name)


def test_a_name_is_its_owners_until_on_stop_has_returned() -> None:
    with Simulation() as sim:
        found: list[object] = []
        owner = sim.system.spawn(Owner, found, name="owner")
        owner.stop()
        assert owner.join(5)
        assert found == [owner]
        assert sim.system.whereis("owner") is None


class Partner(Actor):
    """Asks the other one while that one asks it."""

    def __init__(self, other: str) -> None:
        self.other: Handle[Partner] = self.system.handle(Partner, other)

    def begin(self) -> str:
        try:
            self.other.ask(Partner.answer)
        except AskCycle:
            return "cycle"
        return "answered"

    def answer(self) -> None:
        pass


def test_of_two_that_ask_each_other_at_once_one_is_told_at_once(seeds: Sequence[int]) -> None:
    def scenario(sim: Simulation) -> None:
        one, two = (sim.system.spawn(Partner, other, name=name) for name, other in ("ab", "ba"))
        answers = [one.call(Partner.begin), two.call(Partner.begin)]
        assert {answer.get() for answer in answers} <= {"answered", "cycle"}
        assert sim.now == 0.0  # nobody waited for a deadline

    explore(scenario, seeds, lines=True)


class Sender(Actor):
    def send(self, gate: Lock, to: ActorRef[Watcher], target: ActorRef[Actor]) -> None:
        gate.acquire()
        to.tell(Watcher.look_at, target)


class Debtor(Actor):
    def owe(self, owed: list[Promise[int]]) -> Promise[int]:
        owed.append(self.promise())
        return owed[0]


def test_of_several_that_answer_at_once_one_is_heard(seeds: Sequence[int]) -> None:
    def scenario(sim: Simulation) -> None:
        owed: list[Promise[int]] = []
        future = sim.system.spawn(Debtor).call(Debtor.owe, owed)
        sim.quiet()
        for number in range(3):
            sim.start_thread(lambda number=number: owed[0].set(number), f"payer {number}")
        sim.quiet()
        assert future.get() in range(3)
        assert sim.system.dead_letters == {"late_reply": 2}

    explore(scenario, seeds, lines=True)


def test_a_killed_incarnation_sends_nothing_any_more() -> None:
    with Simulation() as sim:
        gate = sim.lock()
        gate.acquire()
        sender, heard = sim.system.spawn(Sender), sim.system.spawn(Watcher)
        sender.tell(Sender.send, gate, heard, sender)
        sim.quiet()
        sim.system.kill(sender)
        gate.release()
        sim.quiet()
        assert heard.ask(Watcher.all_told) == []


def test_a_pool_gives_all_its_children_the_same_grace_at_the_same_time() -> None:
    with Simulation() as sim:
        stage = stage_in(sim)
        never = sim.lock()
        never.acquire()
        pool = stage.dynamic()
        for part in "abc":
            pool.ask(DynamicSupervisor.start_child, stage.child(part, shutdown=5.0))
            stage.player(part).tell(Player.hang, never.acquire)
        sim.quiet()
        pool.stop()
        assert pool.join(60)
        assert sim.now == 5.0


class Heir(Actor):
    """Takes the name of another when it hears of that one's end."""

    def __init__(self, target: ActorRef[Actor], found: list[object]) -> None:
        self.target, self.found = target, found

    def on_start(self) -> None:
        self.monitor(self.target)

    def on_down(self, down: Down) -> None:
        self.found.append(self.system.whereis("owner"))


def test_who_hears_of_an_end_finds_the_name_free(seeds: Sequence[int]) -> None:
    def scenario(sim: Simulation) -> None:
        found: list[object] = []
        owner = sim.system.spawn(Watcher, name="owner")
        sim.system.spawn(Heir, owner, found)
        owner.stop()
        sim.quiet()
        assert found == [None]

    explore(scenario, seeds, lines=True)
