"""Topics: many actors under one key; who has ended is in none."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest
from worlds import World

from actors import Actor, ActorRef, ChildSpec, Supervisor, System
from actors.testing import Simulation, explore


class Reader(Actor):
    def __init__(self, *topics: object) -> None:
        self.read: list[int] = []
        for topic in topics:
            self.join_topic(topic)  # type: ignore[arg-type]  # some are not hashable, on purpose

    def news(self, number: int) -> None:
        self.read.append(number)

    def go_out(self, topic: str) -> None:
        self.leave_topic(topic)

    def come_in(self, topic: str) -> None:
        self.join_topic(topic)

    def all_read(self) -> list[int]:
        return self.read

    def crash(self) -> None:
        raise ValueError


class Deaf(Reader):
    mailbox_limit = 0


def test_a_topic_reaches_all_that_are_in_it_in_order(world: World) -> None:
    readers = [world.system.spawn(Reader, "sport", ("any", "key")) for _ in range(3)]
    other = world.system.spawn(Reader, "weather")
    sport = world.system.topic(Reader, "sport")
    assert sport.members() == readers
    assert [sport.tell(Reader.news, number) for number in range(4)] == [3, 3, 3, 3]
    assert [reader.ask(Reader.all_read) for reader in readers] == [[0, 1, 2, 3]] * 3
    assert other.ask(Reader.all_read) == []
    assert len(world.system.topic(Reader, ("any", "key")).members()) == 3


def test_nobody_is_told_of_a_topic_without_members(world: World) -> None:
    assert world.system.topic(Reader, "empty").tell(Reader.news, 1) == 0
    assert world.system.topic(Reader, "empty").members() == []


def test_who_joins_twice_is_told_once_and_who_leaves_is_told_no_more(world: World) -> None:
    reader = world.system.spawn(Reader, "sport", "sport")
    sport = world.system.topic(Reader, "sport")
    assert sport.tell(Reader.news, 1) == 1
    reader.ask(Reader.go_out, "sport")
    reader.ask(Reader.go_out, "sport")
    reader.ask(Reader.go_out, "never joined")
    assert sport.tell(Reader.news, 2) == 0
    reader.ask(Reader.come_in, "sport")
    assert sport.tell(Reader.news, 3) == 1
    assert reader.ask(Reader.all_read) == [1, 3]


def test_a_restarted_actor_is_in_the_topic_once_if_it_joins_at_its_start(world: World) -> None:
    world.system.spawn(Supervisor, "one_for_one", [ChildSpec.of("reader", Reader, "sport")])
    sport = world.system.topic(Reader, "sport")
    before = world.system.whereis("reader")
    sport.tell(Reader.crash)
    world.until(lambda: world.system.whereis("reader") not in (None, before))
    world.until(lambda: sport.members() == [world.system.whereis("reader")])


def test_one_that_takes_nothing_keeps_nothing_from_the_others(world: World) -> None:
    world.system.spawn(Deaf, "sport")
    reader = world.system.spawn(Reader, "sport")
    assert world.system.topic(Reader, "sport").tell(Reader.news, 1) == 2
    assert reader.ask(Reader.all_read) == [1]
    assert world.system.dead_letters["mailbox_full"] == 1


def test_a_topic_is_any_hashable_value_and_another_is_a_crash_of_who_joins(world: World) -> None:
    reader = world.system.spawn(Reader)
    reader.tell(Reader.come_in, ["a", "list"])  # type: ignore[arg-type]
    assert reader.join(5)
    assert reader.reason is not None
    assert isinstance(reader.reason.error, TypeError)


@pytest.mark.slow
def test_whoever_has_ended_is_in_no_topic(seeds: Sequence[int]) -> None:
    """Ends, kills, joins and tells at the same time, in any order."""

    def scenario(sim: Simulation) -> None:
        readers: list[ActorRef[Reader]] = [sim.system.spawn(Reader, "a", "b") for _ in range(3)]
        a = sim.system.topic(Reader, "a")

        def publish() -> None:
            for number in range(3):
                a.tell(Reader.news, number)

        sim.start_thread(lambda: sim.system.kill(readers[0]), "killer")
        sim.start_thread(lambda: readers[0].tell(Reader.come_in, "c"), "joiner")
        sim.start_thread(lambda: readers[1].tell(Reader.crash), "crasher")
        sim.start_thread(publish, "publisher")
        sim.quiet()
        assert a.members() == [readers[2]]
        assert readers[2].ask(Reader.all_read) == [0, 1, 2]
        readers[2].stop()
        sim.quiet()
        assert [sim.system.topic(Reader, key).members() for key in "abc"] == [[], [], []]
        assert not sim.system.registry._topics  # nothing is kept of what nobody is in

    explore(scenario, seeds, lines=True)


@pytest.mark.slow
def test_in_a_forked_child_a_topic_is_empty(system: System) -> None:
    system.spawn(Reader, "sport")
    pid = os.fork()
    if pid == 0:
        os._exit(system.topic(Reader, "sport").tell(Reader.news, 1))
    assert os.waitpid(pid, 0)[1] == 0
