"""A job goes on by another score: what is completed stays, and nothing is lost over a restart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from manager_parts import WAY_IN, Stage, code, one_batch, plan_of, told
from modified import NEW, OLD, Modified, parsed, pending

from actors import Future, Outcome
from ipc import codec
from marianne.daemon.job.endings import MODIFY
from marianne.daemon.jobs.following import next_hook
from marianne.daemon.jobs.modify import PENDING, Modify
from marianne.daemon.shared.parsed import Parsed
from marianne.daemon.shared.refusal import Refused
from marianne.schedule.waits import AFTER, Waits
from marianne.state.changes import AddEvent, RememberReply, ReplacePlan, SetMeta, UpdateJob
from marianne.state.errors import StoreFull
from marianne.state.models import JobStatus, SheetStatus

OTHER = plan_of("another", "two")


@pytest.fixture
def parts(stage: Stage) -> Modified:
    return Modified(stage)


def modify(stage: Stage, parts: Modified, *, dry_run: bool = False, **more: Any) -> Future[Any]:
    return stage.ask(parts.modify, "a", None, None, "new", dry_run, "job.modified", **more)


def waits(stage: Stage, *args: Any) -> None:
    stage.write(SetMeta(PENDING + "a", pending(*args)))


def sheets(stage: Stage) -> list[tuple[int, SheetStatus]]:
    return [(row.num, row.status) for row in stage.desk.reader.sheets("a")]


# -- a job without actors ------------------------------------------------------------------------


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.PAUSED])
def test_a_job_at_rest_goes_on_by_the_new_plan_and_what_is_completed_stays(
    stage: Stage, parts: Modified, status: JobStatus
) -> None:
    stage.insert("a", status, OLD, reason="cost", error="x", crashes=2)
    if not status.terminal:
        stage.found("a")
    stage.sheet("a", 1, SheetStatus.COMPLETED)
    stage.sheet("a", 2, SheetStatus.FAILED, failures=4)
    asked = modify(stage, parts, request_id="r")
    assert code(asked) == "open"
    stage.answer("load", parsed())
    reply = told(asked)
    assert (reply["status"], reply["message"]) == ("queued", "sheets: 1 added; goes on")
    row = stage.job("a")
    assert (row.status, row.sheet_count, row.error, row.crashes) == (JobStatus.QUEUED, 3, None, 0)
    assert row.config_hash == "hash"
    assert sheets(stage) == [(1, SheetStatus.COMPLETED), (2, SheetStatus.PENDING)]
    assert one_batch(stage, ReplacePlan, UpdateJob, RememberReply)
    assert stage.disk.events == [("a", "job.modified")]
    assert stage.live["a"].waits
    assert stage.admits == 1


def test_what_was_not_asked_for_is_not_run_because_the_score_has_changed(
    stage: Stage, parts: Modified
) -> None:
    options = {"left_out": [[2, 2]], "start_sheet": None}
    stage.insert("a", JobStatus.FAILED, OLD, options=options)
    stage.sheet("a", 1, SheetStatus.FAILED)
    stage.sheet("a", 2, SheetStatus.SKIPPED, category="skip_condition", message="not asked for")
    edited = plan_of("one", "two")
    prompt = replace(edited.sheets[1].prompt, template="rm -rf ./out")
    new = replace(edited, sheets=(edited.sheets[0], replace(edited.sheets[1], prompt=prompt)))
    asked = modify(stage, parts)
    stage.answer("load", parsed(new))
    assert told(asked)["status"] == "queued"
    assert sheets(stage) == [(1, SheetStatus.PENDING), (2, SheetStatus.SKIPPED)]
    assert stage.job("a").options["left_out"] == [[2, 2]]


def test_a_job_that_waits_for_another_still_says_so_under_its_new_plan(
    stage: Stage, parts: Modified
) -> None:
    waits_for = Waits((("first", False),))
    stage.insert("a", JobStatus.QUEUED, OLD, reason=AFTER, options=waits_for.into({}))
    stage.found("a")
    modify(stage, parts)
    stage.answer("load", parsed())
    row = stage.job("a")
    assert (row.status, row.reason, row.sheet_count) == (JobStatus.QUEUED, AFTER, 3)
    assert Waits.read(row.options) == waits_for


def test_nobody_is_told_before_it_is_on_disk(stage: Stage, parts: Modified) -> None:
    stage.insert("a", JobStatus.FAILED, OLD)
    asked = modify(stage, parts)
    stage.disk.held = True
    stage.answer("load", parsed())
    assert (code(asked), stage.status("a")) == ("open", JobStatus.FAILED)
    assert not stage.live["a"].waits
    stage.commit()
    assert (code(asked), stage.status("a")) == ("ok", JobStatus.QUEUED)


def test_a_change_that_failed_on_disk_leaves_the_job_as_its_row_says(
    stage: Stage, parts: Modify
) -> None:
    stage.lives("a", JobStatus.PAUSED, plan=OLD)
    asked = modify(stage, parts)
    stage.disk.error = StoreFull("the disk is full")
    stage.answer("load", parsed())
    assert asked.outcome().error is stage.disk.error
    row = stage.live["a"].row
    assert (row.status, row.sheet_count, stage.live["a"].unsure) == (JobStatus.PAUSED, 2, False)
    works = [list(stage.live.working_in(place)) for place in ("/w/a", "/w")]
    assert works == [[row], []], "a fresh run there would move its outputs away"


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.PAUSED])
def test_a_change_that_could_not_be_made_leaves_the_job_as_its_row_says(
    stage: Stage, parts: Modified, status: JobStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one that is over would be waited for, and one that is paused let in, for nothing."""
    stage.insert("a", status, OLD)
    if not status.terminal:
        stage.found("a")
    asked = modify(stage, parts)

    def cannot(*_: object, **__: object) -> AddEvent:
        raise MemoryError

    monkeypatch.setattr("marianne.daemon.jobs.modify.AddEvent", cannot)
    stage.answer("load", parsed())
    assert code(asked) == "unavailable"
    assert stage.status("a") is status
    known = stage.live.get("a")
    assert (None if known is None else known.row.status) == (None if status.terminal else status)


