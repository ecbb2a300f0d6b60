"""`Partitions`: several actors for one task; a key leads to the same one, also in its next life."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest
from worlds import World

from actors import Actor, ChildSpec, Partitions, SpecError, Supervisor


class Shelf(Actor):
    def __init__(self, number: int = -1, what: str = "nothing") -> None:
        self.number = number
        self.what = what
        self.kept: list[str] = []

    def keep(self, key: str) -> int:
        self.kept.append(key)
        return self.number

    def all_kept(self) -> list[str]:
        return self.kept

    def crash(self) -> None:
        raise ValueError


def test_each_key_has_one_partition_and_they_share_the_keys(world: World) -> None:
    shelves = Partitions("shelf", Shelf, 4, ("books",), numbered=True)
    world.system.spawn(Supervisor, "one_for_one", shelves.specs())
    keys = [f"key {number}" for number in range(400)]
    for key in keys:
        assert shelves.handle(world.system, key).ask(Shelf.keep, key) == shelves.number(key)
    kept = [handle.ask(Shelf.all_kept) for handle in shelves.handles(world.system)]
    assert sorted(key for some in kept for key in some) == sorted(keys)
    assert all(len(some) > 50 for some in kept)


def test_one_partition_crashes_and_is_restarted_alone(world: World) -> None:
    shelves = Partitions("shelf", Shelf, 3)
    world.system.spawn(Supervisor, "one_for_one", shelves.specs(restart="transient"))
    one = shelves.handle(world.system, 1)
    before = [world.system.whereis(f"shelf-{number}") for number in range(3)]
    one.tell(Shelf.crash)
    world.until(lambda: world.system.whereis("shelf-1") not in (None, before[1]))
    world.until(lambda: one.ask(Shelf.all_kept) == [])
    after = [world.system.whereis(f"shelf-{number}") for number in range(3)]
    assert (after[0], after[2]) == (before[0], before[2])


def test_the_options_are_those_of_every_spec_and_the_number_comes_first() -> None:
    specs = Partitions("p", Shelf, 2, ("x",), numbered=True).specs(restart="temporary", shutdown=1)
    assert specs == [
        ChildSpec(f"p-{number}", Shelf, (number, "x"), restart="temporary", shutdown=1)
        for number in range(2)
    ]


def test_whole_numbers_go_round_and_all_partitions_get_their_share_of_texts() -> None:
    three = Partitions("p", Shelf, 3)
    assert [three.number(key) for key in (-1, 0, 1, 2, 3)] == [2, 0, 1, 2, 0]
    shares = Counter(three.number(f"user-{number}") for number in range(3000))
    assert all(800 < share < 1200 for share in shares.values())
    assert three.number("ä") == three.number("ä".encode())


def test_a_key_leads_to_the_same_partition_in_every_process() -> None:
    program = "from actors import *; print(Partitions('p', Actor, 1000).number('alice'))"
    command = [sys.executable, "-c", program]
    said = {subprocess.run(command, check=True, capture_output=True).stdout for _ in range(2)}
    assert said == {f"{Partitions('p', Actor, 1000).number('alice')}\n".encode()}


@pytest.mark.parametrize("count", [0, -1, True, 2.0, "2"])
def test_a_senseless_count_is_refused(count: object) -> None:
    with pytest.raises(SpecError, match="count is a whole number"):
        Partitions("p", Shelf, count)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", [None, 1.0, ("a",), object()])
def test_a_key_whose_text_may_change_is_refused(key: object) -> None:
    with pytest.raises(TypeError, match="a key is an int, a str or bytes"):
        Partitions("p", Shelf, 2).number(key)  # type: ignore[arg-type]
