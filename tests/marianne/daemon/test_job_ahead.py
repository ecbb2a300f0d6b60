"""Sheets that wait in the worker for the end of another are pending until it says otherwise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from marianne.daemon.job.machine import JobMachine
from marianne.daemon.shared.effects import EndSheets, Release, Step, Withdraw
from marianne.executors.protocol import Run
from marianne.model.plan import Instrument, Plan, Prompt, SheetPlan
from marianne.model.result import AttemptResult
from marianne.state.changes import AddEvent
from marianne.state.models import JobRow, JobStatus, SheetStatus

RAW = Instrument("shell", raw_prompt=True)


def machine_of(sheets: int = 4, instrument: Instrument = RAW) -> JobMachine:
    plans = tuple(
        SheetPlan(n, f"s{n}", n, instrument, Prompt("true")) for n in range(1, sheets + 1)
    )
    job = JobRow("job", "job", JobStatus.RUNNING, "/w", 0.0, sheets)
    machine = JobMachine(Plan("job", "/w", plans, total_stages=sheets), job, {}, lambda: 0.5)
    machine.recover((), 0.0)
    return machine


def ended(num: int, seconds: float = 0.001, outcome: str = "completed") -> AttemptResult:
    return AttemptResult(num, 1, outcome, 10.0, 10.0 + seconds, exit_code=0)


def names(step: Step) -> list[str]:
    return [change.event for change in step.changes if isinstance(change, AddEvent)]


@pytest.fixture
def machine() -> JobMachine:
    """Sheet 1 runs, sheet 2 was granted ahead."""
    machine = machine_of()
    machine.grant(1, 1.0)
    machine.grant_ahead(2, 1.0)
    return machine


def test_the_worker_gets_it_and_nothing_is_written() -> None:
    step = machine_of().grant_ahead(2, 1.0)
    assert [(e.num, e.attempt, e.ahead) for e in step.now if isinstance(e, Run)] == [(2, 1, True)]
    assert step.changes == []


def test_it_has_started_when_the_worker_says_so(machine: JobMachine) -> None:
    assert names(machine.began(2, 1, 5.0)) == ["sheet.started"]
    assert (machine.rows[2].status, machine.rows[2].started_at) == (SheetStatus.RUNNING, 5.0)
    assert names(machine.began(2, 1, 5.0)) == []


def test_one_that_an_earlier_incarnation_lent_has_started_when_the_worker_says_so() -> None:
    """Nothing of it is on disk, and a cancel has to end it like any other that runs."""
    machine = machine_of()
    machine.recover([(1, 1)], 1.0, queued=[(2, 1), (3, 1)])
    assert names(machine.began(2, 1, 5.0)) == ["sheet.started"]
    machine.cancel(6.0)
    step = machine.began(3, 1, 7.0)
    assert [effect.nums for effect in step.now if isinstance(effect, EndSheets)] == [(3,)]
    assert machine.began(9, 1, 7.0) == Step(), "of another plan"


def test_its_end_alone_says_both(machine: JobMachine) -> None:
    assert names(machine.result(ended(2), 11.0)) == ["sheet.started", "sheet.completed"]


def test_a_pause_waits_until_the_worker_gave_it_back(machine: JobMachine) -> None:
    assert Withdraw() in machine.pause("person", 2.0).now
    machine.result(ended(1), 11.0)
    assert machine.job.status is JobStatus.PAUSING
    assert Release(2) in machine.withdrawn([2], 12.0).now
    assert machine.job.status is JobStatus.PAUSED


def test_one_that_began_before_it_could_be_taken_back_finishes(machine: JobMachine) -> None:
    machine.pause("person", 2.0)
    machine.result(ended(1), 11.0)
    machine.began(2, 1, 5.0)
    machine.withdrawn([], 12.0)
    assert machine.job.status is JobStatus.PAUSING
    machine.result(ended(2), 13.0)
    assert machine.job.status is JobStatus.PAUSED


def test_one_that_began_before_a_cancel_reached_it_is_ended(machine: JobMachine) -> None:
    machine.cancel(2.0)
    assert EndSheets((2,), "cancelled") in machine.began(2, 1, 5.0).now


def test_one_that_was_given_back_runs_by_another_grant(machine: JobMachine) -> None:
    machine.pause("person", 2.0)
    machine.resume(3.0)
    machine.grant(2, 4.0)
    assert machine.withdrawn([2], 5.0).now == []
    assert machine.rows[2].status is SheetStatus.RUNNING


def test_a_restart_takes_back_what_an_earlier_one_lent() -> None:
    machine = machine_of()
    assert Withdraw() in machine.recover((), 1.0, queued=[(3, 1)]).now
    machine.withdrawn([3], 2.0)
    machine.grant(3, 3.0)
    assert machine.rows[3].attempt == 1


def test_only_short_sheets_are_lent_any() -> None:
    machine = machine_of()
    assert machine.lends() == 0
    machine.grant(1, 1.0)
    machine.result(ended(1), 11.0)
    assert machine.lends() == 32
    for num in (2, 3):
        machine.grant(num, 12.0)
        machine.result(ended(num, 5.0), 20.0)
    assert machine.lends() == 0


def test_an_instrument_with_a_breaker_is_lent_none() -> None:
    machine = machine_of(instrument=replace(RAW, raw_prompt=False))
    machine.grant(1, 1.0)
    machine.result(ended(1), 11.0)
    assert machine.lends() == 0
