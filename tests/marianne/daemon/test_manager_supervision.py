"""Starting, watching and giving up a job's actors: our own trouble is never a job's failure."""

from __future__ import annotations

import errno
import time

import pytest
from manager_parts import WAY_IN, Stage, plan_of

from actors import ActorDied, ChildError, ExitReason, Outcome, StartError
from actors.reasons import KILLED, NORMAL, SHUTDOWN, crash, gave_up
from marianne.daemon.jobs import supervision as supervising
from marianne.daemon.jobs.job_life import Happens, Life
from marianne.daemon.jobs.roster import Live
from marianne.daemon.jobs.supervision import LOOK_AGAIN, SUPERVISOR_RESTARTS, Supervision
from marianne.model.result import AttemptResult
from marianne.state.errors import StoreError
from marianne.state.models import JobStatus, SheetStatus

NO_THREAD = StartError("job:a", crash(RuntimeError("can't start new thread")))
NO_FILE = StartError("job:a", crash(OSError(errno.EMFILE, "too many open files")))
TAKEN = ChildError("already_started", "job:a")
DIED = ActorDied("jobs", KILLED)
NO_PLAN = StartError("job:a", crash(LookupError("no plan")))
PASSING = [NO_THREAD, NO_FILE, TAKEN, DIED]
STARTING = WAY_IN[:2]


@pytest.fixture
def parts(stage: Stage) -> Supervision:
    stage.others.answers["forget"] = None
    return Supervision(stage.desk, stage.is_over)


@pytest.fixture
def starting(stage: Stage, parts: Supervision) -> Live:
    """Job ``a``, whose supervisor was just asked for."""
    live = stage.lives("a", JobStatus.RUNNING, *STARTING)
    parts.start("a")
    return live


def starts(stage: Stage) -> int:
    return sum(one[1] == "start_child" for one in stage.others.asked)


# -- starting ------------------------------------------------------------------------------------


def test_a_supervisor_that_started_is_watched(stage: Stage, starting: Live) -> None:
    stage.answer("start_child", "the supervisor")
    assert stage.turns.monitored == ["the supervisor"]
    assert starting.life is Life.UP


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_a_start_that_is_refused_in_passing_is_tried_again_and_says_why(
    stage: Stage, starting: Live, error: Exception
) -> None:
    stage.answer("start_child", error)
    assert starting.life is Life.DELAYED
    delay = stage.context.start_delays.of("a")
    assert delay is not None
    assert delay.why == str(error)
    assert stage.turns.ring()[0] > 0
    assert starts(stage) == 2
    stage.answer("start_child", "the supervisor")
    assert starting.life is Life.UP
    assert stage.context.start_delays.of("a") is None
    assert stage.status("a") is JobStatus.RUNNING
    assert stage.over == []


def test_each_try_waits_longer(stage: Stage, starting: Live) -> None:
    waits = []
    for _ in range(6):
        stage.answer("start_child", NO_THREAD)
        waits += stage.turns.ring()
    assert waits[-1] > waits[0] * 4


def test_a_supervisor_that_is_there_already_is_the_jobs(stage: Stage, starting: Live) -> None:
    stage.system.up["job:a"] = "the earlier one"
    stage.answer("start_child", TAKEN)
    assert stage.turns.monitored == ["the earlier one"]
    assert starting.life is Life.UP


def test_an_answer_that_nobody_waits_for_any_more_means_nothing(
    stage: Stage, starting: Live, parts: Supervision
) -> None:
    stage.answer("start_child", "the supervisor")
    parts.started(Outcome("another"), "a")
    parts.started(Outcome(None, NO_PLAN), "a")
    assert stage.turns.monitored == ["the supervisor"]
    assert starting.life is Life.UP


def test_a_reason_that_the_worker_noted_is_not_taken_back_by_the_start_of_the_actors(
    stage: Stage, starting: Live
) -> None:
    stage.context.start_delays.note("a", "its worker process: no file")
    stage.answer("start_child", "the supervisor")
    assert stage.context.start_delays.of("a") is not None


def test_a_job_that_cannot_start_by_its_own_fault_fails(stage: Stage, starting: Live) -> None:
    stage.answer("start_child", NO_PLAN)
    row = stage.job("a")
    assert row.status is JobStatus.FAILED
    assert "no plan" in str(row.error)
    assert stage.over == ["a"]
    assert stage.turns.timers == []


def test_a_delayed_job_that_is_being_changed_is_not_started_meanwhile(
    stage: Stage, starting: Live
) -> None:
    stage.answer("start_child", NO_THREAD)
    stage.live.change(starting)
    stage.turns.ring()
    assert starts(stage) == 1
    stage.live.decided("a")
    assert stage.turns.ring() == [LOOK_AGAIN]
    assert starts(stage) == 2


