"""What runs for the end of other sheets, whatever it was: cleanup and alarm, after a cancel too."""

from __future__ import annotations

from dataclasses import replace

import pytest
from job_play import Play, plan_of, with_list
from ledger_stage import with_sheet

from marianne.daemon.job.aftermath import CUT_SHORT
from marianne.daemon.job.reset import reset
from marianne.daemon.shared.effects import EndSheets, Requeue, Step
from marianne.daemon.views.wire import sheet_map
from marianne.model.plan import Plan, When
from marianne.state.models import JobStatus, SheetStatus

PAIR = {1: (), 2: (1,), 3: (1, 2)}


def closing(
    when: When, needs: dict[int, tuple[int, ...]] = PAIR, *, after_cancel: bool = False
) -> Plan:
    """A plan whose last sheet runs for that end of its needs."""
    return with_sheet(plan_of(needs), len(needs), when=when, after_cancel=after_cancel)


def statuses(play: Play) -> list[str]:
    return [str(play.disk[n].status) for n in sorted(play.disk)]


def fails(*nums: int) -> object:
    return lambda num: "failed" if num in nums else "completed"


# -- which end it runs for -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "failing", "expected", "finished"),
    [
        ("always", (), ["completed"] * 3, "completed"),
        ("always", (2,), ["completed", "failed", "completed"], "failed"),
        ("always", (1,), ["failed", "skipped", "completed"], "failed"),
        ("always", (3,), ["completed", "completed", "failed"], "failed"),
        ("failed", (), ["completed", "completed", "skipped"], "completed"),
        ("failed", (2,), ["completed", "failed", "completed"], "failed"),
        ("failed", (1,), ["failed", "skipped", "completed"], "failed"),
        ("succeeded", (1,), ["failed", "skipped", "skipped"], "failed"),
    ],
)
def test_a_sheet_runs_for_the_end_that_it_names(
    when: When, failing: tuple[int, ...], expected: list[str], finished: str
) -> None:
    play = Play(closing(when))
    play.run_out(fails(*failing))  # type: ignore[arg-type]
    assert statuses(play) == expected
    assert play.finished == finished


def test_it_waits_for_the_last_end_and_says_for_which() -> None:
    play = Play(closing("always"))
    play.grant(1)
    why = play.machine.kept_back()[3]
    assert (why.code, why.data["needs"]) == ("needs", [1, 2])
    assert why.text == "it waits for the end of sheets 1, 2 (when: always)"
    play.end(1, "failed", "exit")
    assert play.queue == {3}
    assert play.machine.kept_back() == {}


def test_it_is_queued_when_the_last_end_is_on_disk_and_not_before() -> None:
    play = Play(closing("always", {1: (), 2: (1,)}))
    play.grant(1)
    attempt = play.running.pop(1)
    result = play._spooled(_result(attempt))
    step = play.machine.result(result, play.now)
    assert not [effect for effect in step.now if isinstance(effect, Requeue)]
    play.take(step)
    assert play.queue == {2}


def test_one_that_is_not_needed_takes_its_dependents_with_it_and_fails_nothing() -> None:
    plan = closing("failed", {1: (), 2: (1,)})
    plan = replace(plan, sheets=(*plan.sheets, plan_of({1: (), 2: (), 3: (2,)}).sheets[2]))
    play = Play(plan)
    play.run_out()
    assert statuses(play) == ["completed", "skipped", "skipped"]
    assert play.disk[2].message == "not needed: nothing that it waits for has failed"
    assert play.disk[3].message == "sheet 2 did not run"
    assert play.finished is JobStatus.COMPLETED


def test_what_needs_a_cleanup_runs_when_it_has_completed() -> None:
    plan = with_sheet(plan_of({1: (), 2: (1,), 3: (2,)}), 2, when="failed")
    play = Play(plan)
    play.run_out(fails(1))  # type: ignore[arg-type]
    assert statuses(play) == ["failed", "completed", "completed"]


