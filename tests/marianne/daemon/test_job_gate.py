"""What a job puts between a grant and the start of a sheet."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from job_play import plan_of
from ledger_stage import NOW, data, ended, events, job_fields, ledger_of, with_sheet

from marianne.daemon.job.gate import BEGIN_AGAIN, Gate
from marianne.daemon.job.ledger import Ledger
from marianne.daemon.shared.effects import Step, WakeAt
from marianne.model.plan import Instrument, Plan
from marianne.schedule.breaker import FIRST_WAIT, THRESHOLD
from marianne.state.models import SheetRow, SheetStatus

AGENT, SHELL = Instrument("agent"), Instrument("shell", raw_prompt=True)
SHEETS: dict[int, tuple[int, ...]] = dict.fromkeys(range(1, 9), ())


def plan(instrument: Instrument = SHELL, *, stagger: float = 0.0, pause: float = 0.0) -> Plan:
    made = plan_of(SHEETS)
    sheets = tuple(replace(sheet, instrument=instrument) for sheet in made.sheets)
    return replace(made, sheets=sheets, stagger_seconds=stagger, pause_between_sheets_seconds=pause)


def fail(gate: Gate, ledger: Ledger, times: int = THRESHOLD) -> Step:
    """So many attempts fail in a row; returns what the last one brings about."""
    step = Step()
    for num in range(1, times + 1):
        step = Step()
        gate.note(step, ledger.row(num), ended(num, "failed", category="exit"), NOW)
    return step


def test_without_a_pace_and_failures_every_sheet_begins_at_once() -> None:
    gate = Gate(ledger_of(plan(AGENT)))
    assert [gate.keep_back(SheetRow(num), NOW) for num in SHEETS] == [None] * 8
    assert gate.kept_back() == {}


def test_a_stagger_gives_each_sheet_a_time_of_its_own_and_says_so() -> None:
    gate = Gate(ledger_of(plan(stagger=2.0)))
    assert [gate.keep_back(SheetRow(num), NOW) for num in (1, 2, 3)] == [None, NOW + 2, NOW + 4]
    assert [gate.keeps(num) for num in (1, 2, 3, 4)] == [False, True, True, False]
    why = gate.kept_back()
    assert [(num, one.code, one.data) for num, one in why.items()] == [
        (2, "pacing", {"until": NOW + 2}),
        (3, "pacing", {"until": NOW + 4}),
    ]
    assert gate.keep_back(SheetRow(2), NOW + 2) is None
    assert not gate.keeps(2)


def test_a_pause_counts_from_the_last_end_and_only_while_nothing_runs() -> None:
    ledger = ledger_of(plan(pause=50.0))
    gate = Gate(ledger)
    gate.sheet_ended(NOW)
    assert gate.keep_back(SheetRow(1), NOW) == NOW + 50
    ledger.start(Step(), ledger.row(2), NOW)
    assert gate.keep_back(SheetRow(1), NOW) is None


def test_a_restart_knows_the_last_start_and_end_but_for_what_was_skipped() -> None:
    rows = [
        SheetRow(1, SheetStatus.COMPLETED, 1, started_at=80.0, finished_at=90.0),
        SheetRow(2, SheetStatus.SKIPPED, 1, started_at=95.0, finished_at=99.0),
        SheetRow(3, SheetStatus.CANCELLED, finished_at=99.5),
    ]
    assert Gate(ledger_of(plan(pause=50.0), rows)).keep_back(SheetRow(4), NOW) == 140.0
    assert Gate(ledger_of(plan(stagger=50.0), rows)).keep_back(SheetRow(4), NOW) == 145.0


def test_an_instrument_that_keeps_failing_is_left_alone_for_a_while() -> None:
    ledger = ledger_of(plan(AGENT))
    gate = Gate(ledger)
    step = fail(gate, ledger, THRESHOLD - 1)
    assert gate.keep_back(SheetRow(7), NOW) is None
    step = fail(gate, ledger, 1)
    assert data(step, "job.breaker") == {
        "instrument": "agent",
        "failures": THRESHOLD,
        "seconds": FIRST_WAIT,
    }
    assert "agent" in job_fields(step)["options"]["breakers"]
    assert gate.keep_back(SheetRow(8), NOW) == NOW + FIRST_WAIT
    assert gate.keeps(8)
    assert gate.kept_back()[8].data == {"instrument": "agent", "until": NOW + FIRST_WAIT}


def test_one_sheet_tries_the_others_are_told_and_its_success_wakes_them() -> None:
    ledger = ledger_of(plan(AGENT))
    gate = Gate(ledger)
    fail(gate, ledger)
    later = NOW + FIRST_WAIT
    assert gate.keep_back(SheetRow(6), later) is None
    assert gate.keep_back(SheetRow(7), later) == math.inf
    step = Step()
    gate.note(step, SheetRow(6), ended(6), later)
    assert step.now == [WakeAt(7, later)]
    assert events(step) == []
    assert job_fields(step)["options"]["breakers"] == {}
    assert gate.keep_back(SheetRow(7), later) is None


def test_a_restart_knows_which_instruments_are_left_alone() -> None:
    ledger = ledger_of(plan(AGENT))
    fail(Gate(ledger), ledger)
    assert Gate(ledger).keep_back(SheetRow(8), NOW) == NOW + FIRST_WAIT


def test_other_instruments_and_programs_go_on() -> None:
    mixed = with_sheet(plan(AGENT), 8, instrument=Instrument("other"))
    ledger = ledger_of(with_sheet(mixed, 7, instrument=SHELL))
    gate = Gate(ledger)
    fail(gate, ledger)
    assert [gate.keep_back(SheetRow(num), NOW) for num in (7, 8)] == [None, None]


def test_a_program_has_no_breaker() -> None:
    ledger = ledger_of(plan(SHELL))
    gate = Gate(ledger)
    assert fail(gate, ledger, 8) == Step()
    assert gate.keep_back(SheetRow(1), NOW) is None


def test_what_could_not_begin_waits_longer_each_time_up_to_a_bound() -> None:
    gate = Gate(ledger_of(plan()))
    first, longest = BEGIN_AGAIN
    waits = [gate.begin_again_after(1) for _ in range(30)]
    assert waits[:3] == [first, 2 * first, 4 * first]
    assert waits[-1] == longest
    assert gate.begin_again_after(2) == first, "each sheet for itself"
    gate.has_begun(1)
    assert gate.begin_again_after(1) == first


@pytest.mark.parametrize("by", [-50.0, 50.0])
def test_what_is_promised_moves_along_with_the_clock(by: float) -> None:
    ledger, step = ledger_of(plan(AGENT, stagger=2.0)), Step()
    gate = Gate(ledger)
    gate.keep_back(SheetRow(1), NOW)
    gate.keep_back(SheetRow(2), NOW)
    fail(gate, ledger)
    gate.moved(step, by)
    assert gate.kept_back()[2].data == {"until": NOW + 2 + by}
    assert job_fields(step)["options"]["breakers"]["agent"][2] == NOW + FIRST_WAIT + by


def test_a_clock_that_is_set_while_nothing_is_left_alone_writes_nothing() -> None:
    step = Step()
    Gate(ledger_of(plan(stagger=2.0))).moved(step, 50.0)
    assert step == Step()
