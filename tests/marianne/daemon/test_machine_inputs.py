"""How the parts of a job's machine work together: what each input does, and when nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from job_play import plan_of
from ledger_stage import (
    CHAIN,
    NOW,
    attempts,
    ended,
    events,
    job_fields,
    ledger_of,
    saved,
    statuses,
    with_sheet,
)

from marianne.daemon.job.machine import JobMachine
from marianne.daemon.shared.effects import (
    Acknowledge,
    EndSheets,
    Register,
    Release,
    Requeue,
    Run,
    Step,
    WakeAt,
)
from marianne.model.plan import Instrument, Plan
from marianne.model.result import AttemptResult
from marianne.score.models import CostLimits
from marianne.state.changes import UpdateJob
from marianne.state.models import JobRow, JobStatus, SheetRow, SheetStatus

RUNNING, WAITING, DONE = SheetStatus.RUNNING, SheetStatus.WAITING, SheetStatus.COMPLETED
RAW = Instrument("shell", raw_prompt=True)
APART: dict[int, tuple[int, ...]] = {1: (), 2: (), 3: ()}


def machine_of(
    plan: Plan | dict[int, tuple[int, ...]],
    rows: Iterable[SheetRow] = (),
    status: JobStatus = JobStatus.RUNNING,
    **job: Any,
) -> JobMachine:
    plan = plan if isinstance(plan, Plan) else plan_of(plan)
    row = JobRow("job", "job", status, "/w", 0.0, len(plan.sheets), **job)
    return JobMachine(plan, row, {one.num: one for one in rows}, lambda: 0.5)


def running(num: int = 1, attempt: int = 1) -> SheetRow:
    return SheetRow(num, RUNNING, attempt, started_at=NOW - 10)


def kinds(step: Step) -> list[str]:
    return [type(effect).__name__ for effect in (*step.now, *step.after)]


# -- from the worker -------------------------------------------------------------------------------


def test_the_true_start_of_an_attempt_is_shown_and_no_other_attempts() -> None:
    machine = machine_of(APART, [running()])
    for attempt, shown in ((2, NOW - 10), (1, NOW - 7)):
        assert machine.began(1, attempt, NOW - 7) == Step()
        assert machine.rows[1].started_at == shown


def test_what_the_worker_said_itself_it_is_not_told_again() -> None:
    machine = machine_of(with_sheet(plan_of(CHAIN), 2, skip_when="true"), [running()])
    machine.result(ended(1), NOW)
    (run,) = (effect for effect in machine.grant(2, NOW).now if isinstance(effect, Run))
    assert run.states == {}


@pytest.mark.parametrize(("outcome", "begins"), [("completed", False), ("skipped", True)])
def test_the_pause_between_sheets_begins_with_the_end_of_one_that_ran(
    outcome: str, begins: bool
) -> None:
    plan = replace(plan_of(CHAIN), pause_between_sheets_seconds=50.0)
    machine = machine_of(plan, [running()])
    machine.result(ended(1, outcome), NOW)
    assert ("Run" in kinds(machine.grant(2, NOW))) is begins


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "skipped"])
def test_the_result_of_a_further_attempt_of_a_sheet_that_is_over_is_only_acknowledged(
    status: str,
) -> None:
    machine = machine_of(APART, [SheetRow(1, SheetStatus(status), 1)])
    step = machine.result(ended(1, attempt=2, serial=7), NOW)
    assert step == Step(after=[Acknowledge(7)])
    assert machine.rows[1] == SheetRow(1, SheetStatus(status), 1)


@pytest.mark.parametrize("attempt", [1, 4])
def test_a_result_of_another_attempt_is_only_acknowledged(attempt: int) -> None:
    machine = machine_of(APART, [running(1, 2)])
    assert machine.result(ended(1, attempt=attempt, serial=7), NOW).now == []
    assert machine.rows[1].status is RUNNING


def test_a_result_of_a_sheet_that_the_plan_has_no_more_is_only_acknowledged() -> None:
    machine = machine_of(APART)
    assert machine.result(ended(9, serial=7), NOW) == Step(after=[Acknowledge(7)])
    assert 9 not in machine.rows


def test_a_job_that_costs_too_much_pauses_unless_it_pauses_already_for_another_reason() -> None:
    section = CostLimits.model_validate({"max_cost_per_job": 1.0}).model_dump()
    plan = replace(plan_of(APART), extras={"cost_limits": section})
    for status, reason in ((JobStatus.RUNNING, "cost"), (JobStatus.PAUSING, "person")):
        rows = [running(1), running(2)]
        machine = machine_of(plan, rows, status, reason="person")
        machine.result(ended(1, usage={"cost_usd": 2.0}), NOW)
        assert (machine.job.status, machine.job.reason) == (JobStatus.PAUSING, reason)


@pytest.mark.parametrize(
    ("row", "attempt"), [(SheetRow(1, DONE, 1), 2), (running(1, 3), 2), (SheetRow(1), 2)]
)
def test_what_the_worker_should_not_run_is_ended(row: SheetRow, attempt: int) -> None:
    before = replace(row)
    machine = machine_of(APART, [row, running(2)])
    step = machine.recover([(1, attempt), (2, 1)], NOW)
    assert EndSheets((1,), "lost") in step.now
    assert machine.rows[1].status is not RUNNING
    assert machine.rows[1].attempt == before.attempt


def test_a_paused_job_stays_so_though_its_sheets_are_all_over() -> None:
    machine = machine_of(APART, [SheetRow(n, DONE, 1) for n in APART], JobStatus.PAUSED)
    assert machine.recover((), NOW) == Step()


@pytest.mark.parametrize("status", [JobStatus.PAUSED, JobStatus.CANCELLING, JobStatus.FAILED])
def test_a_job_that_does_not_go_on_does_not_fail_for_its_lost_workers(status: JobStatus) -> None:
    machine = machine_of(APART, status=status)
    assert machine.lost_too_often([1], "why", NOW) == Step()


# -- from the scheduler ----------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize(
    ("row", "status"),
    [
        (SheetRow(1), JobStatus.PAUSING),
        (running(), JobStatus.RUNNING),
        (SheetRow(1, DONE, 1), JobStatus.RUNNING),
    ],
)
def test_a_grant_that_comes_too_late_is_given_back(
    row: SheetRow, status: JobStatus, ahead: bool
) -> None:
    machine = machine_of(APART, [row], status)
    step = (machine.grant_ahead if ahead else machine.grant)(1, NOW)
    assert step == Step(now=[Release(1)])


def test_nothing_is_lent_to_a_job_that_does_not_run() -> None:
    plan = plan_of(APART)
    plan = replace(plan, sheets=tuple(replace(s, instrument=RAW) for s in plan.sheets))
    machine = machine_of(plan, [running(1), running(2)])
    machine.result(replace(ended(1), started_at=NOW - 0.001), NOW)
    assert machine.lends() > 0
    machine.pause("person", NOW)
    assert machine.lends() == 0


# -- timers ----------------------------------------------------------------------------------------


def kept_back(status: JobStatus = JobStatus.RUNNING) -> JobMachine:
    """Sheet 1 runs, sheet 2 was promised a time by the job's pace."""
    machine = machine_of(replace(plan_of(APART), stagger_seconds=2.0))
    machine.grant(1, NOW)
    assert machine.grant(2, NOW).now == [Release(2), WakeAt(2, NOW + 2)]
    if status is JobStatus.PAUSING:
        machine.pause("person", NOW)
    return machine