def test_it_is_ready_when_its_needs_have_ended() -> None:
    play = Play(closing("always"))
    plan, rows = play.plan, play.disk
    assert sheet_map(plan, rows, 3)["status"] == "pending"
    play.grant(1)
    play.end(1, "failed", "exit")
    assert sheet_map(plan, rows, 3)["status"] == "ready"


@pytest.mark.parametrize("restarts", [False, True])
def test_an_alarm_is_raised_by_an_item_of_a_list_that_is_made_in_the_run(restarts: bool) -> None:
    play = Play(with_list(closing("failed", {1: (), 2: (1,)}), 1))
    play.grant(1)
    play.end(1, items=["a", "b"])
    if restarts:
        play.restart(worker=True)
    assert play.machine.kept_back()[2].data["needs"] == [3, 4]
    play.run_out(fails(4))  # type: ignore[arg-type]
    assert statuses(play) == ["completed", "completed", "completed", "failed"]


def test_what_began_of_a_list_is_tidied_up_after_a_cancel() -> None:
    play = Play(with_list(closing("always", {1: (), 2: (1,)}, after_cancel=True), 1))
    play.grant(1)
    play.end(1, items=["a", "b"])
    play.grant(3)
    play.take(play.machine.cancel(play.now))
    play.run_out()
    assert statuses(play) == ["completed", "completed", "cancelled", "cancelled"]


# -- restarts and pauses -------------------------------------------------------------------------


@pytest.mark.parametrize("worker", [True, False])
def test_a_restart_comes_to_the_same(worker: bool) -> None:
    play = Play(closing("failed"))
    play.grant(1)
    play.end(1, "failed", "exit")
    play.restart(worker=worker)
    assert play.queue == {3}
    play.grant(3)
    play.restart(worker=worker)
    play.run_out()
    assert statuses(play) == ["failed", "skipped", "completed"]


def test_a_pause_holds_it_back_and_the_resumed_job_runs_it_once() -> None:
    play = Play(closing("always", {1: (), 2: (1,)}))
    play.grant(1)
    attempt = play.running.pop(1)
    step = play.machine.result(play._spooled(_result(attempt)), play.now)
    # On its way to the disk the job pauses and goes on: it is queued once, and runs already.
    pause = play.machine.pause("person", play.now)
    play.now += 1
    step.extend(pause)
    play.take(step)
    assert play.queue == set()
    assert play.disk_job.status is JobStatus.PAUSED


def test_what_is_freed_twice_is_queued_once() -> None:
    play = Play(closing("always", {1: (), 2: (1,), 3: ()}))
    play.grant(1)
    play.grant(3)
    attempt = play.running.pop(1)
    step = play.machine.result(play._spooled(_result(attempt)), play.now)
    after, step.after = step.after, []
    play.take(step)
    play.take(play.machine.pause("person", play.now))
    play.take(play.machine.resume(play.now))
    play.grant(2)
    play.take(Step(after=after))  # only now the end is on disk
    assert play.queue == set()
    assert 2 in play.slots


# -- cancel --------------------------------------------------------------------------------------


def test_a_cancel_leaves_out_what_does_not_say_that_it_runs_then() -> None:
    play = Play(closing("always"))
    play.grant(1)
    play.take(play.machine.cancel(play.now))
    assert statuses(play) == ["cancelled"] * 3
    assert play.finished is JobStatus.CANCELLED


@pytest.mark.parametrize("when", ["always", "failed"])
@pytest.mark.parametrize("worker", [True, False, None])
def test_after_a_cancel_it_runs_when_nothing_else_does(when: When, worker: bool | None) -> None:
    play = Play(closing(when, after_cancel=True))
    play.grant(1)
    play.take(play.machine.cancel(play.now))
    assert statuses(play)[:2] == ["cancelled"] * 2
    assert (play.queue, play.finished) == ({3}, None)
    if worker is not None:
        play.restart(worker=worker)
    assert play.disk_job.status is JobStatus.CANCELLING
    play.grant(3)
    if worker is not None:
        play.restart(worker=worker)
    play.run_out()
    assert str(play.disk[3].status) == "completed"
    assert (play.finished, play.disk_job.error) == (JobStatus.CANCELLED, None)


