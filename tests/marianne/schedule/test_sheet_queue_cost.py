"""What a grant costs, counted in steps and comparisons and not by a clock."""

import math
import sys
from collections.abc import Callable
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from marianne.schedule import entries, explain, lending, lines, order, queue
from marianne.schedule.queue import SheetInfo, SheetQueue

PARTS = {module.__file__ for module in (entries, explain, lending, lines, order, queue)}
GRANTS = 50


class Counted(float):
    """A priority that counts how often the heaps compare it."""

    comparisons = 0

    def __eq__(self, other: object) -> bool:
        # Tuples are compared by their first parts that are not equal.
        Counted.comparisons += 1
        return float.__eq__(self, other)

    __hash__ = float.__hash__

    def __add__(self, other: float) -> "Counted":
        return Counted(float(self) + float(other))


@contextmanager
def steps_counted() -> Any:
    """Counts the lines of the queue that are run inside, loops included."""
    count = [0]

    def trace(frame: FrameType, event: str, arg: Any) -> Callable[..., Any] | None:
        if frame.f_code.co_filename not in PARTS:
            return None
        count[0] += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield count
    finally:
        sys.settrace(before)


def full_queue(jobs: int, sheets_each: int) -> tuple[SheetQueue, list[SheetInfo]]:
    """A queue whose slots are all taken, and what holds them."""
    made = SheetQueue(25)
    for j in range(jobs):
        infos = [SheetInfo(f"job{j}", n, dag_depth=n * 7 % 13) for n in range(1, sheets_each + 1)]
        made.register(f"job{j}", infos)
    running = []
    while (entry := made.grant(0.0)) is not None:
        running.append(entry.info)
    return made, running


def cost(jobs: int, sheets_each: int, monkeypatch: pytest.MonkeyPatch) -> tuple[float, float]:
    """Steps and comparisons of one completion with the grant that follows."""
    with monkeypatch.context() as patch:
        known = order.base_priority
        patch.setattr(order, "base_priority", lambda info: Counted(known(info)))
        made, running = full_queue(jobs, sheets_each)
        Counted.comparisons = 0
        with steps_counted() as steps:
            for _ in range(GRANTS):
                info = running.pop(0)
                made.complete(info.job_id, info.sheet_num, True)
                entry = made.grant(0.0)
                assert entry is not None
                running.append(entry.info)
    return steps[0] / GRANTS, Counted.comparisons / GRANTS


@pytest.mark.slow
@pytest.mark.parametrize(("jobs", "sheets_each"), [(1000, 100), (1, 100_000), (10, 10_000)])
def test_steps_do_not_grow_and_comparisons_grow_as_the_logarithm(
    jobs: int, sheets_each: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    few_steps, few_compared = cost(jobs=10, sheets_each=10, monkeypatch=monkeypatch)
    steps, compared = cost(jobs, sheets_each, monkeypatch)
    assert steps < 1.5 * few_steps
    # A push and a pop in the heap of sheets and in the heap of lines.
    assert compared < few_compared + 4 * math.log2(jobs * sheets_each)


def test_a_change_of_the_fair_share_touches_only_jobs_that_run() -> None:
    made, _ = full_queue(jobs=400, sheets_each=2)
    with steps_counted() as newcomer:
        made.register("new", [SheetInfo("new", 1)])
        made.deregister("new")
        made.grant(0.0)
    small, _ = full_queue(jobs=40, sheets_each=2)
    with steps_counted() as same:
        small.register("new", [SheetInfo("new", 1)])
        small.deregister("new")
        small.grant(0.0)
    assert newcomer[0] < 1.5 * same[0]
