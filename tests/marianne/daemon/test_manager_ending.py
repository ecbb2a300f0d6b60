"""What is done when a job is over, and when a conductor that ends has wound down."""

from __future__ import annotations

import pytest
from followed import FIRST, SECOND, Followed, completes, ends, running
from manager_parts import WAY_IN, Stage, code, told

from actors import NoSuchActor, Outcome, Promise
from marianne.daemon.jobs.ending import Ending
from marianne.daemon.jobs.questions import Questions
from marianne.daemon.shared.idempotency import Answer, Requests
from marianne.daemon.shared.refusal import Refused
from marianne.state.models import JobStatus


@pytest.fixture
def parts(stage: Stage) -> Ending:
    return Ending(stage.desk)


def state(promise: Promise[None]) -> str:
    return code(promise.future)  # type: ignore[attr-defined]


def test_a_job_that_is_over_is_told_to_all_who_wait_count_and_learn(
    stage: Stage, parts: Ending
) -> None:
    live = stage.lives("a", JobStatus.COMPLETED)
    stage.context.start_delays.note("a", "a hook")
    waiting, asked = stage.turns.promise(), stage.turns.promise()
    live.waiters.append(waiting)
    live.cancels.append(Answer(Requests(stage.desk.reader), None, asked))
    parts.away("a")
    assert told(waiting.future)["status"] == told(asked.future)["status"] == "completed"
    assert "a" not in stage.live
    assert stage.context.start_delays.of("a") is None
    assert stage.others.told == [
        ("retention", "job_ended"),
        ("learning", "job_ended", "a"),
        ("health", "on_job_completed"),
    ]


def test_who_waits_for_a_job_whose_hooks_a_stop_leaves_asks_the_next_conductor(
    stage: Stage, parts: Ending
) -> None:
    """A hook may yet fail it: two conductors would tell two ends."""
    live = stage.lives("a", JobStatus.COMPLETED)
    stage.context.stop.mode = "restart"
    stage.desk.hooks_left = lambda _row: True
    waiting, cancelled = stage.turns.promise(), stage.turns.promise()
    live.waiters.append(waiting)
    live.cancels.append(Answer(Requests(stage.desk.reader), None, cancelled))
    parts.away("a")
    assert code(waiting.future) == "shutting_down"
    assert told(cancelled.future)["status"] == "completed", "that is decided"
    with pytest.raises(Refused) as refused:
        Questions(stage.desk).wait("a")
    assert refused.value.code == "shutting_down"


@pytest.mark.parametrize("awaited", [True, False])
def test_the_memory_is_read_anew_where_somebody_waits_for_it(
    stage: Stage, parts: Ending, awaited: bool
) -> None:
    stage.lives("a", JobStatus.COMPLETED)
    stage.context.resources.awaited = awaited
    parts.away("a")
    assert (("monitor", "check") in stage.others.told) is awaited


def test_a_conductor_that_does_not_end_has_not_wound_down(stage: Stage, parts: Ending) -> None:
    assert state(parts.wound_down()) == "open"


def test_a_cancelling_stop_is_done_when_no_job_is_left(stage: Stage, parts: Ending) -> None:
    for job_id in "ab":
        stage.lives(job_id, JobStatus.CANCELLED, *WAY_IN)
    first = parts.wound_down()
    parts.wind_down(drain=False)
    parts.away("a")
    assert state(first) == "open"
    parts.away("b")
    assert state(first) == "ok"
    assert state(parts.wound_down()) == "ok"


@pytest.mark.parametrize("answer", [None, NoSuchActor("scheduler")], ids=repr)
def test_a_drain_is_done_when_no_sheet_runs_though_jobs_are_left(
    stage: Stage, parts: Ending, answer: Exception | None
) -> None:
    stage.lives("a", JobStatus.RUNNING, *WAY_IN)
    parts.wind_down(drain=True)
    promise = parts.wound_down()
    assert stage.others.asked == [("scheduler", "drain")]
    assert state(promise) == "open"
    stage.answer("drain", answer)
    assert state(promise) == "ok"


def test_who_asks_to_cancel_after_a_drain_need_not_drain(stage: Stage, parts: Ending) -> None:
    stage.lives("a", JobStatus.CANCELLED)
    parts.wind_down(drain=True)
    promise = parts.wound_down()
    parts.wind_down(drain=False)
    parts.away("a")
    assert state(promise) == "ok"


def test_a_drain_waits_for_the_command_of_a_hook_and_begins_none(stage: Stage) -> None:
    """Killed half way it ran again at the next start, with what it had done already."""
    parts = Followed(stage)
    ending = Ending(stage.desk)
    completes(stage, parts, FIRST, SECOND)
    stage.lives("b", JobStatus.COMPLETED)
    stage.context.stop.mode = "drain"
    ending.wind_down(drain=True)
    ending.drained(Outcome(None))
    done = ending.wound_down()
    assert (running(stage), state(done)) == (["echo one"], "open")
    ends(stage)
    assert (running(stage), stage.over) == ([], ["a"])
    ending.away("b")  # as the manager does with the one whose hook has ended
    assert state(done) == "ok"
