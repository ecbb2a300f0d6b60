"""A job whose instrument keeps failing waits, holds no slot, and goes on when it works again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from job_play import Play, plan_of

from marianne.model.plan import Instrument, Plan
from marianne.schedule.breaker import THRESHOLD
from marianne.state.models import JobStatus

AGENT, SHELL = Instrument("agent"), Instrument("shell", raw_prompt=True)


def plan(instrument: Instrument, sheets: int = 8) -> Plan:
    made = plan_of(dict.fromkeys(range(1, sheets + 1), ()))
    return replace(made, sheets=tuple(replace(s, instrument=instrument) for s in made.sheets))


def failing(instrument: Instrument, times: int = THRESHOLD) -> Play:
    play = Play(plan(instrument))
    for _ in range(times):
        play.end(play.grant(), "failed", "exit")
    return play


def test_after_five_failures_nothing_of_it_begins_and_no_slot_is_held() -> None:
    play = failing(AGENT)
    assert [event for event, _ in play.told].count("job.breaker") == 1
    for _ in range(3):
        play.grant()
    assert not play.running
    assert not play.slots
    assert set(play.timers) == {6, 7, 8}
    reasons = play.machine.kept_back()
    assert {why.code for why in reasons.values()} == {"breaker"}
    assert reasons[6].data == {"instrument": "agent", "until": play.timers[6]}


def test_then_one_sheet_tries_and_its_success_lets_all_go_on() -> None:
    play = failing(AGENT)
    for _ in range(3):
        play.grant()
    for num in (6, 7, 8):
        play.wake(num)
    assert play.grant() == 6
    play.grant()
    play.grant()
    assert list(play.running) == [6], "the others wait for the one that tries"
    assert play.timers == {}
    play.end(6)
    assert set(play.timers) == {7, 8}
    play.run_out()
    assert play.machine.kept_back() == {}
    assert play.finished is JobStatus.FAILED
    assert play.machine.ledger.progress()["completed"] == 3


def test_a_try_that_fails_keeps_them_back_for_longer() -> None:
    play = failing(AGENT)
    play.grant()
    play.grant()
    first = play.timers[6] - play.now
    play.wake(6)
    play.wake(7)
    play.grant()
    play.grant()
    play.end(6, "failed", "exit")
    assert play.timers[7] - play.now > 1.5 * first


@pytest.mark.parametrize("worker", [True, False])
def test_a_restart_keeps_it_open(worker: bool) -> None:
    play = failing(AGENT)
    play.restart(worker=worker)
    play.grant()
    assert not play.running
    assert set(play.timers) == {6}
    play.run_out()
    assert play.machine.ledger.progress()["completed"] == 3


def test_a_paused_job_goes_on_through_it() -> None:
    play = failing(AGENT)
    play.grant()
    play.take(play.machine.pause("person", play.now))
    assert play.finished is JobStatus.PAUSED


def test_sheets_that_are_programs_of_their_own_have_none() -> None:
    play = failing(SHELL)
    play.grant()
    assert list(play.running) == [6]


def test_a_failed_check_is_no_failure_of_the_instrument() -> None:
    play = Play(plan(AGENT))
    for _ in range(THRESHOLD):
        play.end(play.grant(), "failed", "validation")
    play.grant()
    assert list(play.running) == [6]
