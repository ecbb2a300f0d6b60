"""How many sheets a worker is lent, and which it has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from job_play import SHELL, plan_of
from ledger_stage import with_sheet

from marianne.daemon.job.prefetch import AHEAD_LIMIT, AHEAD_SECONDS, Prefetch
from marianne.model.plan import CrossSheet, Instrument, Plan

RAW, AGENT = Instrument("shell", raw_prompt=True), Instrument("agent")


def plan() -> Plan:
    made = plan_of({1: (), 2: ()})
    return replace(made, sheets=tuple(replace(s, instrument=RAW) for s in made.sheets))


def short(plan: Plan) -> Prefetch:
    prefetch = Prefetch(plan)
    prefetch.took(0.001)
    return prefetch


def test_none_is_lent_before_a_sheet_has_shown_how_long_they_take() -> None:
    assert Prefetch(plan()).per_slot() == 0


@pytest.mark.parametrize(
    ("seconds", "lent"),
    [(0.0, AHEAD_LIMIT), (AHEAD_SECONDS / 10.5, 10), (AHEAD_SECONDS / 1.5, 0), (5.0, 0)],
)
def test_as_many_are_lent_as_fit_into_the_time_and_one_is_not_worth_it(
    seconds: float, lent: int
) -> None:
    prefetch = Prefetch(plan())
    prefetch.took(seconds)
    assert prefetch.per_slot() == lent


def test_one_long_sheet_is_remembered_for_a_while_and_not_for_ever() -> None:
    prefetch = short(plan())
    prefetch.took(5.0)
    assert prefetch.per_slot() == 0
    for _ in range(100):
        prefetch.took(0.001)
    assert prefetch.per_slot() > 0


@pytest.mark.parametrize(
    "fields",
    [
        {"instrument": AGENT},
        {"fallbacks": (AGENT,)},
        {"skip_when": "true"},
        {"cross_sheet": CrossSheet(True)},
    ],
    ids=str,
)
def test_none_is_lent_where_a_sheets_start_is_decided_then(fields: dict[str, Any]) -> None:
    assert short(plan()).per_slot() > 0
    assert short(with_sheet(plan(), 2, **fields)).per_slot() == 0


@pytest.mark.parametrize("pace", ["stagger_seconds", "pause_between_sheets_seconds"])
def test_a_job_with_a_pace_is_lent_none(pace: str) -> None:
    assert short(replace(plan(), **{pace: 1.0})).per_slot() == 0


def test_what_was_lent_is_known_until_it_begins_or_comes_back() -> None:
    prefetch = Prefetch(plan())
    for num in (1, 2, 3):
        prefetch.lend(num)
    prefetch.begun(1)
    prefetch.begun(9)
    assert prefetch.lent == {2, 3}
    assert prefetch.returned([3, 1, 3]) == [3], "what has begun was not given back; each once"
    assert prefetch.lent == set(), "the worker has nothing left that it had not begun"


def test_after_a_restart_the_worker_says_what_it_was_lent() -> None:
    prefetch = Prefetch(plan())
    assert not prefetch.found([])
    assert prefetch.found([(2, 1)])
    assert prefetch.lent == {2}


def test_a_shell_that_is_no_raw_program_is_asked_like_an_agent() -> None:
    assert short(with_sheet(plan(), 1, instrument=SHELL)).per_slot() == 0
