"""Jobs that begin after others or at a time: held, let go or cancelled, each once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from followed import FIRST, Followed
from manager_parts import WAY_IN, Stage, plan_of, stage_in

from marianne.daemon.jobs.cancel import Cancel
from marianne.daemon.jobs.ending import Ending
from marianne.daemon.jobs.followers import Followers
from marianne.daemon.jobs.roster import Live
from marianne.daemon.jobs.supervision import LOOK_AGAIN, Supervision
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.types import JobRequest
from marianne.daemon.views import queries
from marianne.schedule.waits import AFTER, NOTHING, OPTION, Waits
from marianne.score.models import Hook
from marianne.state.changes import DeleteJob, UpdateJob
from marianne.state.errors import StoreFull
from marianne.state.models import JobStatus, SheetStatus

RUNS = (JobStatus.RUNNING, *WAY_IN)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with stage_in(tmp_path) as stage:
        stage.lives("first", *RUNS)
        yield stage


@pytest.fixture
def parts(stage: Stage) -> Followers:
    stage.others.answers["forget"] = None
    away = Ending(stage.desk).away
    cancel = Cancel(stage.desk, Supervision(stage.desk, away), away, stage.admit)
    return Followers(stage.desk, stage.admit, cancel.because, Followed(stage).pending)


def follows(
    stage: Stage, job_id: str, *awaited: str, any_end: bool = False, at: Any = None
) -> Live:
    """A job that waits, as its submission left it."""
    waits = Waits(tuple((one, any_end) for one in awaited), at)
    return stage.lives(job_id, options=waits.into({"x": 1}), reason=waits.reason)


def end(stage: Stage, job_id: str, status: JobStatus) -> None:
    """It is over on disk, and its actors are gone."""
    stage.write(UpdateJob(job_id, {"status": status}))
    Ending(stage.desk).away(job_id)
    stage.turns.run()


def asked(**fields: Any) -> JobRequest:
    return JobRequest.model_validate({"score": "x", **fields})


# -- held and let go -----------------------------------------------------------------------------


def test_a_follower_is_in_line_when_what_it_follows_is_completed(
    stage: Stage, parts: Followers
) -> None:
    live = follows(stage, "next", "first")
    parts.follow("next")
    assert not live.waits
    assert parts.why(live) == {
        "code": "after",
        "text": "it waits for first (running)",
        "data": {"jobs": ["first"]},
    }
    shown = queries.summary(stage.desk.reader, "next")
    assert (shown["waits_for"], shown["begins_at"]) == (["first"], None)
    end(stage, "first", JobStatus.COMPLETED)
    assert "waits_for" not in queries.summary(stage.desk.reader, "next")
    assert live.waits
    assert [row.job_id for row in stage.live.in_line()] == ["next"]
    assert (stage.admits, parts.why(live)) == (1, None)
    row = stage.job("next")
    assert (row.status, row.reason, row.options) == (JobStatus.QUEUED, None, {"x": 1})


def test_it_is_in_line_only_when_that_is_on_disk(stage: Stage, parts: Followers) -> None:
    live = follows(stage, "next", "first")
    parts.follow("next")
    stage.disk.held = True
    end(stage, "first", JobStatus.COMPLETED)
    assert (live.waits, stage.admits) == (False, 0)
    stage.commit()
    assert (live.waits, stage.admits) == (True, 1)


def test_who_follows_several_waits_for_the_last(stage: Stage, parts: Followers) -> None:
    stage.lives("second", *RUNS)
    live = follows(stage, "next", "first", "second")
    parts.follow("next")
    end(stage, "second", JobStatus.COMPLETED)
    assert not live.waits
    assert Waits.read(stage.job("next").options) == Waits((("first", False),))
    end(stage, "first", JobStatus.COMPLETED)
    assert live.waits


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.CANCELLED])
def test_a_follower_of_what_ended_otherwise_is_cancelled_with_the_reason(
    stage: Stage, parts: Followers, status: JobStatus
) -> None:
    follows(stage, "next", "first")
    follows(stage, "last", "next")
    for job_id in ("next", "last"):
        parts.follow(job_id)
    end(stage, "first", status)
    for job_id, awaited in (("next", "first"), ("last", "next")):
        row = stage.job(job_id)
        assert (row.status, row.reason) == (JobStatus.CANCELLED, AFTER)
        assert str(row.error).startswith(f"it was to follow {awaited}, which ")
        assert OPTION not in row.options
        assert job_id not in stage.live
    assert ("next", "job.cancelled") in stage.disk.events


def test_what_runs_after_a_cancel_runs_after_this_one_too(stage: Stage, parts: Followers) -> None:
    plan = plan_of("work", "clean")
    last = replace(plan.sheets[1], when="always", after_cancel=True)
    plan = replace(plan, sheets=(plan.sheets[0], last))
    waits = Waits((("first", False),))
    live = stage.lives("next", plan=plan, options=waits.into({}), reason=waits.reason)
    stage.sheet("next", 1, SheetStatus.FAILED)
    parts.follow("next")
    end(stage, "first", JobStatus.FAILED)
    assert (stage.status("next"), live.admitted) == (JobStatus.CANCELLING, True)
    assert OPTION not in stage.job("next").options


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.COMPLETED])
def test_any_end_lets_those_go_that_asked_for_any(
    stage: Stage, parts: Followers, status: JobStatus
) -> None:
    live = follows(stage, "next", "first", any_end=True)
    parts.follow("next")
    end(stage, "first", status)
    assert live.waits


def test_a_paused_follower_stays_so_and_is_in_line_when_it_is_resumed(
    stage: Stage, parts: Followers
) -> None:
    live = follows(stage, "next", "first")
    parts.follow("next")
    stage.write(UpdateJob("next", {"status": JobStatus.PAUSED, "reason": "person"}))
    live.row.status, live.row.reason = JobStatus.PAUSED, "person"
    end(stage, "first", JobStatus.COMPLETED)
    assert not live.waits
    assert (stage.status("next"), stage.job("next").reason) == (JobStatus.PAUSED, "person")
    live.row.status = JobStatus.QUEUED
    assert live.waits


def test_a_follower_that_is_just_being_changed_is_looked_at_again(
    stage: Stage, parts: Followers
) -> None:
    live = follows(stage, "next", "first")
    parts.follow("next")
    stage.live.change(live)
    end(stage, "first", JobStatus.COMPLETED)
    assert OPTION in stage.job("next").options
    stage.live.decided("next")
    seconds, again = stage.turns.timers.pop()
    assert seconds == LOOK_AGAIN
    again()
    stage.turns.run()
    assert live.waits


def test_while_the_disk_is_full_it_waits_and_a_restart_finds_it_as_it_was(
    stage: Stage, parts: Followers
) -> None:
    live = follows(stage, "next", "first")
    parts.follow("next")
    stage.disk.error = StoreFull("the disk is full")
    end(stage, "first", JobStatus.COMPLETED)
    assert not live.waits
    assert OPTION in stage.job("next").options
    stage.disk.error = None
    stage.live["next"] = again = Live(stage.job("next"))
    Followers(stage.desk, stage.admit, lambda _live, _why: None, lambda _row: False).take_up()
    stage.commit()
    assert again.waits
    assert OPTION not in stage.job("next").options


# -- what a restart finds ------------------------------------------------------------------------


def test_hooks_that_a_stop_leaves_to_the_next_start_are_waited_for(
    stage: Stage, parts: Followers
) -> None:
    live = follows(stage, "next", "first")
    parts.follow("next")
    options = {"after": {"on_exit": [Hook(**FIRST).model_dump()]}}
    stage.write(UpdateJob("first", {"options": options}))
    end(stage, "first", JobStatus.COMPLETED)
    parts.take_up()
    stage.turns.run()
    assert not live.waits
    why = parts.why(live)
    assert why is not None
    assert why["text"] == "it waits for first (completed, but for its hooks)"
    assert Waits.read(stage.job("next").options) == Waits((("first", False),))
    stage.write(UpdateJob("first", {"options": {**options, "followed": {"on_exit": 1}}}))
    parts.ended("first")
    stage.turns.run()
    assert live.waits


def test_what_ended_while_nobody_looked_is_seen_at_the_start(
    stage: Stage, parts: Followers
) -> None:
    lets = follows(stage, "lets", "first")
    stage.insert("failed", JobStatus.FAILED)
    follows(stage, "spoils", "failed")
    waits = follows(stage, "waits", "lets")
    stage.write(UpdateJob("first", {"status": JobStatus.COMPLETED}))
    stage.live.pop("first")
    parts.take_up()
    stage.turns.run()
    assert (lets.waits, waits.waits) == (True, False)
    assert stage.status("spoils") is JobStatus.CANCELLED


# -- a time --------------------------------------------------------------------------------------


def test_a_job_waits_for_its_time_over_one_timer(stage: Stage, parts: Followers) -> None:
    live = follows(stage, "next", at=time.time() + 1_000)
    parts.follow("next")
    parts.look("next")
    ((seconds, woken),) = stage.turns.timers
    assert seconds == 60.0
    assert parts.why(live)["code"] == "at"  # type: ignore[index]
    live.row.options = Waits(at=time.time() - 1).into({})
    stage.turns.timers.clear()
    woken()
    stage.turns.run()
    assert (live.waits, stage.turns.timers) == (True, [])


# -- what a request asks for ---------------------------------------------------------------------


def test_only_what_is_not_over_is_waited_for(stage: Stage, parts: Followers) -> None:
    stage.insert("done", JobStatus.COMPLETED)
    stage.insert("failed", JobStatus.FAILED)
    now = time.time()
    request = asked(after=["first", "done"], after_any=["failed", "fir"], at=now - 1)
    assert parts.wanted(request, now) == (Waits((("first", False),)), [])
    assert parts.wanted(asked(), now) == (NOTHING, [])
    assert parts.wanted(asked(at=now + 5), now) == (Waits(at=now + 5), [])


def test_what_can_not_be_followed_any_more_is_refused(stage: Stage, parts: Followers) -> None:
    stage.insert("failed", JobStatus.FAILED)
    with pytest.raises(Refused, match="failed is failed already") as refused:
        parts.wanted(asked(after=["failed"]), 0.0)
    assert refused.value.code == "conflict"
    assert "failed:any" in str(refused.value.hint)
    with pytest.raises(Refused) as unknown:
        parts.wanted(asked(after=["nobody"]), 0.0)
    assert unknown.value.code == "not_found"


def test_a_name_whose_job_is_over_while_a_newer_one_runs_is_warned_of(
    stage: Stage, parts: Followers
) -> None:
    stage.insert("song", JobStatus.COMPLETED)
    stage.lives("song-2", *RUNS)
    stage.write(UpdateJob("song-2", {"name": "song"}))
    waits, (warning,) = parts.wanted(asked(after=["song"]), 0.0)
    assert waits == NOTHING
    assert "the newest job of song is song-2" in warning


def test_an_end_that_was_not_seen_yet_is_not_deleted(stage: Stage, parts: Followers) -> None:
    live = follows(stage, "next", "first")
    parts.follow("next")
    assert parts.awaited(["first", "next"]) == {"first"}
    stage.live.change(live)
    end(stage, "first", JobStatus.COMPLETED)
    assert parts.awaited(["first"]) == {"first"}
    stage.live.decided("next")
    parts.look("next")
    assert parts.awaited(["first"]) == set()
    stage.turns.run()
    stage.write(DeleteJob("first"))
    assert live.waits