def test_a_cleanup_that_fails_after_a_cancel_is_the_jobs_error() -> None:
    play = Play(closing("always", after_cancel=True))
    play.grant(1)
    play.take(play.machine.cancel(play.now))
    play.run_out(fails(3))  # type: ignore[arg-type]
    assert (play.finished, play.disk_job.error) == (JobStatus.CANCELLED, "sheet 3 (s3) failed")


def test_what_waits_for_nothing_that_had_begun_does_not_run_after_a_cancel() -> None:
    play = Play(closing("always", {1: (), 2: (), 3: (1,)}, after_cancel=True))
    play.grant(2)
    play.take(play.machine.cancel(play.now))
    assert play.finished is JobStatus.CANCELLED
    assert play.disk[3].message == "not needed: nothing that it waits for had begun"


@pytest.mark.parametrize("status", [JobStatus.QUEUED, JobStatus.PENDING, JobStatus.PAUSED])
def test_a_job_that_never_began_is_cancelled_at_once(status: JobStatus) -> None:
    play = Play(closing("always", after_cancel=True), status)
    play.take(play.machine.cancel(play.now))
    assert statuses(play) == ["cancelled"] * 3
    assert play.disk_job.status is JobStatus.CANCELLED


def test_a_cancel_leaves_one_alone_that_runs_already() -> None:
    play = Play(closing("always", {1: (), 2: (), 3: (1,)}, after_cancel=True))
    play.grant(1)
    play.end(1)
    play.grant(2)
    play.grant(3)
    step = play.machine.cancel(play.now)
    assert [e.nums for e in step.now if isinstance(e, EndSheets)] == [(2,)]
    play.take(step)
    assert play.running == {3: 1}
    play.run_out()
    assert statuses(play) == ["completed", "cancelled", "completed"]
    assert play.finished is JobStatus.CANCELLED


def test_a_second_cancel_ends_it_for_good() -> None:
    play = Play(closing("always", after_cancel=True))
    play.grant(1)
    play.take(play.machine.cancel(play.now))
    play.grant(3)
    play.take(play.machine.cancel(play.now, again=True))
    assert statuses(play) == ["cancelled"] * 3
    assert play.finished is JobStatus.CANCELLED
    assert play.disk_job.options[CUT_SHORT]


def test_a_second_cancel_is_not_forgotten_over_a_death() -> None:
    play = Play(closing("always", after_cancel=True))
    play.grant(1)
    play.take(play.machine.cancel(play.now))
    play.grant(3)
    step = play.machine.cancel(play.now, again=True)
    for change in step.changes:
        play._commit(change)
    play.restart(worker=True)  # before its effects
    assert play.finished is JobStatus.CANCELLED
    assert statuses(play) == ["cancelled"] * 3


def test_a_stop_that_ends_it_is_made_good_by_the_next_start() -> None:
    play = Play(closing("always", after_cancel=True))
    play.grant(1)
    play.take(play.machine.cancel(play.now))
    play.grant(3)
    play.end(3, "interrupted", "stopped")
    assert play.finished is None
    play.restart(worker=True)
    play.run_out()
    assert (play.finished, play.disk[3].status) == (JobStatus.CANCELLED, SheetStatus.COMPLETED)


