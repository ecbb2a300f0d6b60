"""The documented queue: order, fair share, limits, dependencies, slots."""

from collections.abc import Collection, Mapping
from typing import Any

import pytest

from marianne.schedule.queue import SheetEntry, SheetInfo, SheetQueue


def sheets(job_id: str, count: int, **fields: Any) -> list[SheetInfo]:
    return [SheetInfo(job_id, num, **fields) for num in range(1, count + 1)]


def queue_of(
    limit: int, jobs: Mapping[str, int], *, needs: Mapping[int, Collection[int]] | None = None
) -> SheetQueue:
    queue = SheetQueue(limit)
    for job_id, count in jobs.items():
        queue.register(job_id, sheets(job_id, count), needs)
    return queue


def drain(queue: SheetQueue, now: float = 0.0) -> list[tuple[str, int]]:
    granted = []
    while (entry := queue.grant(now)) is not None:
        granted.append((entry.info.job_id, entry.info.sheet_num))
    return granted


def nums(queue: SheetQueue) -> list[int]:
    return [num for _, num in drain(queue)]


def test_the_priority_is_the_documented_sum() -> None:
    queue = SheetQueue(1)
    info = SheetInfo("a", 1, estimated_cost=2.0, dag_depth=3, job_priority=4, retries_so_far=2)
    queue.register("a", [info])
    entry = queue.grant(0)
    assert entry is not None
    assert entry.priority == pytest.approx(4 * 10 + 3 - 2 * 5 + 0.2)


def test_the_retry_bonus_ends_at_fifty() -> None:
    queue = SheetQueue(1)
    queue.register("a", [SheetInfo("a", 1, retries_so_far=99)])
    entry = queue.grant(0)
    assert entry is not None
    assert entry.priority == 0


def test_entries_are_ordered_by_priority_then_time() -> None:
    info = SheetInfo("a", 1)
    assert SheetEntry(1, 9, info) < SheetEntry(2, 0, info)
    assert SheetEntry(1, 1, info) < SheetEntry(1, 2, SheetInfo("a", 0))


def test_urgent_jobs_go_first_then_the_older() -> None:
    queue = SheetQueue(1)
    for job_id, priority, now in (("late", 5, 2.0), ("early", 5, 1.0), ("urgent", 1, 3.0)):
        queue.register(job_id, sheets(job_id, 1, job_priority=priority), now=now)
    order = []
    while (entry := queue.grant(9)) is not None:
        order.append(entry.info.job_id)
        queue.complete(entry.info.job_id, 1, True)
    assert order == ["urgent", "early", "late"]


def test_the_total_limit_holds() -> None:
    queue = queue_of(3, {"a": 10})
    assert nums(queue) == [1, 2, 3]
    queue.release("a", 2)
    assert nums(queue) == [4]


def test_the_total_limit_can_change_while_sheets_run() -> None:
    queue = queue_of(3, {"a": 10})
    drain(queue)
    queue.limit_slots(1)
    queue.release("a", 1)
    assert drain(queue) == []
    queue.limit_slots(5)
    assert len(drain(queue)) == 3


def test_two_jobs_share_the_slots() -> None:
    queue = queue_of(4, {"a": 10, "b": 10})
    granted = [job_id for job_id, _ in drain(queue)]
    assert sorted(granted) == ["a", "a", "b", "b"]


def test_no_job_has_more_than_twice_its_share() -> None:
    queue = queue_of(12, {"a": 50})
    for other in ("b", "c", "d"):
        queue.register(other, sheets(other, 50), max_concurrent=1)
    drain(queue)
    assert queue.stats().per_job_running == {"a": 6, "b": 1, "c": 1, "d": 1}


def test_a_job_alone_gets_every_slot() -> None:
    assert len(drain(queue_of(25, {"a": 100}))) == 25


def test_jobs_that_wait_for_a_rate_limit_take_no_share() -> None:
    queue = SheetQueue(10)
    for n in range(9):
        queue.register(f"agent{n}", sheets(f"agent{n}", 5, backend_type="agent"))
    queue.register("shell", sheets("shell", 50, backend_type="shell"))
    queue.block("agent", until=100.0)
    assert len(drain(queue)) == 10


def test_a_job_over_its_share_gives_way_to_a_less_urgent_one() -> None:
    queue = SheetQueue(4)
    queue.register("big", sheets("big", 100, job_priority=1))
    queue.register("small", sheets("small", 2, job_priority=2))
    assert [job_id for job_id, _ in drain(queue)] == ["big", "big", "small", "small"]


def test_the_jobs_own_limit_holds() -> None:
    queue = SheetQueue(10)
    queue.register("a", sheets("a", 10), max_concurrent=2)
    assert nums(queue) == [1, 2]
    assert queue.explain("a", 3).code == "job_limit"