def test_a_delayed_job_is_not_started_by_a_conductor_that_ends(
    stage: Stage, starting: Live
) -> None:
    stage.answer("start_child", NO_THREAD)
    stage.context.stop.mode = "stop"
    stage.turns.ring()
    assert starts(stage) == 1
    assert stage.status("a") is JobStatus.RUNNING  # so that the next conductor goes on with it


def test_a_timer_of_a_job_that_is_none_any_more_means_nothing(stage: Stage, starting: Live) -> None:
    stage.answer("start_child", NO_THREAD)
    del stage.live["a"]
    stage.turns.ring()
    assert starts(stage) == 1


# -- what a restart of the manager finds ---------------------------------------------------------


def test_a_job_whose_supervisor_lives_is_watched_again_and_not_started(
    stage: Stage, parts: Supervision
) -> None:
    live = stage.lives("a", JobStatus.RUNNING)
    stage.system.up["job:a"] = "the supervisor"
    parts.find(live)
    assert (stage.turns.monitored, starts(stage), live.life) == (["the supervisor"], 0, Life.UP)


def test_a_job_that_was_admitted_and_not_started_is_started(
    stage: Stage, parts: Supervision
) -> None:
    live = stage.lives("a", JobStatus.RUNNING)
    parts.find(live)
    assert (starts(stage), live.life) == (1, Life.STARTING)


# -- ends that nobody asked for ------------------------------------------------------------------


@pytest.fixture
def up(stage: Stage, parts: Supervision) -> Live:
    return stage.lives("a", JobStatus.RUNNING, *WAY_IN)


@pytest.mark.parametrize(
    "reason", [NORMAL, SHUTDOWN, gave_up(crash(OSError(errno.EAGAIN, "fork")))], ids=str
)
def test_actors_that_ended_by_no_fault_of_the_job_are_started_later(
    stage: Stage, parts: Supervision, up: Live, reason: ExitReason
) -> None:
    parts.went_down(up, reason)
    assert up.life is Life.DELAYED
    stage.turns.ring()
    assert up.life is Life.STARTING
    assert stage.status("a") is JobStatus.RUNNING


def test_a_supervisor_that_failed_itself_is_started_again_a_few_times(
    stage: Stage, parts: Supervision, up: Live
) -> None:
    for _ in range(SUPERVISOR_RESTARTS):
        parts.went_down(up, crash(LookupError("x")))
        stage.answer("start_child", "the supervisor")
        assert up.life is Life.UP
    parts.went_down(up, crash(LookupError("x")))
    stage.turns.run()
    assert stage.status("a") is JobStatus.FAILED
    assert starts(stage) == SUPERVISOR_RESTARTS


def test_a_job_whose_children_failed_too_often_fails_alone(
    stage: Stage, parts: Supervision, up: Live
) -> None:
    stage.lives("b", JobStatus.RUNNING, *WAY_IN)
    parts.went_down(up, gave_up(crash(LookupError("its own"))))
    stage.turns.run()
    row = stage.job("a")
    assert (row.status, stage.status("b")) == (JobStatus.FAILED, JobStatus.RUNNING)
    assert row.error is not None
    assert row.error.startswith("supervisor gave up: ")
    assert "its own" in row.error
    assert stage.others.was_told("forget_job") == [("a",)]


def test_jobs_that_are_given_up_count_as_failures_of_ours(stage: Stage, parts: Supervision) -> None:
    for job_id in "abcd":
        parts.went_down(stage.lives(job_id, JobStatus.RUNNING, *WAY_IN), gave_up(KILLED))
    assert stage.context.failures.elevated(time.monotonic())


def test_a_job_is_given_up_when_nothing_of_it_runs_and_its_actors_are_forgotten(
    stage: Stage, parts: Supervision, up: Live
) -> None:
    del stage.others.answers["forget"]
    stage.executor.held = True
    parts.end_without_actors("a", "x")
    ((job_id, ended),) = stage.executor.ended
    assert (job_id, up.life) == ("a", Life.ENDING)
    assert not any(asked[1] == "forget" for asked in stage.others.asked)
    ended.answer(None)
    stage.turns.run()
    assert ("store", "forget", "job:a/job") in stage.others.asked
    assert stage.over == []
    stage.answer("forget")
    assert stage.over == ["a"]


