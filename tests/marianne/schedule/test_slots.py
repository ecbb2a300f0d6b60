"""Scripts take processors, agents have slots of their own, and shares are fair within a kind."""

from __future__ import annotations

import math
from typing import Any

import pytest

from marianne.schedule.queue import SheetInfo, SheetQueue

SCRIPT, AGENT = "shell", "claude"


def sheets(job_id: str, *cpus: float, pool: str = SCRIPT, **more: Any) -> list[SheetInfo]:
    return [
        SheetInfo(job_id, num, backend_type=pool, cpus=each, **more)
        for num, each in enumerate(cpus, 1)
    ]


def drain(queue: SheetQueue) -> list[tuple[str, int]]:
    granted = []
    while (entry := queue.grant(0.0)) is not None:
        granted.append((entry.info.job_id, entry.info.sheet_num))
    return granted


def test_agents_and_scripts_do_not_take_each_others_slots() -> None:
    queue = SheetQueue(2, agents=3)
    queue.register("s", sheets("s", *[1.0] * 5))
    queue.register("a", sheets("a", *[1.0] * 5, pool=AGENT), agents=[AGENT])
    assert sorted(drain(queue)) == [("a", 1), ("a", 2), ("a", 3), ("s", 1), ("s", 2)]
    assert queue.explain("s", 3).text == "all 2 slots are taken"
    assert queue.explain("a", 4).text == "all 3 slots for agents are taken"


def test_the_share_is_of_the_kind_and_not_of_all() -> None:
    queue = SheetQueue(4, agents=20)
    queue.register("first", sheets("first", *[1.0] * 9))
    queue.register("second", sheets("second", *[1.0] * 9))
    queue.register("agents", sheets("agents", *[1.0] * 9, pool=AGENT), agents=[AGENT])
    granted = drain(queue)
    assert [sum(who == name for who, _ in granted) for name in ("first", "second")] == [2, 2]
    assert sum(who == "agents" for who, _ in granted) == 9


def test_a_job_of_both_kinds_competes_in_both() -> None:
    queue = SheetQueue(4, agents=4)
    both = [*sheets("both", *[1.0] * 4), *sheets("both", *[1.0] * 8, pool=AGENT)[4:]]
    queue.register("both", both, agents=[AGENT])
    queue.register("other", sheets("other", *[1.0] * 4))
    assert sum(who == "both" for who, _ in drain(queue)) == 2 + 4


def test_a_sheet_takes_as_many_processors_as_it_says() -> None:
    queue = SheetQueue(4)
    queue.register("a", sheets("a", 3.0, 2.0, 1.0))
    assert drain(queue) == [("a", 1)]
    assert queue.explain("a", 2).text == "it takes 2 cpus, and 1 of 4 are free"
    queue.complete("a", 1, True)
    assert drain(queue) == [("a", 2), ("a", 3)]


def test_nothing_smaller_goes_past_the_most_urgent_one_that_needs_room() -> None:
    queue = SheetQueue(4)
    queue.register("wide", sheets("wide", 4.0, job_priority=1))
    queue.register("small", sheets("small", *[1.0] * 20))
    queue.grant(0.0)
    assert queue.slots("wide") == 1
    queue.register("next", sheets("next", 4.0, job_priority=1))
    queue.complete("wide", 1, True)
    assert drain(queue) == [("next", 1)]


def test_what_takes_more_than_there_is_runs_alone() -> None:
    queue = SheetQueue(2)
    queue.register("a", sheets("a", 8.0, 1.0))
    assert drain(queue) == [("a", 1)]
    queue.complete("a", 1, True)
    assert drain(queue) == [("a", 2)]


@pytest.mark.parametrize(("each", "at_once"), [(0.1, 20), (0.5, 4), (0.3, 6)])
def test_many_that_take_little_run_at_once(each: float, at_once: int) -> None:
    queue = SheetQueue(2)
    queue.register("a", sheets("a", *[each] * 100))
    for _ in range(3):
        granted = drain(queue)
        assert len(granted) == at_once
        for _, num in granted:
            queue.release("a", num)


def test_nothing_is_left_over_of_fractions() -> None:
    queue = SheetQueue(1)
    queue.register("a", sheets("a", *[0.1] * 100, 1.0))
    for _ in range(100):
        entry = queue.grant(0.0)
        assert entry is not None
        queue.complete("a", entry.info.sheet_num, True)
    assert drain(queue) == [("a", 101)]


@pytest.mark.parametrize("cpus", [0.0, 1e-9, -1.0, math.nan, math.inf, 1e300])
def test_whatever_a_sheet_says_that_it_takes_it_is_granted_and_gives_it_back(cpus: float) -> None:
    queue = SheetQueue(2)
    queue.register("a", sheets("a", *[cpus] * 5))
    done: list[int] = []
    while granted := drain(queue):
        for _, num in granted:
            queue.complete("a", num, True)
            done.append(num)
    assert sorted(done) == [1, 2, 3, 4, 5]
    queue.register("b", sheets("b", 1.0, 1.0, 1.0))
    assert drain(queue) == [("b", 1), ("b", 2)]


def test_a_slot_is_not_lent_to_who_takes_more() -> None:
    queue = SheetQueue(2)
    queue.register("a", sheets("a", 1.0, 1.0, 1.0, 2.0, 1.0))
    assert len(drain(queue)) == 2
    assert [entry.info.sheet_num for entry in queue.lending.take("a", 9)] == [3]


def test_a_pool_that_turns_out_to_be_an_agents_gives_the_processors_back() -> None:
    queue = SheetQueue(2, agents=2)
    queue.register("a", sheets("a", 1.0, 1.0, pool=AGENT))
    assert len(drain(queue)) == 2
    queue.register("b", sheets("b", 1.0, 1.0, pool=AGENT), agents=[AGENT])
    assert drain(queue) == []
    queue.register("c", sheets("c", 1.0, 1.0))
    assert drain(queue) == [("c", 1), ("c", 2)]
    for num in (1, 2):
        queue.complete("a", num, True)
    assert drain(queue) == [("b", 1), ("b", 2)]


def test_a_limit_that_is_changed_holds_from_then_on() -> None:
    queue = SheetQueue(2, agents=1)
    queue.register("s", sheets("s", *[1.0] * 5))
    queue.register("a", sheets("a", *[1.0] * 5, pool=AGENT), agents=[AGENT])
    drain(queue)
    queue.limit_slots(3, 3)
    assert sorted(drain(queue)) == [("a", 2), ("a", 3), ("s", 3)]