def test_its_retries_are_its_own_after_a_cancel_too() -> None:
    plan = plan_of({1: (), 2: (1,)}, retries=1)
    play = Play(with_sheet(plan, 2, when="always", after_cancel=True))
    play.grant(1)
    play.take(play.machine.cancel(play.now))
    play.grant(2)
    play.end(2, "failed", "exit")
    assert str(play.disk[2].status) == "waiting"
    play.run_out()
    assert (str(play.disk[2].status), play.disk[2].attempt) == ("completed", 2)
    assert play.finished is JobStatus.CANCELLED


def test_a_chain_of_them_runs_in_order_after_a_cancel() -> None:
    plan = with_sheet(plan_of({1: (), 2: (1,), 3: (2,)}), 2, when="always", after_cancel=True)
    play = Play(with_sheet(plan, 3, when="always", after_cancel=True))
    play.grant(1)
    play.take(play.machine.cancel(play.now))
    assert play.queue == {2}
    play.run_out()
    assert statuses(play) == ["cancelled", "completed", "completed"]


def test_a_cancel_before_the_worker_is_heard_waits_for_what_it_says() -> None:
    play = Play(closing("always", after_cancel=True))
    play.grant(1)
    play.machine = play._machine()
    play.machine.knows_what_runs = False
    play.take(play.machine.cancel(play.now))
    assert (play.queue, play.finished) == (set(), None)
    play.take(play.machine.recover(play.running.items(), play.now))
    assert play.queue == {3}


def test_a_job_whose_time_is_up_runs_what_runs_after_a_cancel_and_has_failed() -> None:
    play = Play(closing("always", after_cancel=True))
    play.grant(1)
    for _ in range(2):
        play.take(play.machine.tick(play.now, 5.0))
        play.now += 10.0
    assert play.queue == {3}
    play.run_out()
    assert play.finished is JobStatus.FAILED
    assert "longer than job_timeout_seconds" in (play.disk_job.error or "")


def test_one_that_ends_its_worker_each_time_fails_and_the_job_is_cancelled() -> None:
    play = Play(closing("always", after_cancel=True))
    play.grant(1)
    play.take(play.machine.cancel(play.now))
    play.grant(3)
    play.running.clear()
    play.take(play.machine.lost_too_often([3], "its worker was killed three times", play.now))
    assert (play.finished, play.disk[3].status) == (JobStatus.CANCELLED, SheetStatus.FAILED)


def test_a_job_that_is_abandoned_runs_nothing_more() -> None:
    play = Play(closing("always", after_cancel=True))
    play.grant(1)
    play.running.clear()
    step = play.machine.abandon(play.now)
    for change in step.changes:
        play._commit(change)
    assert play.disk_job.status is JobStatus.CANCELLED
    assert statuses(play) == ["cancelled"] * 3


# -- again ---------------------------------------------------------------------------------------


def test_it_runs_again_when_something_that_it_waits_for_does() -> None:
    play = Play(closing("always"))
    play.run_out(fails(2))  # type: ignore[arg-type]
    step = Step()
    reset(play.machine.ledger, step, None)
    assert [str(play.machine.rows[n].status) for n in (1, 2, 3)] == [
        "completed",
        "pending",
        "pending",
    ]


def test_it_does_not_run_again_for_what_it_does_not_wait_for() -> None:
    play = Play(closing("always", {1: (), 2: (), 3: (1,)}))
    play.run_out(fails(2))  # type: ignore[arg-type]
    reset(play.machine.ledger, Step(), None)
    assert str(play.machine.rows[3].status) == "completed"


def test_one_that_is_run_again_by_name_leaves_what_failed_before_it_alone() -> None:
    play = Play(closing("failed"))
    play.run_out(fails(2))  # type: ignore[arg-type]
    assert play.machine.unmet([3]) == set()
    reset(play.machine.ledger, Step(), [3])
    assert [str(play.machine.rows[n].status) for n in (1, 2, 3)] == [
        "completed",
        "failed",
        "pending",
    ]


def _result(attempt: int) -> object:
    from marianne.model.result import AttemptResult

    return AttemptResult(1, attempt, "completed", 100.0, 100.5)
