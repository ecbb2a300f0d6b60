"""What of a job runs when it is cancelled: what says so, once nothing else does."""

from __future__ import annotations

import pytest
from aftermath_plans import closing, fails, statuses
from job_play import Play, plan_of, with_list
from ledger_stage import with_sheet

from marianne.daemon.job.aftermath import CUT_SHORT
from marianne.daemon.shared.effects import EndSheets
from marianne.model.plan import When
from marianne.state.models import JobStatus, SheetStatus


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


def test_one_that_runs_and_one_that_waits_go_on_over_a_restart() -> None:
    """The next scheduler is told of both: of the one for its slot, of the other for its turn."""
    plan = closing("always", {1: (), 2: (1,), 3: (1,)}, after_cancel=True)
    play = Play(with_sheet(plan, 2, when="always", after_cancel=True))
    play.grant(1)
    play.take(play.machine.cancel(play.now))
    play.grant(2)
    play.slots.clear()
    play.queue.clear()
    play.restart(worker=True)
    assert (play.slots, play.queue) == ({2}, {3})
    play.run_out()
    assert statuses(play) == ["cancelled", "completed", "completed"]


def test_a_cleanup_that_fails_after_a_cancel_is_the_jobs_error() -> None:
    play = Play(closing("always", after_cancel=True))
    play.grant(1)
    play.take(play.machine.cancel(play.now))
    play.run_out(fails(3))
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


def test_after_a_cancel_while_nothing_runs_it_is_queued_at_once() -> None:
    plan = plan_of({1: (), 2: (1,)}, retries=1)
    play = Play(with_sheet(plan, 2, when="always", after_cancel=True))
    play.grant(1)
    play.end(1, "failed", "exit")  # it waits for its retry
    play.take(play.machine.cancel(play.now))
    assert play.queue == {2}
    play.run_out()
    assert statuses(play) == ["cancelled", "completed"]
    assert play.finished is JobStatus.CANCELLED


def test_what_was_queued_before_a_cancel_and_has_nothing_to_do_is_left_out() -> None:
    plan = with_sheet(plan_of({1: (), 2: ()}), 1, when="always", after_cancel=True)
    play = Play(plan)
    assert play.queue == {1, 2}
    play.take(play.machine.cancel(play.now))
    assert statuses(play) == ["cancelled", "cancelled"]
    assert play.finished is JobStatus.CANCELLED


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


def test_what_began_of_a_list_is_tidied_up_after_a_cancel() -> None:
    play = Play(with_list(closing("always", {1: (), 2: (1,)}, after_cancel=True), 1))
    play.grant(1)
    play.end(1, items=["a", "b"])
    play.grant(3)
    play.take(play.machine.cancel(play.now))
    play.run_out()
    assert statuses(play) == ["completed", "completed", "cancelled", "cancelled"]