def test_a_pools_limit_counts_all_jobs() -> None:
    queue = SheetQueue(10)
    for job_id in ("a", "b"):
        queue.register(
            job_id, sheets(job_id, 5, backend_type="claude", model="m"), pools={"claude/m": 3}
        )
    queue.register("c", sheets("c", 1, backend_type="claude", model="other"))
    assert len(drain(queue)) == 4
    assert queue.explain("a", 5).code == "pool_limit"


def test_dependents_wait_for_success() -> None:
    queue = queue_of(10, {"a": 4}, needs={3: {1, 2}, 4: {3}})
    assert nums(queue) == [1, 2]
    assert queue.complete("a", 1, True) == []
    assert queue.complete("a", 2, True) == [3]
    assert nums(queue) == [3]
    assert queue.complete("a", 3, True) == [4]


def test_dependents_of_a_failed_sheet_stay() -> None:
    queue = queue_of(10, {"a": 2}, needs={2: {1}})
    drain(queue)
    assert queue.complete("a", 1, False) == []
    assert drain(queue) == []
    assert queue.explain("a", 2).data == {"needs": [1]}


def test_a_cycle_is_refused_with_its_path() -> None:
    queue = SheetQueue(1)
    with pytest.raises(ValueError, match=r"Circular dependency detected in job a: 1 -> 2 -> 1"):
        queue.register("a", sheets("a", 2), {1: {2}, 2: {1}})


def test_a_sheet_that_occurs_twice_is_refused_and_changes_nothing() -> None:
    queue = queue_of(9, {"a": 1})
    with pytest.raises(ValueError, match="Duplicate sheet 1 in job a"):
        queue.register("a", [SheetInfo("a", 1), SheetInfo("a", 1)])
    assert nums(queue) == [1]


def test_a_dependency_that_nobody_knows_never_comes_true() -> None:
    queue = queue_of(9, {"a": 2}, needs={2: {77}})
    assert nums(queue) == [1]


def test_registering_again_replaces_and_keeps_no_slot() -> None:
    queue = queue_of(3, {"a": 5})
    drain(queue)
    queue.register("a", sheets("a", 5)[2:], running=[3])
    assert queue.active == 1
    assert nums(queue) == [4, 5]


def test_running_sheets_hold_slots_from_the_start_and_waiting_ones_none() -> None:
    queue = SheetQueue(2)
    queue.register("a", sheets("a", 3), running=[1], waiting=[2])
    assert nums(queue) == [3]
    queue.release("a", 1)
    queue.requeue("a", 2, retries=1)
    assert nums(queue) == [2]


def test_a_released_slot_is_free_at_once_though_the_sheet_is_not_judged() -> None:
    queue = queue_of(1, {"a": 2})
    drain(queue)
    queue.release("a", 1)
    assert queue.explain("a", 1).code == "ended"
    assert nums(queue) == [2]
    queue.requeue("a", 1, retries=1)
    assert queue.explain("a", 1).code == "total_limit"


def test_releasing_or_completing_twice_frees_one_slot() -> None:
    queue = queue_of(3, {"a": 9})
    drain(queue)
    queue.release("a", 1)
    queue.release("a", 1)
    queue.complete("a", 1, True)
    queue.complete("a", 1, True)
    assert queue.active == 2


def test_requeueing_a_queued_sheet_leaves_one_entry() -> None:
    queue = queue_of(1, {"a": 1})
    queue.requeue("a", 1, retries=3)
    assert queue.queued == 1
    assert nums(queue) == [1]
    queue.complete("a", 1, True)
    assert drain(queue) == []


def test_a_fallback_instrument_is_another_pool() -> None:
    queue = SheetQueue(9)
    queue.register("a", sheets("a", 1, backend_type="x"), pools={"x": 0})
    assert drain(queue) == []
    queue.requeue("a", 1, info=SheetInfo("a", 1, backend_type="y"))
    assert nums(queue) == [1]


def test_deregistering_keeps_the_slots_of_what_runs() -> None:
    queue = queue_of(2, {"a": 5, "b": 1})
    drain(queue)
    queue.deregister("a")
    assert queue.active == 2
    queue.release("a", 1)
    assert queue.active == 1
    assert queue.stats().per_job_running == {"b": 1}
    assert queue.explain("a", 1).code == "unknown_job"


def test_forgetting_frees_all_slots() -> None:
    queue = queue_of(2, {"a": 5})
    drain(queue)
    queue.forget("a")
    assert (queue.active, queue.queued) == (0, 0)


def test_unknown_jobs_and_sheets_are_ignored() -> None:
    queue = queue_of(2, {"a": 1})
    for job_id, num in (("b", 1), ("a", 7)):
        queue.release(job_id, num)
        queue.complete(job_id, num, True)
        queue.requeue(job_id, num, retries=1)
    queue.deregister("b")
    queue.forget("b")
    assert queue.stats().queued == 1


def test_a_blocked_pool_waits_until_its_time() -> None:
    queue = SheetQueue(9)
    queue.register("a", sheets("a", 1, backend_type="x"))
    queue.block("x", until=10.0)
    assert queue.grant(9.9) is None
    assert queue.next_unblock() == 10.0
    assert queue.explain("a", 1, now=9.9).data == {"pool": "x", "until": 10.0, "limits": 1}
    assert queue.grant(10.0) is not None
    assert queue.next_unblock() is None


