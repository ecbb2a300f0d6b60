"""What bounds a job beside its retries: pace, cost, rate limits, instruments that are not there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from job_play import Play, plan_of

from marianne.model.plan import CrossSheet, Instrument, Plan, SkipCommand
from marianne.model.result import AttemptResult
from marianne.score.models import CostLimits, RateLimit
from marianne.state.models import JobStatus, SheetStatus

GHOST = Instrument("ghost", unavailable="the program 'ghost' is not installed")
OTHER = Instrument("other")


def _with(plan: Plan, num: int, **fields: Any) -> Plan:
    sheets = tuple(replace(s, **fields) if s.num == num else s for s in plan.sheets)
    return replace(plan, sheets=sheets)


def _use(play: Play, num: int, usage: Mapping[str, Any], **fields: Any) -> None:
    """Grants the sheet and ends its attempt, which used so much."""
    play.grant(num)
    attempt = play.running.pop(num)
    outcome = fields.pop("outcome", "completed")
    play.now += 1.0
    result = AttemptResult(
        num, attempt, outcome, play.now - 1, play.now, attempt, usage=dict(usage), **fields
    )
    play.take(play.machine.result(result, play.now))


def _costing(needs: dict[int, tuple[int, ...]], retries: int = 0, **limits: Any) -> Plan:
    section = CostLimits.model_validate(limits).model_dump()
    return replace(plan_of(needs, retries), extras={"cost_limits": section})


CHAIN = {1: (), 2: (1,), 3: (2,), 4: (3,)}


def test_a_stagger_puts_time_between_the_starts_of_sheets() -> None:
    play = Play(replace(plan_of({1: (), 2: (), 3: ()}), stagger_seconds=2.0))
    for _ in range(3):
        play.grant()
    assert list(play.running) == [1]
    assert play.timers == {2: play.now + 2, 3: play.now + 4}
    assert play.slots == {1}, "one that waits for its time holds no slot"
    play.wake(2)
    play.grant()
    assert list(play.running) == [1, 2]
    assert play.events.count(("sheet.started", 2)) == 1


def test_a_pause_between_sheets_outlives_a_restart() -> None:
    play = Play(replace(plan_of({1: (), 2: (1,)}), pause_between_sheets_seconds=50.0))
    play.grant()
    play.end(1)
    play.restart(worker=True)
    play.grant()
    assert play.timers == {2: play.disk[1].finished_at + 50}  # type: ignore[operator]
    play.run_out()
    assert play.finished is JobStatus.COMPLETED


def test_a_sheet_that_waits_for_its_time_is_paused_and_resumed_with_its_job() -> None:
    play = Play(replace(plan_of({1: (), 2: ()}), stagger_seconds=2.0))
    play.grant()
    play.grant()
    play.take(play.machine.pause("person", play.now))
    play.wake(2)
    assert not play.queue
    play.take(play.machine.resume(play.now))
    play.run_out()
    assert play.finished is JobStatus.COMPLETED


def test_tokens_and_cost_are_summed_into_the_job_and_survive_a_restart() -> None:
    play = Play(plan_of(CHAIN, retries=1))
    _use(play, 1, {"input_tokens": 10, "output_tokens": 5, "cost_usd": 0.5})
    play.restart(worker=False)
    _use(play, 2, {"input_tokens": 1, "cost_usd": 0.25}, outcome="failed", category="exit")
    assert play.disk_job.options["account"]["cost_usd"] == 0.75
    assert play.disk_job.options["account"]["input_tokens"] == 11
    assert [e for e, _ in play.events].count("job.cost_update") == 2


def test_a_job_that_costs_more_than_it_may_is_paused_with_that_reason() -> None:
    play = Play(_costing(CHAIN, max_cost_per_job=1.0))
    _use(play, 1, {"cost_usd": 0.9})
    assert play.disk_job.status is JobStatus.RUNNING
    _use(play, 2, {"cost_usd": 0.2})
    assert (play.finished, play.disk_job.reason) == (JobStatus.PAUSED, "cost")


def test_a_resume_gives_as_much_again() -> None:
    play = Play(_costing(CHAIN, max_cost_per_job=1.0))
    _use(play, 1, {"cost_usd": 5.0})
    play.disk_job.status, play.finished = JobStatus.RUNNING, None
    play.restart(worker=False)
    _use(play, 2, {"cost_usd": 0.9})
    assert play.disk_job.status is JobStatus.RUNNING
    _use(play, 3, {"cost_usd": 0.2})
    assert play.finished is JobStatus.PAUSED


def test_what_still_ran_at_the_pause_does_not_use_up_the_next_budget() -> None:
    play = Play(_costing({1: (), 2: (), 3: ()}, max_cost_per_job=1.0))
    play.grant(1)
    _use(play, 2, {"cost_usd": 1.5})
    assert play.disk_job.status is JobStatus.PAUSING
    attempt = play.running.pop(1)
    usage = {"cost_usd": 1.5}
    result = AttemptResult(1, attempt, "completed", 1.0, 2.0, 9, usage=usage)
    play.take(play.machine.result(result, play.now))
    assert play.finished is JobStatus.PAUSED
    play.disk_job.status, play.finished = JobStatus.RUNNING, None
    play.restart(worker=False)
    _use(play, 3, {"cost_usd": 0.5})
    assert play.finished is JobStatus.COMPLETED


def test_a_job_that_is_over_is_not_paused_for_its_cost() -> None:
    play = Play(_costing({1: ()}, max_cost_per_job=1.0))
    _use(play, 1, {"cost_usd": 5.0})
    assert play.finished is JobStatus.COMPLETED


def test_a_warning_comes_once_at_its_share_of_the_limit() -> None:
    play = Play(_costing(CHAIN, max_cost_per_job=10.0, warn_at_percent=50))
    for num in (1, 2, 3):
        _use(play, num, {"cost_usd": 3.0})
    told = [data for event, data in play.told if event == "job.cost_update"]
    assert [data.get("warning") for data in told] == [None, "60 % of 10 spent", None]


def test_a_sheet_that_costs_more_than_it_may_fails_over_all_its_attempts() -> None:
    play = Play(_costing({1: ()}, retries=5, max_cost_per_sheet=1.0))
    for cost in (0.4, 0.4, 0.4):
        _use(play, 1, {"cost_usd": cost}, outcome="failed", category="exit")
        if play.timers:
            play.wake(1)
    assert (play.disk[1].status, play.disk[1].category) == (SheetStatus.FAILED, "cost")
    assert play.disk[1].attempt == 3


def test_the_score_prices_tokens_that_nobody_else_does() -> None:
    prices = {"cost_per_1k_input_tokens": 1, "cost_per_1k_output_tokens": 2}
    play = Play(_costing(CHAIN, max_cost_per_job=100, **prices))
    _use(play, 1, {"input_tokens": 500, "output_tokens": 1000})
    assert play.disk_job.options["account"]["cost_usd"] == 2.5
    _use(play, 2, {"input_tokens": 500, "cost_usd": 7})
    assert play.disk_job.options["account"]["cost_usd"] == 9.5


def test_limits_that_are_not_enabled_bound_nothing() -> None:
    play = Play(_costing(CHAIN, enabled=False, max_cost_per_job=1, max_cost_per_sheet=1))
    _use(play, 1, {"cost_usd": 50})
    assert play.disk_job.status is JobStatus.RUNNING


def _limited(play: Play, code: str = "E101") -> None:
    _use(play, 1, {}, outcome="failed", category="rate_limit", code=code)
    if play.timers:
        play.wake(1)


def _rated(**section: Any) -> Plan:
    return replace(plan_of({1: ()}), extras={"rate_limit": RateLimit(**section).model_dump()})


def test_the_score_says_how_long_a_rate_limit_waits_that_names_no_time() -> None:
    play = Play(_rated(wait_minutes=2))
    _use(play, 1, {}, outcome="failed", category="rate_limit")
    assert play.timers == {1: play.now + 120}
    play = Play(plan_of({1: ()}))
    _use(play, 1, {}, outcome="failed", category="rate_limit")
    assert play.timers == {1: play.now + 60}


@pytest.mark.parametrize(("code", "attempts"), [("E101", 3), ("E104", 2)])
def test_the_waits_are_bounded_for_limits_and_for_quotas(code: str, attempts: int) -> None:
    play = Play(_rated(max_waits=2, max_quota_waits=1))
    while play.finished is None:
        _limited(play, code)
        if play.disk[1].attempt == 1:
            play.restart(worker=False)
    assert play.finished is JobStatus.FAILED
    assert play.disk[1].attempt == attempts


def test_after_the_waits_comes_the_next_instrument_with_waits_of_its_own() -> None:
    play = Play(_with(_rated(max_waits=1), 1, fallbacks=(OTHER,)))
    while play.finished is None:
        _limited(play)
    assert (play.disk[1].attempt, play.disk[1].fallback) == (4, 1)


def test_a_sheet_without_an_instrument_fails_the_job_before_its_first_sheet() -> None:
    plan = _with(plan_of({1: (), 2: (1,), 3: (2,), 4: ()}), 2, instrument=GHOST, fallbacks=(GHOST,))
    play = Play(plan)
    assert play.finished is JobStatus.FAILED
    statuses = [str(play.disk[n].status) for n in (1, 2, 3, 4)]
    assert statuses == ["cancelled", "failed", "skipped", "cancelled"]
    assert "ghost" in (play.disk_job.error or "")
    assert "not installed" in (play.disk[2].message or "")


def test_every_sheet_that_has_no_instrument_has_failed_though_it_needs_another_such() -> None:
    plan = plan_of({1: (), 2: (1,), 3: (2,), 4: (3,)})
    for num in (1, 2, 4):
        plan = _with(plan, num, instrument=GHOST)
    play = Play(plan)
    assert play.finished is JobStatus.FAILED
    statuses = [str(play.disk[n].status) for n in (1, 2, 3, 4)]
    assert statuses == ["failed", "failed", "skipped", "failed"]
    assert [n for e, n in play.events if e == "sheet.failed"] == [1, 2, 4]


def test_one_that_may_be_skipped_is_waited_for() -> None:
    skip = SkipCommand("true")
    play = Play(_with(plan_of({1: (), 2: (1,)}), 2, instrument=GHOST, skip_when_command=skip))
    play.grant()
    play.end(1)
    play.grant()
    play.end(2, "skipped")
    assert play.finished is JobStatus.COMPLETED


def test_the_first_instrument_that_is_there_plays_without_an_attempt_for_the_others() -> None:
    plan = _with(plan_of({1: ()}), 1, instrument=GHOST, fallbacks=(GHOST, OTHER))
    play = Play(plan)
    play.grant()
    assert play.disk[1].fallback == 2
    play.end(1)
    assert play.finished is JobStatus.COMPLETED


def test_a_fallback_passes_over_those_that_are_not_there() -> None:
    play = Play(_with(plan_of({1: ()}), 1, fallbacks=(GHOST, OTHER)))
    play.grant()
    play.end(1, "failed", "exit")
    assert play.disk[1].fallback == 2


def test_sheets_before_the_one_that_was_asked_for_count_as_done() -> None:
    play = Play(plan_of(CHAIN), options={"start_sheet": 3})
    play.run_out()
    assert play.finished is JobStatus.COMPLETED
    assert [n for e, n in play.events if e == "sheet.started"] == [3, 4]
    assert [str(play.disk[n].status) for n in (1, 2)] == ["skipped", "skipped"]


def test_an_attempt_is_told_what_a_new_worker_cannot_know() -> None:
    plan = _with(plan_of({1: (), 2: (1,), 3: (2,)}), 1, fallbacks=(OTHER,))
    cross = CrossSheet(auto_capture_stdout=True, lookback_sheets=1)
    plan = _with(plan, 3, skip_when="sheets[1].status == 'skipped'", cross_sheet=cross)
    play = Play(_with(plan, 2, cross_sheet=cross))
    play.grant()
    play.end(1, "failed", "exit")
    play.wake(1)
    play.grant()
    play.end(1)
    play.grant()
    run = play.runs[-1]
    assert (run.outputs, run.played) == ({1: 2}, {1: 1})
    play.end(2)
    play.restart(worker=False)
    play.grant()
    assert play.runs[-1].states == {1: ("completed", 2, None), 2: ("completed", 1, None)}


def test_a_sheet_knows_which_of_its_needs_were_skipped_even_far_back() -> None:
    plan = _with(plan_of(CHAIN), 4, needs=(1, 3))
    play = Play(_with(plan, 4, cross_sheet=CrossSheet(True, lookback_sheets=1)))
    for num in (1, 2, 3):
        play.grant()
        play.end(num, "skipped" if num == 1 else "completed")
    play.grant()
    assert play.runs[-1].skipped == (1,)