def test_a_job_whose_end_cannot_be_seen_to_just_now_is_ended_later(
    stage: Stage, parts: Supervision, up: Live
) -> None:
    stage.executor.held = True
    parts.end_without_actors("a", "x")
    stage.executor.ended[0][1].refuse(OSError(errno.EMFILE, "too many open files"))
    stage.turns.run()
    assert stage.status("a") is JobStatus.RUNNING
    stage.executor.held = False
    assert stage.turns.ring() == [supervising.END_AGAIN]
    assert stage.status("a") is JobStatus.FAILED
    assert len(stage.executor.ended) == 2


def test_the_end_of_a_job_is_said_when_it_is_on_disk(
    stage: Stage, parts: Supervision, up: Live
) -> None:
    stage.disk.held = True
    parts.end_without_actors("a", "x")
    stage.turns.run()
    assert stage.over == []
    stage.commit()
    assert stage.over == ["a"]
    assert stage.status("a") is JobStatus.FAILED


def test_without_a_cause_the_job_is_cancelled(stage: Stage, parts: Supervision, up: Live) -> None:
    parts.end_without_actors("a", None)
    stage.turns.run()
    assert (stage.status("a"), stage.job("a").error) == (JobStatus.CANCELLED, None)


@pytest.mark.parametrize("cause", ["x", None])
def test_what_the_worker_had_finished_counts_before_the_end(
    stage: Stage, parts: Supervision, up: Live, cause: str | None
) -> None:
    stage.sheet("a", 1, SheetStatus.RUNNING, started_at=1.0)
    stage.spool("a", AttemptResult(1, 1, "completed", 1.0, 2.0, exit_code=0))
    parts.end_without_actors("a", cause)
    stage.turns.run()
    assert stage.status("a") is JobStatus.COMPLETED


def test_of_a_job_that_is_given_up_no_sheet_is_left_open(stage: Stage, parts: Supervision) -> None:
    stage.lives("a", JobStatus.RUNNING, *WAY_IN, plan=plan_of("one", "two", "three"))
    stage.sheet("a", 1, SheetStatus.COMPLETED)
    stage.sheet("a", 2, SheetStatus.RUNNING, started_at=1.0)
    parts.end_without_actors("a", "x")
    stage.turns.run()
    found = [(row.status, row.message) for row in stage.desk.reader.sheets("a")]
    gone = (SheetStatus.CANCELLED, "x")
    assert found == [(SheetStatus.COMPLETED, None), gone, gone]
    assert [one.outcome for one in stage.desk.reader.attempts("a", limit=5)] == ["interrupted"]


def test_what_has_finished_and_cannot_be_read_is_read_again_before_anything_is_decided(
    stage: Stage, parts: Supervision, up: Live
) -> None:
    stage.executor.error = OSError(errno.EIO, "input/output error")
    parts.end_without_actors("a", "x")
    stage.turns.run()
    assert stage.status("a") is JobStatus.RUNNING
    stage.executor.error = None
    assert stage.turns.ring() == [supervising.SPOOL_AGAIN]
    assert stage.status("a") is JobStatus.FAILED


@pytest.mark.parametrize(
    ("cause", "status"), [("x", JobStatus.FAILED), (None, JobStatus.CANCELLED)]
)
def test_a_job_whose_plan_cannot_be_read_is_ended_all_the_same(
    stage: Stage,
    parts: Supervision,
    up: Live,
    cause: str | None,
    status: JobStatus,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(type(stage.desk.reader), "plan", lambda *_args: b"none")
    parts.end_without_actors("a", cause)
    stage.turns.run()
    row = stage.job("a")
    assert (row.status, row.error) == (status, cause)
    assert row.finished_at is not None
    assert stage.disk.events[-1] == ("a", f"job.{status}"), "who follows it waits for that"


def test_what_the_store_refuses_is_not_taken_for_an_end(
    stage: Stage, parts: Supervision, up: Live
) -> None:
    stage.others.answers["forget"] = StoreError("is being restarted")
    parts.end_without_actors("a", "x")
    with pytest.raises(StoreError):
        stage.turns.run()
    with pytest.raises(StoreError):
        parts.gave_up(Outcome(None, StoreError("x")), "a")
    assert stage.over == []


def test_a_job_gives_its_place_back_at_its_end_and_no_sooner(
    stage: Stage, parts: Supervision, up: Live
) -> None:
    stage.disk.held = True
    parts.end_without_actors("a", "x")
    stage.turns.run()
    assert stage.live.admitted == 1
    assert not stage.live.move(up, Happens.TRY)
    stage.commit()
    stage.live.leave(up, stage.job("a"))  # as whoever is told of its end does
    assert stage.live.admitted == 0