def test_a_block_can_be_lifted_for_one_pool_or_all() -> None:
    queue = SheetQueue(9)
    for name in ("x", "y", "z"):
        queue.register(name, sheets(name, 1, backend_type=name))
        queue.block(name, until=10.0)
    queue.unblock(lambda name: name == "x")
    assert drain(queue) == [("x", 1)]
    queue.unblock()
    assert sorted(drain(queue)) == [("y", 1), ("z", 1)]


def test_a_block_without_waiting_sheets_wakes_nobody() -> None:
    queue = SheetQueue(9)
    queue.block("x", until=10.0)
    assert queue.next_unblock() is None


def test_sheets_ahead_take_over_the_slots_of_their_job() -> None:
    queue = queue_of(2, {"a": 9})
    drain(queue)
    ahead = queue.lending.take("a", 3)
    assert [entry.info.sheet_num for entry in ahead] == [3, 4, 5]
    assert queue.active == 2
    for num in (1, 2, 3, 4):
        queue.release("a", num)
        assert queue.stats().per_job_running == {"a": 2 if num < 4 else 1}
    assert nums(queue) == [6]


def test_a_sheet_ahead_may_end_before_its_turn() -> None:
    queue = queue_of(1, {"a": 4})
    drain(queue)
    queue.lending.take("a", 2)
    queue.complete("a", 2, True)
    assert queue.explain("a", 3).code == "ahead"
    queue.complete("a", 1, True)
    assert queue.explain("a", 3).code == "running"


def test_a_sheet_ahead_can_come_back_to_the_queue() -> None:
    queue = queue_of(1, {"a": 3})
    drain(queue)
    queue.lending.take("a", 2)
    queue.requeue("a", 2)
    queue.deregister("a")
    queue.release("a", 1)
    assert queue.explain("a", 3).code == "running"
    queue.release("a", 3)
    assert queue.active == 0


def test_only_a_job_that_runs_is_granted_ahead() -> None:
    queue = queue_of(1, {"a": 3, "b": 3})
    drain(queue)
    assert queue.lending.take("b", 5) == []
    assert queue.lending.take("nobody", 5) == []


def test_a_job_alone_is_lent_more_while_it_works_off_what_it_has() -> None:
    queue = queue_of(2, {"a": 30})
    drain(queue)
    queue.lending.allow("a", 4)
    assert [e.info.sheet_num for e in queue.lending.grants(())["a"]] == list(range(3, 11))
    assert queue.lending.grants(()) == {}
    for num in range(1, 6):
        queue.release("a", num)
    assert len(queue.lending.grants(())["a"]) == 5


def test_while_others_wait_only_a_new_slot_is_lent_any() -> None:
    queue = queue_of(2, {"a": 30, "b": 30, "c": 30})
    drain(queue)
    queue.lending.allow("a", 4)
    assert queue.lending.grants(("b",)) == {}
    assert len(queue.lending.grants(("a",))["a"]) == 4


def test_a_job_in_two_pools_is_lent_nothing() -> None:
    queue = SheetQueue(4)
    queue.register("a", [SheetInfo("a", n, backend_type=f"i{n % 2}") for n in range(1, 9)])
    drain(queue)
    queue.lending.allow("a", 4)
    assert queue.lending.grants(("a",)) == {}


def test_the_figures_tell_what_is_queued_and_running() -> None:
    queue = queue_of(2, {"a": 3, "b": 1})
    drain(queue)
    stats = queue.stats()
    assert (stats.queued, stats.active, stats.max_concurrent) == (2, 2, 2)
    assert stats.per_job_running == {"a": 1, "b": 1}
    assert stats.per_job_queued == {"a": 2}


def test_every_sheet_can_be_explained() -> None:
    queue = SheetQueue(2)
    queue.register("a", sheets("a", 4), {4: {1}}, waiting=[2])
    drain(queue)
    queue.register("b", sheets("b", 1))
    codes = [queue.explain("a", num).code for num in (1, 2, 3, 4, 5)]
    assert codes == ["running", "waiting", "running", "needs", "unknown_sheet"]
    assert queue.explain("b", 1).text == "all 2 slots are taken"
    assert queue.explain("c", 1).code == "unknown_job"
    queue.limit_slots(9)
    assert queue.explain("b", 1).code == "next"


def test_a_job_that_is_gone_is_lent_nothing_nor_a_later_one_of_its_name() -> None:
    queue = queue_of(2, {"a": 30})
    drain(queue)
    queue.lending.allow("a", 4)
    queue.forget("a")
    queue.register("a", [SheetInfo("a", n) for n in range(1, 9)])
    drain(queue)
    assert queue.lending.grants(("a",)) == {}
    queue.forget("a")
    assert queue.lending.grants(()) == {}
