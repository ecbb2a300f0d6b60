"""What a job hands to the scheduler when it starts or goes on."""

from __future__ import annotations

import pytest
from job_play import plan_of
from ledger_stage import CHAIN, NOW, ledger_of, saved, with_sheet

from marianne.daemon.job.clock import JobClock
from marianne.daemon.job.ledger import Ledger
from marianne.daemon.job.registration import register
from marianne.daemon.shared.effects import Deregister, Register, Step, WakeAt
from marianne.model.plan import Instrument
from marianne.state.models import SheetRow, SheetStatus


def registered(ledger: Ledger) -> tuple[Register, Step]:
    step = Step()
    register(ledger, step, NOW)
    work = step.now[0]
    assert isinstance(work, Register)
    return work, step


def test_what_is_over_is_not_handed_over_and_what_it_satisfied_is_no_need() -> None:
    work, step = registered(ledger_of(CHAIN, {1: "completed"}))
    assert [info.sheet_num for info in work.sheets] == [2, 3]
    assert work.dependencies == {2: set(), 3: {2}}
    assert step.now == [work]


def test_what_runs_holds_its_slot_and_what_waits_gets_its_timer() -> None:
    waits = SheetRow(2, SheetStatus.WAITING, 1, finished_at=90.0, due_at=130.0)
    rows = [SheetRow(1, SheetStatus.RUNNING, 1), waits]
    work, step = registered(ledger_of({1: (), 2: ()}, rows))
    assert (work.running, work.waiting) == (frozenset({1}), frozenset({2}))
    assert step.now == [work, WakeAt(2, 130.0)]
    assert saved(step) == []


def test_the_work_goes_before_all_else_that_was_decided() -> None:
    step = Step(now=[Deregister()])
    register(ledger_of(CHAIN), step, NOW)
    assert [type(effect) for effect in step.now] == [Register, Deregister]


@pytest.mark.parametrize(
    ("due_at", "ended_at", "due"),
    [
        (NOW + 5, NOW - 5, NOW + 5),
        (NOW + 5000, NOW + 4990, NOW + 10),
        (NOW - 5, NOW - 15, NOW - 5),
        (None, NOW - 5, NOW),
    ],
    ids=["as it was", "the clock was set back", "past", "never said"],
)
def test_a_wait_is_never_longer_than_the_whole_of_it(
    due_at: float | None, ended_at: float, due: float
) -> None:
    row = SheetRow(1, SheetStatus.WAITING, 1, due_at=due_at, finished_at=ended_at)
    _, step = registered(ledger_of({1: ()}, [row]))
    assert step.now[1:] == [WakeAt(1, due)]
    assert row.due_at == due
    assert saved(step) == ([] if due == due_at else [(1, "waiting")]), "noted where it is another"


def test_the_instruments_that_are_asked_are_named_fallbacks_too() -> None:
    raw = Instrument("shell", raw_prompt=True)
    plan = with_sheet(plan_of({1: ()}), 1, instrument=raw, fallbacks=(Instrument("agent"),))
    assert registered(ledger_of(plan))[0].agents == {Instrument("agent").limit_key}


@pytest.mark.parametrize("by", [3600.0, -3600.0])
def test_a_clock_that_was_set_and_set_back_while_nobody_looked_lengthens_no_wait(
    by: float,
) -> None:
    """A conductor that saw the first and died before the second: what waited for 0.3 s was due in
    an hour (a dense soak, seed 1)."""
    rows = [SheetRow(1, SheetStatus.WAITING, 1, started_at=89.0, finished_at=90.0, due_at=90.3)]
    ledger = ledger_of({1: ()}, rows)
    JobClock(ledger).moved(Step(), by)
    _, step = registered(ledger)
    (wake,) = (one for one in step.now if isinstance(one, WakeAt))
    assert wake.due_at <= NOW + 0.31