def test_another_sheet_in_the_place_of_a_completed_one_is_refused(
    stage: Stage, parts: Modify
) -> None:
    stage.insert("a", JobStatus.FAILED, OLD)
    stage.sheet("a", 1, SheetStatus.COMPLETED)
    asked = modify(stage, parts)
    stage.answer("load", parsed(OTHER))
    assert code(asked) == "conflict"
    assert (stage.disk.batches, "a" in stage.live) == ([], False)


def test_another_sheet_in_the_place_of_one_that_runs_is_refused(
    stage: Stage, parts: Modified
) -> None:
    stage.lives("a", JobStatus.RUNNING, *WAY_IN, plan=OLD)
    stage.sheet("a", 1, SheetStatus.RUNNING)
    asked = modify(stage, parts)
    stage.answer("load", parsed(OTHER))
    assert code(asked) == "conflict"
    assert "(one) of a is running" in str(asked.outcome().error)
    assert [one[1] for one in stage.others.asked] == ["load"]


def test_a_dry_run_tells_the_same_and_changes_nothing(stage: Stage, parts: Modified) -> None:
    stage.insert("a", JobStatus.FAILED, OLD, score="old")
    asked = modify(stage, parts, dry_run=True)
    stage.answer("load", parsed())
    reply = told(asked)
    assert (reply["status"], reply["message"]) == ("failed", "sheets: 1 added; nothing was changed")
    assert "-old" in reply["diff"]
    assert "+new" in reply["diff"]
    assert (stage.disk.batches, "a" in stage.live) == ([], False)


def test_sheets_that_the_new_plan_does_not_have_are_dropped(stage: Stage, parts: Modified) -> None:
    stage.insert("a", JobStatus.FAILED, NEW)
    for num in (1, 2, 3):
        stage.sheet("a", num, SheetStatus.FAILED)
    asked = modify(stage, parts)
    stage.answer("load", parsed(OLD))
    assert told(asked)["message"] == "sheets: 1 removed; goes on"
    assert [num for num, _status in sheets(stage)] == [1, 2]


@pytest.mark.parametrize("status", [JobStatus.COMPLETED, JobStatus.CANCELLING])
def test_a_job_that_is_completed_or_ends_just_now_is_not_modified(
    stage: Stage, parts: Modified, status: JobStatus
) -> None:
    stage.insert("a", status, OLD)
    assert code(modify(stage, parts)) == "conflict"
    assert stage.others.asked == []


