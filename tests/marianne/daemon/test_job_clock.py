"""How long a job has run: what is counted, what a restart finds, what a set clock does."""

from __future__ import annotations

from ledger_stage import CHAIN, job_fields, ledger_of, saved

from marianne.daemon.job.clock import CLOCK_SECONDS, JobClock
from marianne.daemon.shared.effects import Step
from marianne.state.models import SheetRow, SheetStatus


def test_the_first_look_only_begins() -> None:
    clock, step = JobClock(ledger_of(CHAIN)), Step()
    clock.count(step, 1000.0)
    assert (clock.ran, step) == (0.0, Step())


def test_the_time_between_looks_is_summed_and_kept() -> None:
    clock, step = JobClock(ledger_of(CHAIN)), Step()
    for now in (1000.0, 1010.0, 1025.26):
        clock.count(step, now)
    assert clock.ran == 1025.26 - 1000.0
    assert job_fields(step)["options"] == {"ran_seconds": 25.3}


def test_a_restart_goes_on_from_what_was_kept_and_counts_none_of_the_gap() -> None:
    clock = JobClock(ledger_of(CHAIN, ran_seconds=50.0))
    clock.count(Step(), 9000.0)
    clock.count(Step(), 9001.0)
    assert clock.ran == 51.0


def test_no_look_counts_more_than_two_and_none_less_than_nothing() -> None:
    clock = JobClock(ledger_of(CHAIN))
    for now in (1000.0, 1e9, 5.0):
        clock.count(Step(), now)
    assert clock.ran == 2 * CLOCK_SECONDS


def test_the_next_look_is_at_the_end_or_sooner_and_never_at_once() -> None:
    clock = JobClock(ledger_of(CHAIN, ran_seconds=100.0))
    assert clock.next_look(160.0) == 60.0
    assert clock.next_look(1e6) == CLOCK_SECONDS
    assert clock.next_look(50.0) == 0.001


def test_a_clock_that_is_set_counts_for_nothing() -> None:
    clock = JobClock(ledger_of(CHAIN))
    clock.count(Step(), 1000.0)
    clock.moved(Step(), 3600.0)
    clock.count(Step(), 4601.0)
    assert clock.ran == 1.0


def test_what_waits_moves_along_with_the_clock_and_nothing_else_does() -> None:
    rows = [
        SheetRow(1, SheetStatus.WAITING, due_at=1060.0),
        SheetRow(2, SheetStatus.RUNNING, started_at=1000.0),
        SheetRow(3, SheetStatus.WAITING),
    ]
    ledger, step = ledger_of(CHAIN, rows), Step()
    JobClock(ledger).moved(step, -100.0)
    assert [row.due_at for row in rows] == [960.0, None, None]
    assert rows[1].started_at == 1000.0
    assert saved(step) == [(1, "waiting")]
