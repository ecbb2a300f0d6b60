"""Sheets whose slots are another executor's: each executor has slots of its own, scripts and agents
of each too, and what holds for jobs and instruments holds over all of them."""

from __future__ import annotations

from typing import Any

from marianne.schedule.queue import SheetInfo, SheetQueue

CLUSTER = "cluster"


def info(num: int, where: str = CLUSTER, job_id: str = "a", **more: Any) -> SheetInfo:
    return SheetInfo(job_id, num, backend_type="shell", where=where, **more)


def drain(queue: SheetQueue) -> list[int]:
    granted = []
    while (entry := queue.grant(0.0)) is not None:
        granted.append(entry.info.sheet_num)
    return granted


def test_slots_there_and_here_are_taken_apart() -> None:
    queue = SheetQueue(1, 1)
    queue.limit_elsewhere(CLUSTER, 2, 2)
    queue.register("a", [info(num, "" if num > 4 else CLUSTER) for num in range(1, 9)])
    assert sorted(drain(queue)) == [1, 2, 5]
    queue.release("a", 5)
    assert drain(queue) == [6]
    queue.release("a", 1)
    assert drain(queue) == [3]


def test_an_executor_that_is_not_known_has_no_slots_and_holds_nobody_up() -> None:
    queue = SheetQueue(4, 4)
    queue.register("a", [info(1, "gone"), info(2, ""), info(3, CLUSTER)])
    assert drain(queue) == [2]
    found = queue.explain("a", 1)
    assert (found.code, found.data["executor"]) == ("total_limit", "gone")
    queue.limit_elsewhere("gone", 1, 1)
    assert drain(queue) == [1]


def test_a_slot_that_was_taken_there_is_given_back_there() -> None:
    queue = SheetQueue(1, 1)
    queue.limit_elsewhere(CLUSTER, 1, 1)
    queue.register("a", [info(1), info(2), info(3, "")], running=[1])
    assert drain(queue) == [3]
    queue.forget("a")
    queue.register("b", [info(1, job_id="b"), info(2, "", "b"), info(3, "", "b")])
    assert sorted(drain(queue)) == [1, 2]


def test_agents_have_slots_of_their_own_there_too() -> None:
    queue = SheetQueue(1, 1)
    queue.limit_elsewhere(CLUSTER, 1, 2)
    agents = [SheetInfo("a", num, backend_type="claude", where=CLUSTER) for num in (1, 2, 3)]
    queue.register("a", [*agents, info(4), info(5)], agents=["claude"])
    assert sorted(drain(queue)) == [1, 2, 4]


def test_who_turns_out_to_be_an_agent_takes_an_agents_slot_there() -> None:
    queue = SheetQueue(1, 1)
    queue.limit_elsewhere(CLUSTER, 1, 1)
    queue.register("a", [info(1), info(2)])
    assert drain(queue) == [1]
    queue.register("b", [], agents=["shell"])
    assert drain(queue) == []
    queue.release("a", 1)
    assert drain(queue) == [2]


def test_the_limit_of_a_job_and_of_an_instrument_is_over_all_executors() -> None:
    queue = SheetQueue(4, 4)
    queue.limit_elsewhere(CLUSTER, 4, 4)
    both = [info(1), info(2, ""), info(3), info(4, "")]
    queue.register("a", both, max_concurrent=3)
    assert len(drain(queue)) == 3
    queue.forget("a")
    queue.register("a", both, pools={"shell": 2})
    assert len(drain(queue)) == 2


def test_memory_and_gpus_are_the_machines_and_nobodys_who_runs_elsewhere() -> None:
    queue = SheetQueue(4, 4)
    queue.limit_stocks(1, 100)
    queue.limit_elsewhere(CLUSTER, 4, 4)
    takes = {"gpus": 1, "memory_mb": 100}
    queue.register("a", [info(1, **takes), info(2, "", **takes), info(3, **takes)])
    assert sorted(drain(queue)) == [1, 2, 3]


def test_what_there_is_use_for_is_told_for_each_executor() -> None:
    queue = SheetQueue(1, 1)
    queue.limit_elsewhere(CLUSTER, 1, 1)
    queue.register("a", [info(1), info(2), info(3, "")])
    assert (queue.wanting(CLUSTER), queue.wanting()) == (2, 1)
    drain(queue)
    assert (queue.wanting(CLUSTER), queue.wanting()) == (1, 0)


def test_short_sheets_are_lent_there_as_here() -> None:
    queue = SheetQueue(1, 1)
    queue.limit_elsewhere(CLUSTER, 1, 1)
    queue.register("a", [info(num) for num in range(1, 6)])
    assert drain(queue) == [1]
    queue.lending.allow("a", 2)
    lent = queue.lending.grants(["a"])
    assert [entry.info.sheet_num for entry in lent["a"]] == [2, 3]
    queue.release("a", 1)
    assert queue.slots("a") == 1, "the first of those that were lent has it"
    assert drain(queue) == []


def test_a_job_that_holds_slots_on_two_executors_is_lent_nothing() -> None:
    queue = SheetQueue(1, 1)
    queue.limit_elsewhere(CLUSTER, 1, 1)
    queue.register("a", [info(num, "" if num % 2 else CLUSTER) for num in range(1, 7)])
    assert len(drain(queue)) == 2
    queue.lending.allow("a", 2)
    assert queue.lending.grants(["a"]) == {}