def test_a_job_that_is_over_by_the_time_its_score_is_read_is_not_modified(
    stage: Stage, parts: Modify
) -> None:
    stage.insert("a", JobStatus.FAILED, OLD)
    asked = modify(stage, parts)
    stage.write(UpdateJob("a", {"status": JobStatus.COMPLETED}, asked=True))
    stage.answer("load", parsed())
    assert code(asked) == "conflict"


def test_a_job_whose_change_is_under_way_is_not_modified(stage: Stage, parts: Modified) -> None:
    stage.live.change(stage.lives("a", JobStatus.PAUSED, plan=OLD))
    asked = modify(stage, parts)
    stage.answer("load", parsed())
    assert code(asked) == "unavailable"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Refused("invalid_score", "no sheets"), "invalid_score"),
        (Parsed("new", "/w/a", 1, "hash", "new", b"none"), "internal"),
    ],
    ids=["refused", "unreadable"],
)
def test_a_score_that_cannot_be_read_is_refused_and_ends_nobody(
    stage: Stage, parts: Modified, answer: Any, expected: str
) -> None:
    stage.insert("a", JobStatus.FAILED, OLD)
    asked = modify(stage, parts)
    stage.answer("load", answer)
    assert code(asked) == expected


# -- one that runs -------------------------------------------------------------------------------


def test_a_job_that_runs_pauses_first_and_its_new_plan_is_kept_with_the_pause(
    stage: Stage, parts: Modify
) -> None:
    stage.lives("a", JobStatus.RUNNING, *WAY_IN, plan=OLD)
    asked = modify(stage, parts, request_id="r")
    stage.answer("load", parsed())
    (name, method, meta, reply, _words, request_id) = stage.others.asked[-1]
    assert (name, method, request_id) == ("job:a/job", "modify", "r")
    assert (meta.name, codec.unpack(meta.value)["score"]) == (PENDING + "a", "new")
    assert (reply["status"], code(asked)) == ("pausing", "open")
    assert stage.disk.batches == []
    stage.answer("modify", reply)
    assert told(asked) == reply


def test_when_it_has_paused_the_plan_is_put_in_force_and_it_goes_on(
    stage: Stage, parts: Modify
) -> None:
    live = stage.lives("a", JobStatus.PAUSED, plan=OLD, reason=MODIFY)
    waits(stage)
    assert parts.takes(live)
    assert live.unsure  # nobody comes between
    stage.turns.run()
    assert (stage.status("a"), stage.job("a").reason) == (JobStatus.QUEUED, None)
    assert stage.desk.reader.meta(PENDING + "a") is None
    assert one_batch(stage, ReplacePlan, SetMeta)
    assert (live.waits, stage.admits) == (True, 1)


def test_a_job_that_a_person_paused_meanwhile_stays_paused_with_its_new_plan(
    stage: Stage, parts: Modify
) -> None:
    live = stage.lives("a", JobStatus.PAUSED, plan=OLD, reason="person")
    waits(stage)
    assert parts.takes(live)
    stage.turns.run()
    row = stage.job("a")
    assert (row.status, row.reason, row.sheet_count) == (JobStatus.PAUSED, "person", 3)


def test_a_job_without_a_plan_that_waits_is_not_taken(stage: Stage, parts: Modified) -> None:
    assert not parts.takes(stage.lives("a", JobStatus.PAUSED, plan=OLD))


def test_a_job_that_failed_before_it_paused_goes_on_by_the_new_plan(
    stage: Stage, parts: Modify
) -> None:
    live = stage.lives("a", JobStatus.FAILED, plan=OLD)
    waits(stage)
    assert parts.takes(live)
    stage.turns.run()
    assert stage.status("a") is JobStatus.QUEUED


def test_a_job_that_came_to_its_end_and_has_nothing_new_to_do_is_over(
    stage: Stage, parts: Modify
) -> None:
    live = stage.lives("a", JobStatus.COMPLETED, plan=OLD)
    for num in (1, 2):
        stage.sheet("a", num, SheetStatus.COMPLETED)
    waits(stage, OLD)
    assert parts.takes(live)
    stage.turns.run()
    assert (stage.over, stage.status("a")) == (["a"], JobStatus.COMPLETED)
    assert stage.desk.reader.meta(PENDING + "a") is None


