"""Cancelling a job wherever it stands: answered when nothing of it is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from manager_parts import WAY_IN, Stage, code, one_batch, plan_of, stage_in, told

from actors import ActorDied, NoSuchActor
from actors.reasons import KILLED
from marianne.daemon.jobs.admission import Admission
from marianne.daemon.jobs.cancel import Cancel
from marianne.daemon.jobs.ending import Ending
from marianne.daemon.jobs.job_life import Happens, Life
from marianne.daemon.jobs.memory import MemoryRoom
from marianne.daemon.jobs.supervision import LOOK_AGAIN, Supervision
from marianne.daemon.shared.idempotency import Answer, RequestId, Requests
from marianne.daemon.shared.refusal import Refused
from marianne.state.changes import DeleteJob, RememberReply, UpdateJob
from marianne.state.errors import StoreFull
from marianne.state.models import JobStatus, SheetStatus

DELAYED = (*WAY_IN[:2], Happens.PUT_OFF)
AWAY = [NoSuchActor("job:a/job"), ActorDied("job:a/job", KILLED)]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with stage_in(tmp_path) as stage:
        stage.others.answers["forget"] = None
        yield stage


@pytest.fixture
def ending(stage: Stage) -> Ending:
    return Ending(stage.desk)


@pytest.fixture
def parts(stage: Stage, ending: Ending) -> Cancel:
    return Cancel(stage.desk, Supervision(stage.desk, ending.away), ending.away, stage.admit)


# -- a row ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [JobStatus.QUEUED, JobStatus.PENDING, JobStatus.PAUSED])
def test_a_job_without_actors_is_cancelled_at_once(
    stage: Stage, parts: Cancel, before: JobStatus
) -> None:
    stage.lives("a", before, plan=plan_of("one", "two"))
    stage.sheet("a", 1, SheetStatus.COMPLETED)
    assert told(stage.ask(parts.cancel, "a"))["status"] == "cancelled"
    assert next(row.status for row in stage.desk.reader.sheets("a")) is SheetStatus.COMPLETED
    assert stage.status("a") is JobStatus.CANCELLED
    assert "a" not in stage.live
    assert stage.disk.events[-1] == ("a", "job.cancelled")


@pytest.mark.parametrize("before", [JobStatus.QUEUED, JobStatus.PAUSED])
def test_a_row_of_which_something_runs_after_a_cancel_gets_actors_for_it(
    stage: Stage, parts: Cancel, before: JobStatus
) -> None:
    plan = plan_of("one", "two")
    last = replace(plan.sheets[1], needs=(1,), when="always", after_cancel=True)
    stage.lives("a", before, plan=replace(plan, sheets=(plan.sheets[0], last)))
    stage.sheet("a", 1, SheetStatus.COMPLETED)
    asked = stage.ask(parts.cancel, "a")
    assert (code(asked), stage.status("a")) == ("open", JobStatus.CANCELLING)
    assert stage.live["a"].life is Life.STARTING
    assert stage.live["a"].cancels, "it is answered when all is over"


def test_nobody_is_told_before_it_is_on_disk(stage: Stage, parts: Cancel) -> None:
    stage.lives("a")
    stage.disk.held = True
    asked = stage.ask(parts.cancel, "a", request_id="r")
    assert (code(asked), stage.status("a")) == ("open", JobStatus.QUEUED)
    assert code(stage.ask(parts.cancel, "a")) == "unavailable"
    stage.commit()
    assert code(asked) == "ok"
    assert one_batch(stage, UpdateJob, RememberReply)


def test_a_cancel_that_failed_on_disk_leaves_the_job_as_its_row_says(
    stage: Stage, parts: Cancel
) -> None:
    stage.lives("a")
    stage.disk.error = StoreFull("the disk is full")
    assert stage.ask(parts.cancel, "a").outcome().error is stage.disk.error
    assert (stage.status("a"), stage.live["a"].row.status) == (JobStatus.QUEUED, JobStatus.QUEUED)
    assert stage.live["a"].waits


def test_a_place_that_came_free_during_a_cancel_that_failed_is_the_jobs(
    stage: Stage, ending: Ending
) -> None:
    let_in: list[str] = []
    admission = Admission(stage.desk, MemoryRoom(stage.context), let_in.append)
    supervision = Supervision(stage.desk, ending.away)
    parts = Cancel(stage.desk, supervision, ending.away, admission.admit)
    stage.lives("a")
    stage.disk.held = True
    asked = stage.ask(parts.cancel, "a")
    admission.admit(lined_up=True)  # another job's end
    stage.disk.error = StoreFull("the disk is full")
    stage.commit()
    assert code(asked) != "ok"
    stage.disk.error = None
    stage.commit()
    assert let_in == ["a"]


def test_what_is_over_cannot_be_cancelled(stage: Stage, parts: Cancel) -> None:
    stage.insert("a", JobStatus.COMPLETED)
    assert code(stage.ask(parts.cancel, "a")) == "conflict"
    assert code(stage.ask(parts.cancel, "nobody")) == "not_found"


def test_who_waits_for_the_job_is_told_of_its_end(stage: Stage, parts: Cancel) -> None:
    waiting = stage.turns.promise()
    stage.lives("a").waiters.append(waiting)
    stage.ask(parts.cancel, "a")
    assert told(waiting.future)["status"] == "cancelled"


@pytest.mark.parametrize("hooks_run", [True, False])
def test_who_cancels_a_job_whose_end_came_first_is_told_so_again(
    stage: Stage, parts: Cancel, hooks_run: bool
) -> None:
    """Asked anew it were a conflict, which is not what was answered."""
    stage.lives("a", JobStatus.COMPLETED)
    if not hooks_run:
        stage.live.pop("a")
    owed, request_id = stage.turns.promise(), RequestId("r", b"asked")
    parts.cancel_again("a", Answer(Requests(stage.desk.reader), request_id, owed))
    stage.turns.run()
    assert told(owed.future)["status"] == "completed"
    again = parts.resent("a", request_id)
    assert again is not None
    assert told(again.future)["status"] == "completed"


# -- one whose actors cannot be started just now -------------------------------------------------


def test_a_job_that_waits_for_its_start_is_cancelled_without_actors(
    stage: Stage, parts: Cancel
) -> None:
    live = stage.lives("a", JobStatus.RUNNING, *DELAYED)
    stage.context.start_delays.note("a", "no thread")
    stage.disk.held = True
    asked = stage.ask(parts.cancel, "a")
    assert (code(asked), live.life) == ("open", Life.ENDING)
    stage.commit()
    assert told(asked)["status"] == "cancelled"
    assert stage.context.start_delays.of("a") is None
    assert stage.live.admitted == 0


def test_who_cancelled_such_a_job_and_did_not_hear_of_it_finds_the_answer(
    stage: Stage, parts: Cancel
) -> None:
    stage.lives("a", JobStatus.RUNNING, *DELAYED)
    stage.ask(parts.cancel, "a", request_id="r")
    assert one_batch(stage, UpdateJob, RememberReply)
    again = parts.resent("a", RequestId("r", b"asked"))
    assert again is not None
    assert told(again.future)["status"] == "cancelled"


# -- one with actors -----------------------------------------------------------------------------


def test_a_job_that_runs_is_its_actors_to_cancel_and_its_end_is_the_answer(
    stage: Stage, parts: Cancel, ending: Ending
) -> None:
    live = stage.lives("a", JobStatus.RUNNING, *WAY_IN)
    asked = stage.ask(parts.cancel, "a", request_id="r")
    assert stage.others.asked == [("job:a/job", "cancel", "r")]
    stage.answer("cancel", {})
    assert code(asked) == "open"
    stage.write(UpdateJob("a", {"status": JobStatus.CANCELLED}))
    stage.live.leave(live, stage.job("a"))
    ending.away("a")
    assert told(asked)["status"] == "cancelled"


@pytest.mark.parametrize("error", AWAY, ids=repr)
def test_an_actor_that_is_being_restarted_is_asked_again(
    stage: Stage, parts: Cancel, error: Exception
) -> None:
    stage.lives("a", JobStatus.RUNNING, *WAY_IN)
    asked = stage.ask(parts.cancel, "a")
    stage.answer("cancel", error)
    assert stage.turns.ring() == [LOOK_AGAIN]
    assert [one[1] for one in stage.others.asked] == ["cancel", "cancel"]
    assert code(asked) == "open"


def test_what_its_actor_refuses_is_refused(stage: Stage, parts: Cancel) -> None:
    stage.lives("a", JobStatus.RUNNING, *WAY_IN)
    asked = stage.ask(parts.cancel, "a")
    stage.answer("cancel", Refused("unavailable", "its spool cannot be read"))
    assert code(asked) == "unavailable"


@pytest.mark.parametrize("error", [None, *AWAY], ids=repr)
def test_who_cancels_a_job_that_ends_meanwhile_is_told_how_it_ended_or_asks_again(
    stage: Stage, parts: Cancel, ending: Ending, error: Exception | None
) -> None:
    stage.lives("a", JobStatus.COMPLETED, *WAY_IN)
    asked = stage.ask(parts.cancel, "a")
    ending.away("a")
    stage.answer("cancel", error or {})
    assert asked.done
    if error is None:
        assert told(asked)["status"] == "completed"


@pytest.mark.parametrize("deleted", [False, True])
def test_who_is_asked_for_again_and_is_over_by_then_is_answered(
    stage: Stage, parts: Cancel, ending: Ending, deleted: bool
) -> None:
    stage.lives("a", JobStatus.COMPLETED, *WAY_IN)
    asked = stage.ask(parts.cancel, "a", request_id="r")
    stage.answer("cancel", AWAY[0])
    ending.away("a")
    if deleted:
        stage.write(DeleteJob("a"))
    stage.turns.ring()
    assert code(asked) == ("not_found" if deleted else "ok")
    assert code(stage.ask(parts.cancel, "a", request_id="r")) != "open"


# -- a conductor that ends with its jobs ---------------------------------------------------------


def test_a_stop_that_cancels_waits_for_a_change_that_is_under_way(
    stage: Stage, parts: Cancel
) -> None:
    live = stage.lives("a")
    stage.live.change(live)
    parts.cancel_live(live, None)
    assert stage.status("a") is JobStatus.QUEUED
    stage.live.decided("a")
    stage.turns.ring()
    assert (stage.status("a"), list(stage.live)) == (JobStatus.CANCELLED, [])


def test_a_stop_that_cancels_asks_on_where_nobody_waits_for_an_answer(
    stage: Stage, parts: Cancel
) -> None:
    live = stage.lives("a", JobStatus.RUNNING, *WAY_IN)
    parts.cancel_live(live, None)
    stage.answer("cancel", Refused("unavailable", "its spool cannot be read"))
    assert stage.turns.ring() == [LOOK_AGAIN]
    assert len(stage.others.asked) == 2


# -- asked twice ---------------------------------------------------------------------------------


def test_a_new_request_is_not_taken_for_a_resent_one(stage: Stage, parts: Cancel) -> None:
    stage.lives("a")
    assert parts.resent("a", None) is None
    assert parts.resent("a", RequestId("r", b"asked")) is None


def test_who_asks_again_waits_like_the_first(stage: Stage, parts: Cancel, ending: Ending) -> None:
    live = stage.lives("a", JobStatus.RUNNING, *WAY_IN)
    reply = RememberReply("r", b"\x80", 1.0, b"asked")
    stage.write(UpdateJob("a", {"status": JobStatus.CANCELLING}), reply)
    again = parts.resent("a", RequestId("r", b"asked"))
    assert again is not None
    assert code(again.future) == "open"  # type: ignore[attr-defined]
    stage.write(UpdateJob("a", {"status": JobStatus.CANCELLED}))
    stage.live.leave(live, stage.job("a"))
    ending.away("a")
    assert told(again.future)["status"] == "cancelled"  # type: ignore[attr-defined]
    late = parts.resent("a", RequestId("r", b"asked"))
    assert late is not None
    assert told(late.future)["status"] == "cancelled"  # type: ignore[attr-defined]