def test_a_sheet_that_was_kept_back_is_queued_at_its_time_and_no_other_is() -> None:
    machine = kept_back()
    assert kinds(machine.due(2, NOW + 2)) == ["Requeue"]
    assert kinds(machine.due(3, NOW + 2)) == []
    assert kinds(kept_back(JobStatus.PAUSING).due(2, NOW + 2)) == []


@pytest.mark.parametrize(
    ("status", "queued"), [(JobStatus.RUNNING, ["Requeue"]), (JobStatus.PAUSING, [])]
)
def test_a_wait_that_is_over_is_written_and_queued_where_the_job_runs(
    status: JobStatus, queued: list[str]
) -> None:
    machine = machine_of(APART, [SheetRow(1, WAITING, 1, due_at=NOW), running(2)], status)
    step = machine.due(1, NOW)
    assert (saved(step), kinds(step)) == ([(1, "pending")], queued)
    assert machine.rows[1].due_at is None


@pytest.mark.parametrize(("category", "ends"), [("rate_limit", True), ("exit", False)])
def test_a_limit_that_was_lifted_ends_the_waits_for_it_alone(category: str, ends: bool) -> None:
    row = SheetRow(1, WAITING, 1, category=category, due_at=NOW + 600)
    machine = machine_of(APART, [row])
    step = machine.limit_ended(1, NOW)
    assert any(isinstance(effect, Requeue) for effect in step.now) is ends
    assert machine.limit_ended(2, NOW) == Step()


