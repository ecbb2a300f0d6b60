"""How long a job may run: what counts, and what becomes of one that runs longer."""

from __future__ import annotations

from job_play import Play, plan_of

from marianne.daemon.job.clock import CLOCK_SECONDS
from marianne.state.models import JobStatus, SheetStatus

CHAIN = {1: (), 2: (1,)}


def _look(play: Play, seconds: float, timeout: float = 3600.0) -> None:
    play.now += seconds
    play.take(play.machine.tick(play.now, timeout))


def test_a_job_over_its_time_fails_with_the_reason_and_nothing_of_it_is_left() -> None:
    play = Play(plan_of(CHAIN))
    _look(play, 0, 60)
    play.grant()
    _look(play, 60, 60)
    assert play.finished is JobStatus.FAILED
    assert (play.disk_job.reason, play.disk_job.finished_at) == ("timeout", play.now)
    assert "longer than job_timeout_seconds (60)" in str(play.disk_job.error)
    assert [play.disk[n].status for n in (1, 2)] == [SheetStatus.CANCELLED] * 2
    assert play.machine.next_tick(60) is None


def test_a_job_whose_time_is_up_still_fails_after_a_restart_in_its_grace() -> None:
    play = Play(plan_of(CHAIN))
    _look(play, 0, 60)
    play.grant()
    play.now += 60
    step = play.machine.tick(play.now, 60)
    step.now.clear()  # the conductor dies before the worker is told
    play.take(step)
    assert play.disk_job.status is JobStatus.CANCELLING
    play.restart(worker=True)
    assert (play.finished, play.disk_job.reason) == (JobStatus.FAILED, "timeout")


def test_a_pause_is_no_time_and_what_came_before_it_counts() -> None:
    play = Play(plan_of(CHAIN))
    _look(play, 0)
    play.now += 100
    play.take(play.machine.pause("person", play.now))
    assert play.disk_job.options["ran_seconds"] == 100
    _look(play, 5000)
    play.disk_job.status = JobStatus.RUNNING
    play.finished = None
    play.restart(worker=True)
    _look(play, 0)
    _look(play, 50)
    assert play.disk_job.options["ran_seconds"] == 150


def test_a_restart_forgets_at_most_the_time_since_the_last_look() -> None:
    play = Play(plan_of(CHAIN))
    _look(play, 0)
    _look(play, CLOCK_SECONDS)
    play.now += 300
    play.restart(worker=True)
    _look(play, 0)
    assert play.machine.next_tick(CLOCK_SECONDS + 100) == 100


def test_a_clock_that_is_set_ahead_ends_no_job() -> None:
    play = Play(plan_of(CHAIN))
    _look(play, 0)
    _look(play, 10 * 86_400, 86_400)
    assert play.finished is None
    assert play.disk_job.options["ran_seconds"] == 2 * CLOCK_SECONDS