def test_a_plan_that_does_not_fit_any_more_is_dropped_and_the_job_says_so(
    stage: Stage, parts: Modify
) -> None:
    live = stage.lives("a", JobStatus.PAUSED, plan=OLD, reason=MODIFY)
    stage.sheet("a", 1, SheetStatus.COMPLETED)
    waits(stage, OTHER)
    assert parts.takes(live)
    stage.turns.run()
    row = stage.job("a")
    assert (row.status, row.reason, row.sheet_count) == (JobStatus.PAUSED, "person", 2)
    assert "another" in str(row.error)
    assert stage.desk.reader.meta(PENDING + "a") is None


def test_a_cancelled_job_is_not_brought_back_by_a_plan_that_waited(
    stage: Stage, parts: Modify
) -> None:
    live = stage.lives("a", JobStatus.CANCELLED, plan=OLD)
    waits(stage)
    assert not parts.takes(live)
    assert stage.desk.reader.meta(PENDING + "a") is None


def test_what_the_store_refuses_ends_the_manager_which_begins_by_what_is_on_disk(
    stage: Stage, parts: Modify
) -> None:
    with pytest.raises(StoreFull):
        parts.in_force(Outcome(None, StoreFull("x")), "a")


# -- what a restart finds ------------------------------------------------------------------------


def test_a_restart_puts_a_plan_in_force_that_waits(stage: Stage, parts: Modified) -> None:
    stage.lives("a", JobStatus.PAUSED, plan=OLD, reason=MODIFY)
    waits(stage)
    parts.take_up()
    stage.turns.run()
    assert (stage.status("a"), stage.job("a").sheet_count) == (JobStatus.QUEUED, 3)


def test_a_restart_leaves_a_job_that_runs_to_its_actors(stage: Stage, parts: Modified) -> None:
    stage.lives("a", JobStatus.PAUSING, *WAY_IN, plan=OLD)
    waits(stage)
    parts.take_up()
    assert stage.disk.batches == []


def test_a_restart_brings_no_cancelled_job_back(stage: Stage, parts: Modified) -> None:
    stage.insert("a", JobStatus.CANCELLED, OLD)
    waits(stage)
    parts.take_up()
    stage.turns.run()
    assert (stage.status("a"), "a" in stage.live) == (JobStatus.CANCELLED, False)
    assert stage.desk.reader.meta(PENDING + "a") is None


def test_a_plan_that_this_program_cannot_read_keeps_no_conductor_from_starting(
    stage: Stage, parts: Modify
) -> None:
    stage.lives("a", JobStatus.PAUSED, plan=OLD, reason=MODIFY)
    stage.write(SetMeta(PENDING + "a", pending(packed=b"of another version")))
    parts.take_up()
    stage.turns.run()
    row = stage.job("a")
    assert (row.status, row.reason) == (JobStatus.PAUSED, "person")
    assert row.error is not None
    assert stage.desk.reader.meta(PENDING + "a") is None


def test_nobody_knows_a_stranger(stage: Stage, parts: Modified) -> None:
    assert code(modify(stage, parts)) == "not_found"


def test_the_job_that_follows_success_by_the_new_score_is_another_one(
    stage: Stage, parts: Modified
) -> None:
    next_job = {"type": "run_job", "job_path": "next.yaml", "description": None}
    after = {"on_success": [next_job]}
    options = {"after": after, "hooks_done": 0}
    stage.insert("a", JobStatus.COMPLETED, OLD, options=options, finished_at=7.0)

    def asked_under() -> str:
        place = next_hook(stage.job("a"), lambda: True)
        assert place is not None
        return place.request_id(stage.job("a"))

    ids = [asked_under()]
    for _ in range(2):
        stage.write(UpdateJob("a", {"status": JobStatus.FAILED}, asked=True))
        modify(stage, parts)
        stage.answer("load", replace(parsed(), after=after))
        changed = {"status": JobStatus.RUNNING}, {"status": JobStatus.COMPLETED, "finished_at": 9.0}
        stage.write(*(UpdateJob("a", fields) for fields in changed))
        ids.append(asked_under())
        stage.live.pop("a")
    assert len(set(ids)) == 3, "an earlier answer would be taken for this one's"