def test_a_clock_that_is_set_moves_what_waits_and_what_was_promised() -> None:
    machine = kept_back()
    machine.rows[3] = SheetRow(3, WAITING, 1, due_at=NOW + 60)
    step = machine.clock_set(1000.0)
    assert saved(step) == [(3, "waiting")]
    assert machine.rows[3].due_at == NOW + 1060
    assert machine.kept_back()[2].data == {"until": NOW + 1002}


# -- from people, and from whoever keeps the job's actors ------------------------------------------


def test_a_pause_takes_over_the_reason_of_one_that_is_not_in_force_yet() -> None:
    machine = machine_of(APART, [running()], JobStatus.PAUSING, reason="pressure")
    assert machine.pause("pressure", NOW) == Step()
    assert job_fields(machine.pause("person", NOW))["reason"] == "person"


@pytest.mark.parametrize("reason", ["person", "modify", "cost", "crashes"])
def test_pressure_takes_over_no_pause_that_would_not_end_by_itself(reason: str) -> None:
    machine = machine_of(APART, [running()], JobStatus.PAUSING, reason=reason)
    assert machine.pause("pressure", NOW) == Step()
    assert machine.job.reason == reason, "else it went on when the pressure falls"


def test_a_resume_forgets_why_and_the_deaths_before_it() -> None:
    machine = machine_of(APART, [running()], JobStatus.PAUSING, reason="person", crashes=3)
    step = machine.resume(NOW)
    assert job_fields(step) == {"status": JobStatus.RUNNING, "reason": None, "crashes": 0}
    assert isinstance(step.now[0], Register)
    assert machine.resume(NOW) == Step()


def test_a_job_that_never_ran_is_cancelled_in_one_step() -> None:
    machine = machine_of(APART, status=JobStatus.QUEUED)
    step = machine.cancel(NOW)
    assert job_fields(step)["status"] is JobStatus.CANCELLED
    written = [change.fields for change in step.changes if isinstance(change, UpdateJob)]
    assert [fields["status"] for fields in written] == [JobStatus.CANCELLED]
    assert machine.cancel(NOW) == Step()


def test_a_job_without_actors_is_abandoned_with_what_ran_as_lost() -> None:
    machine = machine_of(APART, [running()])
    step = machine.abandon(NOW)
    assert [(a.num, a.category) for a in attempts(step)] == [(1, "lost")]
    assert machine.job.status is JobStatus.CANCELLED
    assert statuses(machine.ledger) == ["cancelled"] * 3


def test_a_job_that_is_held_stands_still_and_what_ran_may_run_again() -> None:
    machine = machine_of(APART, [running()])
    step = machine.hold(NOW)
    assert (machine.job.status, machine.job.reason) == (JobStatus.PAUSED, "crashes")
    assert saved(step) == [(1, "pending")]
    assert events(step) == [("sheet.interrupted", 1), ("job.paused", None)]
    assert machine.take_lost() == [1]


def test_the_machine_and_its_ledger_speak_of_the_same_rows() -> None:
    ledger = ledger_of(CHAIN)
    machine = JobMachine(ledger.plan, ledger.job, {}, lambda: 0.5)
    machine.grant(1, NOW)
    assert machine.rows is machine.ledger.rows
    assert machine.job is machine.ledger.job


@pytest.mark.parametrize("told", ["result", "hello"])
def test_an_attempt_that_follows_one_that_was_lost_is_taken_though_neither_was_written(
    told: str,
) -> None:
    """An incarnation found the first one lost, had the second run, and died before its commit."""
    row = SheetRow(1, SheetStatus.RUNNING, 1, started_at=1.0)
    job = JobRow("a", "a", JobStatus.RUNNING, "/w", 0.0, 1)
    machine = JobMachine(plan_of({1: ()}), job, {1: row}, lambda: 0.0)
    machine.knows_what_runs = False
    if told == "hello":
        machine.recover([(1, 2)], 4.0)
        assert (row.status, row.attempt) == (SheetStatus.RUNNING, 2)
    machine.result(AttemptResult(1, 2, "completed", 5.0, 6.0, serial=7, exit_code=0), 6.0)
    machine.recover([], 7.0)
    assert (machine.rows[1].status, machine.rows[1].attempt) == (SheetStatus.COMPLETED, 2)
    assert machine.job.status is JobStatus.COMPLETED
