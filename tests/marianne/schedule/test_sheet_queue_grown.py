"""Sheets that a job has more while it is queued: a list has added them."""

from __future__ import annotations

from marianne.schedule.queue import SheetInfo, SheetQueue


def queue_of(count: int, needs: dict[int, list[int]] | None = None) -> SheetQueue:
    queue = SheetQueue(9)
    queue.register("a", [SheetInfo("a", num) for num in range(1, count + 1)], needs)
    return queue


def granted(queue: SheetQueue) -> list[int]:
    found = []
    while (entry := queue.grant(0.0)) is not None:
        found.append(entry.info.sheet_num)
    return found


def test_they_run_when_what_they_need_is_over() -> None:
    queue = queue_of(3, {2: [1], 3: [2]})
    assert granted(queue) == [1]
    queue.complete("a", 1, True)
    assert granted(queue) == [2]
    more = [SheetInfo("a", 4), SheetInfo("a", 5)]
    queue.extend("a", more, {4: [2], 5: [2], 3: [4, 5]})
    queue.extend("a", more, {4: [2], 5: [2], 3: [4, 5]})  # it may be told twice
    assert granted(queue) == []
    queue.complete("a", 2, True)
    assert granted(queue) == [4, 5]
    queue.complete("a", 4, True)
    assert granted(queue) == []
    queue.complete("a", 5, True)
    assert granted(queue) == [3]


def test_a_job_that_is_not_queued_gets_none() -> None:
    queue = queue_of(1)
    queue.deregister("a")
    queue.extend("a", [SheetInfo("a", 2)], {2: [1]})
    queue.extend("none", [SheetInfo("none", 2)], {2: [1]})
    assert granted(queue) == []
