"""A timeline of any number of attempts is of as many figures as a page can show."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marianne.web import timeline, timelines
from marianne.web.timeline import PARTS, Attempts
from marianne.web.timelines import Timelines

Row = tuple[int, int, str, float, float, float, float]
"""Sheet, attempt, outcome, begin, end, memory, cost."""


def page(rows: list[Row], total: int | None = None, running: Any = ()) -> dict[str, Any]:
    sheets, attempts, outcomes, began, ended, memory, cost = zip(*rows, strict=True)
    return {
        "total": len(rows) if total is None else total,
        "cursor": None,
        "sheets": list(sheets),
        "attempts": list(attempts),
        "outcomes": "".join(outcomes).encode(),
        "began": list(began),
        "ended": list(ended),
        "memory_mb": list(memory),
        "cost_usd": list(cost),
        "running": [num for num, _ in running],
        "running_since": [began for _, began in running],
    }


def known(rows: list[Row]) -> Attempts:
    found = Attempts()
    found.cut(0.0)
    found.add(page(rows))
    found.order()
    return found


def some(count: int, outcome: str = "c") -> list[Row]:
    """One after the other, a second each, ten seconds apart in ten slots."""
    return [
        (num, 1, outcome, 1000.0 + num // 10, 1001.0 + num // 10, float(num), 0.5)
        for num in range(count)
    ]


def test_few_attempts_are_told_one_by_one_from_the_first_begin_to_the_last_end() -> None:
    told = known([(2, 1, "f", 1004.0, 1010.0, 7.0, 0.25), (1, 1, "c", 1000.0, 1003.0, 5.0, 0.0)])
    assert told.told(None, None, 2000.0) == {
        "total": 2,
        "first": 1000.0,
        "last": 1010.0,
        "shown": 2,
        "running": [],
        "attempts": [[1, 1, "c", 0.0, 3.0, 5.0, 0.0], [2, 1, "f", 4.0, 10.0, 7.0, 0.25]],
        "parts": None,
    }


def test_what_runs_goes_on_to_this_moment() -> None:
    found = known([(1, 1, "c", 1000.0, 1003.0, 5.0, 0.0)])
    found.running = [(2, 990.0)]
    told = found.told(None, None, 1020.0)
    assert (told["first"], told["last"], told["running"]) == (990.0, 1020.0, [[2, 0.0]])


def test_nothing_has_a_time_too() -> None:
    told = Attempts().told(None, None, 5.0)
    assert (told["total"], told["attempts"]) == (0, [])
    assert told["last"] > told["first"]


def test_of_many_attempts_so_few_figures_are_told_that_a_page_can_show_them() -> None:
    found = known(some(100_000))
    told = found.told(None, None, 1e6)
    assert told["shown"] == told["total"] == 100_000
    assert len(json.dumps(told)) < 20_000
    parts = told["parts"]
    assert sum(parts["ended"]) == 100_000
    assert max(parts["memory_mb"]) == 99_999.0
    assert parts["cost_usd"][-1] == pytest.approx(50_000.0)
    assert all(mean == pytest.approx(10.0) for mean in parts["busy"]["c"])
    closer = found.told(1100.0, 1120.0, 1e6)
    assert closer["shown"] == len(closer["attempts"]) < 300, "all that ran then"


@settings(deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 60))
def test_what_ran_is_the_same_in_all_parts_as_in_the_attempts(
    chance: random.Random, count: int
) -> None:
    rows: list[Row] = []
    for num in range(count):
        begin = 1000 + chance.random() * 50
        rows.append((num, 1, chance.choice("cfi"), begin, begin + chance.random() * 30, 1.0, 0.0))
    first, last = 1010.0, 1060.0
    before = timeline.DRAWN
    timeline.DRAWN = 0  # type: ignore[misc]
    try:
        told = known(rows).told(first, last, 2000.0)
    finally:
        timeline.DRAWN = before  # type: ignore[misc]
    for letter in "cfi":
        ran = sum(
            max(0.0, min(end, last) - max(begin, first))
            for _, _, outcome, begin, end, _, _ in rows
            if outcome == letter
        )
        if told["parts"] is not None:
            means = told["parts"]["busy"][letter]
            assert sum(means) * (last - first) / PARTS == pytest.approx(ran, abs=0.05)


class Paper:
    """Answers ``job.timeline`` from rows, so many at a time."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.asked: list[dict[str, Any]] = []
        self.limit = 100

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        assert method == "job.timeline"
        self.asked.append(params)
        after = tuple(params.get("after", (0, 0)))
        found = [r for r in sorted(self.rows) if r[:2] > after and r[4] >= params["ended_since"]]
        told = page(found[: self.limit], len(self.rows))
        if len(found) > self.limit:
            told["cursor"] = [*found[self.limit - 1][:2]]
        return told


def asked(paper: Paper, of: Timelines) -> dict[str, Any]:
    paper.asked = []
    return asyncio.run(of.told("a", None, None))


def test_what_is_known_is_not_asked_for_again() -> None:
    paper = Paper()
    of = Timelines(paper)  # type: ignore[arg-type]
    paper.rows = some(1000)[1:]
    assert asked(paper, of)["total"] == 999
    assert len(paper.asked) == 10
    paper.rows.append((2000, 1, "c", 1100.5, 1101.0, 0.0, 0.0))
    assert asked(paper, of)["total"] == 1000
    assert len(paper.asked) == 2, "what ended in the last ten seconds"
    assert asked(paper, of)["total"] == 1000


def test_what_ended_long_before_it_was_told_is_found_all_the_same() -> None:
    paper = Paper()
    of = Timelines(paper)  # type: ignore[arg-type]
    paper.rows = some(500)[1:]
    asked(paper, of)
    paper.rows.append((2000, 3, "c", 900.0, 901.0, 0.0, 0.0))
    told = asked(paper, of)
    assert (told["total"], told["first"]) == (500, 900.0)


def test_jobs_that_nobody_looks_at_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timelines, "KEPT", 300)
    paper = Paper()
    of = Timelines(paper)  # type: ignore[arg-type]
    paper.rows = some(200)[1:]
    for job in ("a", "b", "c"):
        asyncio.run(of.told(job, None, None))
    assert sum(map(len, of._jobs.values())) <= 300
    paper.rows = some(2000)[1:]
    assert asyncio.run(of.told("d", None, None))["total"] <= 400
