"""Taking a job in: read, named, committed, acknowledged, and let go, in this order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from manager_parts import WAY_IN, Stage, code, one_batch, plan_of, stage_in, told

from actors import ActorDied, Future
from actors.reasons import KILLED
from marianne.daemon.jobs import submission
from marianne.daemon.jobs.admission import Admission
from marianne.daemon.jobs.commands import Commands
from marianne.daemon.jobs.ending import Ending
from marianne.daemon.jobs.followers import Followers
from marianne.daemon.jobs.intake import Intake
from marianne.daemon.jobs.job_life import Life
from marianne.daemon.jobs.memory import MemoryRoom
from marianne.daemon.jobs.plan_diff import changes_of, check_kept, replan
from marianne.daemon.shared.parsed import Parsed
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.types import JobRequest
from marianne.score.pack import pack_plan
from marianne.state.changes import AddEvent, InsertJob, RememberReply, UpdateJob
from marianne.state.errors import StoreFull
from marianne.state.models import JobStatus, SheetRow, SheetStatus

PLAN = plan_of("one", "two")


class Door(Intake):
    """Notes whom it lets in."""

    def __init__(self, stage: Stage) -> None:
        self.let_in: list[str] = []
        admission = Admission(stage.desk, MemoryRoom(stage.context), self.let_in.append)
        self.followers = Followers(
            stage.desk, admission.admit, lambda _live, _why: None, lambda _row: False
        )
        super().__init__(stage.desk, admission, self.followers, lambda _group: None)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with stage_in(tmp_path, max_concurrent_jobs=1) as stage:
        yield stage


@pytest.fixture
def door(stage: Stage) -> Door:
    return Door(stage)


def parsed(name: str = "song", **fields: Any) -> Parsed:
    return Parsed(name, "/w/song", 2, "hash", "text", pack_plan(PLAN), **fields)


def submit(stage: Stage, door: Door, request_id: str | None = None, **wish: Any) -> Future[Any]:
    wanted = JobRequest(**{"config_path": "/s/song.yaml", "client_cwd": "/s", **wish})
    return stage.ask(door.submit, wanted, request_id=request_id)


def taken(stage: Stage, door: Door, found: Any = None, **wish: Any) -> Future[Any]:
    """A request whose score was read."""
    asked = submit(stage, door, **wish)
    stage.answer("load", found or parsed())
    return asked


# -- the way in ----------------------------------------------------------------------------------


def test_a_job_is_acknowledged_when_it_is_on_disk_and_begins_after_that(
    stage: Stage, door: Door
) -> None:
    stage.disk.held = True
    asked = taken(stage, door, request_id="r")
    assert (code(asked), door.let_in, stage.desk.reader.job("song")) == ("open", [], None)
    assert stage.live["song"].life is Life.ENTERING
    stage.commit()
    assert told(asked)["job_id"] == "song"
    assert told(asked)["status"] == "accepted"
    assert (door.let_in, stage.status("song")) == (["song"], JobStatus.RUNNING)
    assert one_batch(stage, InsertJob, AddEvent, RememberReply)
    assert stage.disk.events == [("song", "job.submitted"), ("song", "job.started")]


def test_the_manager_knows_that_it_is_on_disk_before_the_client_does(
    stage: Stage, door: Door
) -> None:
    due: list[int] = []
    stage.disk.held = True
    asked = taken(stage, door)
    asked.on_done(lambda _done: due.append(stage.turns.due))
    stage.commit()
    assert due == [1]  # so that what the client asks next comes later


def test_who_sends_it_twice_has_one_job(stage: Stage, door: Door) -> None:
    first = taken(stage, door, request_id="r")
    again = submit(stage, door, request_id="r")
    assert told(again) == told(first)
    assert list(stage.live) == ["song"]


def test_a_job_that_the_disk_refuses_is_none(stage: Stage, door: Door) -> None:
    stage.disk.error = StoreFull("the disk is full")
    asked = taken(stage, door)
    assert asked.outcome().error is stage.disk.error
    assert (dict(stage.live), stage.live.admitted, door.let_in) == ({}, 0, [])
    assert stage.executor.unprepared == ["song"]
    assert stage.context.entries == {}
    stage.disk.error = None
    assert told(taken(stage, door))["job_id"] == "song"


def test_a_second_job_waits_for_its_turn(stage: Stage, door: Door) -> None:
    taken(stage, door)
    assert told(taken(stage, door, id="other"))["status"] == "accepted"
    assert (stage.status("other"), door.let_in) == (JobStatus.QUEUED, ["song"])
    assert [row.job_id for row in stage.live.in_line()] == ["other"]


def test_a_job_on_its_way_to_the_disk_is_neither_let_in_nor_changed(
    stage: Stage, door: Door
) -> None:
    stage.lives("before")
    stage.disk.held = True
    asked = taken(stage, door)
    assert [row.job_id for row in stage.live.in_line()] == ["before"]
    commands = Commands(stage.desk, stage.admit)
    assert code(stage.ask(commands.pause, "song")) == "unavailable"
    stage.commit()
    assert code(asked) == "ok"


def test_a_score_that_was_read_before_is_not_read_again(
    stage: Stage, door: Door, tmp_path: Path
) -> None:
    path = tmp_path / "song.yaml"
    path.write_text("text")
    wish = JobRequest(config_path=path, client_cwd=tmp_path)
    cache = stage.context.scores
    cache.keep(cache.key(submission.parse_request(wish, stage.home)), parsed())
    assert told(submit(stage, door, config_path=path, client_cwd=tmp_path))["job_id"] == "song"
    assert stage.others.asked == []


# -- refusals ------------------------------------------------------------------------------------


def test_a_conductor_that_ends_takes_nobody_in(stage: Stage, door: Door) -> None:
    asked = submit(stage, door)
    stage.context.stop.mode = "drain"
    assert code(submit(stage, door)) == "shutting_down"
    stage.answer("load", parsed())
    assert code(asked) == "shutting_down"
    assert stage.disk.batches == []


def test_under_pressure_nobody_is_taken_in_and_a_dry_run_is_told(stage: Stage, door: Door) -> None:
    stage.uses(990.0)
    assert code(submit(stage, door)) == "pressure"
    assert code(taken(stage, door, dry_run=True)) == "ok"


@pytest.mark.parametrize(
    ("error", "expected"),
    [(Refused("invalid_score", "no sheets"), "invalid_score"), (ActorDied("parser", KILLED), "")],
    ids=repr,
)
def test_a_score_that_cannot_be_read_is_refused_with_what_the_reader_says(
    stage: Stage, door: Door, error: Exception, expected: str
) -> None:
    asked = taken(stage, door, error)
    assert asked.outcome().error is error
    assert (dict(stage.live), stage.disk.batches) == ({}, [])


def test_what_nobody_foresaw_of_a_score_refuses_it_and_ends_nobody(
    stage: Stage, door: Door
) -> None:
    asked = taken(stage, door, Parsed(None, "/w", 1, "", "", b""))  # type: ignore[arg-type]
    assert code(asked) == "internal"


def test_a_first_sheet_that_there_is_none_of_is_refused(stage: Stage, door: Door) -> None:
    assert code(taken(stage, door, start_sheet=3)) == "invalid_params"
    assert code(taken(stage, door, start_sheet=2)) == "ok"


def test_a_dry_run_leaves_no_trace(stage: Stage, door: Door) -> None:
    reply = told(taken(stage, door, parsed(preview={"name": "song"}), dry_run=True))
    assert reply["plan"]["name"] == "song"
    assert (dict(stage.live), stage.disk.batches) == ({}, [])


# -- names ---------------------------------------------------------------------------------------


def test_two_that_come_at_once_have_names_of_their_own(stage: Stage, door: Door) -> None:
    stage.disk.held = True
    both = [taken(stage, door, config_path=f"/s/{name}.yaml") for name in "ab"]
    stage.commit()
    assert [told(one)["job_id"] for one in both] == ["song", "song-2"]


def test_an_id_that_is_asked_for_twice_at_once_is_one_jobs(stage: Stage, door: Door) -> None:
    stage.disk.held = True
    first = taken(stage, door, id="mine")
    assert code(taken(stage, door, id="mine")) == "conflict"
    stage.commit()
    assert code(first) == "ok"
    assert code(taken(stage, door, id="mine")) == "conflict"


def test_a_file_whose_job_is_not_over_is_not_played_again(stage: Stage, door: Door) -> None:
    stage.lives("song", JobStatus.PAUSED, config_path="/s/song.yaml")
    assert code(taken(stage, door)) == "conflict"
    assert code(taken(stage, door, id="beside")) == "ok"


def test_an_id_that_no_job_can_have_is_refused(stage: Stage, door: Door) -> None:
    assert code(taken(stage, door, id="../x")) == "invalid_params"


def test_a_job_in_the_same_place_is_warned_of_and_none_archives_anothers(
    stage: Stage, door: Door
) -> None:
    live = stage.lives("there", JobStatus.RUNNING, *WAY_IN)
    live.row.workspace = "/w/song"
    stage.live["there"] = live
    asked = taken(stage, door, fresh=True, id="new")
    assert told(asked)["warnings"] == ["the job there works in the same directory: /w/song"]
    found = parsed(archives=True)
    assert code(taken(stage, door, found, fresh=True, id="newer")) == "conflict"


# -- another plan: pure --------------------------------------------------------------------------


def test_a_new_plan_keeps_what_is_completed_and_begins_the_rest_anew() -> None:
    rows = {
        1: SheetRow(1, SheetStatus.COMPLETED, attempt=1),
        2: SheetRow(2, SheetStatus.FAILED, attempt=3, failures=3),
    }
    made = replan(PLAN, plan_of("one", "two", "three"), rows, {3: 7})
    assert [(row.num, row.attempt, row.failures) for row in made.saves] == [(2, 3, 0), (3, 7, 0)]
    assert (made.drop_from, made.left) == (None, 2)
    assert replan(PLAN, plan_of("one"), rows, {}).drop_from == 2
    (change,) = changes_of(PLAN, plan_of("one"), rows)
    assert (change["change"], change["sheet"]) == ("removed", 2)
    with pytest.raises(Refused, match="the new score has other there"):
        check_kept(PLAN, plan_of("other"), rows, "a")


@pytest.mark.parametrize("error", [None, StoreFull("the disk is full")])
def test_whom_a_job_is_to_follow_is_waited_for_from_its_way_to_the_disk_on(
    stage: Stage, door: Door, error: Exception | None
) -> None:
    """Else the end of that one might be seen and cleared before, and this one be cancelled."""
    stage.lives("first", JobStatus.RUNNING, *WAY_IN)
    stage.disk.held = True
    taken(stage, door, after=["first"])
    stage.write(UpdateJob("first", {"status": JobStatus.COMPLETED}))
    Ending(stage.desk).away("first")
    assert door.followers.awaited(["first"]) == {"first"}
    stage.disk.error = error
    stage.commit()
    assert door.followers.awaited(["first"]) == set()
    assert stage.desk.reader.taken("song") is (error is None)
