"""How state looks to a client: times, states of sheets, pages, output, a job's past."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from handler_stage import PLAN, Desk, desk_in

from marianne.daemon.config import DaemonConfig
from marianne.daemon.jobmeta import JobMeta
from marianne.daemon.manager import JobManager
from marianne.daemon.shared.edge import INT64
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.views import queries, reports, wire
from marianne.learning.hub import LearningHub
from marianne.model.plan import Instrument, Plan, Prompt, SheetPlan
from marianne.model.result import AttemptResult
from marianne.schedule.explain import Explanation
from marianne.score.pack import pack_plan
from marianne.state.changes import AddAttempt, AddEvent, InsertJob, SaveSheet
from marianne.state.models import JobRow, JobStatus, SheetRow, SheetStatus

SHELL = Instrument("shell")
TWO = Plan(
    "two",
    "/w",
    (
        SheetPlan(1, "first", 1, SHELL, Prompt("a")),
        SheetPlan(2, "second", 2, SHELL, Prompt("b"), needs=(1,), fallbacks=(Instrument("cli"),)),
    ),
    total_stages=2,
)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_in(tmp_path) as desk:
        yield desk


def insert(desk: Desk, plan: Plan = TWO, job_id: str = "a", **fields: Any) -> None:
    values = {"status": JobStatus.RUNNING, "submitted_at": 100.0, "workspace": "/w", **fields}
    row = JobRow(job_id, job_id, sheet_count=len(plan.sheets), **values)
    desk.write(InsertJob(row, pack_plan(plan), "", b""))


def attempt(num: int, number: int, outcome: str = "failed", **more: Any) -> AttemptResult:
    return AttemptResult(num, number, outcome, 10.0 * number, 10.0 * number + 2.5, **more)


# -- times and maps -----------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.0, 1.5, 1_700_000_000.000_001, 1e9 + 0.999_999_7, 2e9])
def test_a_time_is_27_characters_to_the_microsecond_as_datetime_rounds_it(seconds: float) -> None:
    told = wire.timestamp(seconds)
    assert told is not None
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", told)
    assert datetime.fromisoformat(told) == datetime.fromtimestamp(seconds, UTC)
    assert wire.timestamp(None) is None


def shown(num: int, *rows: SheetRow) -> dict[str, Any]:
    return wire.sheet_map(TWO, {row.num: row for row in rows}, num)


@pytest.mark.parametrize(
    ("above", "status"),
    [
        (SheetRow(1, SheetStatus.RUNNING), "pending"),
        (SheetRow(1, SheetStatus.COMPLETED), "ready"),
        (SheetRow(1, SheetStatus.SKIPPED, category="skip_condition"), "ready"),
        (SheetRow(1, SheetStatus.SKIPPED, category="dependency"), "pending"),
    ],
)
def test_a_pending_sheet_whose_needs_are_satisfied_shows_as_ready(
    above: SheetRow, status: str
) -> None:
    assert shown(2, above)["status"] == status


def test_a_sheet_shows_the_instrument_that_plays_it_and_how_long_it_took() -> None:
    assert shown(2)["instrument"] == "shell"
    row = SheetRow(2, SheetStatus.FAILED, fallback=1, started_at=1.0, finished_at=2.5)
    row.category, row.message = "exit", "exit code 1"
    found = shown(2, row)
    assert (found["instrument"], found["duration_seconds"]) == ("cli", 1.5)
    assert found["error"] == {"category": "exit", "code": None, "message": "exit code 1"}
    assert shown(1)["error"] is None
    assert shown(1)["duration_seconds"] is None
    assert shown(1, SheetRow(1, SheetStatus.RUNNING, started_at=1.0))["duration_seconds"] is None


def test_a_sheet_that_was_played_by_a_fallback_which_its_new_score_has_not_is_shown() -> None:
    """A completed sheet stays as it is, whatever plays it by the score that the job goes on by."""
    row = SheetRow(2, SheetStatus.COMPLETED, fallback=7, started_at=1.0, finished_at=2.5)
    assert (shown(2, row)["status"], shown(2, row)["instrument"]) == ("completed", "shell")


def test_sheets_come_in_the_order_that_was_asked_for() -> None:
    assert [sheet["num"] for sheet in wire.sheet_maps(TWO.sheets[::-1], {})] == [2, 1]


# -- what is read of jobs -----------------------------------------------------------------------


def test_a_status_has_the_sheets_of_its_range_and_no_others(desk: Desk) -> None:
    insert(desk)
    for first, last, nums in ((1, 2, [1, 2]), (2, 9, [2]), (0, 1, [1]), (3, 9, [])):
        found = queries.status(desk.reader, "a", first, last)
        assert [sheet["num"] for sheet in found["sheets"]] == nums
    assert found["progress"]["total"] == 2
    with pytest.raises(Refused, match="nobody"):
        queries.status(desk.reader, "nobody", 1, 2)


def test_a_plan_that_cannot_be_read_is_an_answer_and_ends_nobody(desk: Desk) -> None:
    desk.write(InsertJob(JobRow("a", "a", JobStatus.RUNNING, "/w", 1.0, 1), b"\xc1", "", b""))
    with pytest.raises(Refused, match="stored plan of job a") as refused:
        queries.plan_of(desk.reader, "a")
    assert refused.value.code == "internal"
    assert refused.value.hint is not None


def test_only_finished_jobs_can_be_cleared_by_status_age_and_name(desk: Desk) -> None:
    insert(desk, job_id="runs")
    insert(desk, job_id="old", status=JobStatus.COMPLETED, finished_at=10.0)
    insert(desk, job_id="new", status=JobStatus.FAILED, finished_at=90.0)

    def chosen(*selection: Any) -> set[str]:
        return set(queries.clearable(desk.reader, *selection, now=100.0))

    assert chosen(None, None, None) == {"old", "new"}
    assert chosen(["failed"], None, None) == {"new"}
    assert chosen(None, 50.0, None) == {"old"}
    assert chosen(None, None, ["new", "runs"]) == {"new"}
    assert chosen(["running"], None, None) == set()


def test_however_many_names_are_given_each_job_is_looked_up_among_them_once(desk: Desk) -> None:
    insert(desk, job_id="over", status=JobStatus.FAILED, finished_at=1.0)

    class Names(list[str]):
        """Of 100,000 that a client may give, none is compared with every job."""

        def __contains__(self, name: object) -> bool:
            raise AssertionError("searched from the first to the last")

    assert queries.clearable(desk.reader, None, None, Names(["over"]), 100.0) == ["over"]


class Printed:
    """A job whose second sheet printed in its first attempt, and runs its second."""

    def __init__(self, desk: Desk) -> None:
        insert(desk)
        self._desk = desk
        self.directory = desk.home.job_dir("a")
        (self.directory / "sheets").mkdir(parents=True)
        for num, number, status in ((1, 1, SheetStatus.COMPLETED), (2, 2, SheetStatus.RUNNING)):
            row = SheetRow(num, status, attempt=number, started_at=float(num))
            desk.write(SaveSheet("a", row))
        (self.directory / "sheets" / "1.1.out").write_bytes(b"0123456789")
        (self.directory / "sheets" / "2.1.out").write_bytes(b"earlier")

    def read(self, **asked: Any) -> dict[str, Any]:
        given = {"sheet": None, "attempt": None, "stream": "out", "offset": 0, "limit": 100}
        return queries.output(self._desk.reader, self.directory, "a", **{**given, **asked})


def test_without_a_number_it_is_the_last_sheet_that_printed(desk: Desk) -> None:
    printed = Printed(desk)
    assert (printed.read()["sheet"], printed.read()["data"]) == (1, b"0123456789")
    running = printed.read(follow=True)
    assert (running["sheet"], running["attempt"], running["ended"]) == (2, 2, False)
    assert printed.read(sheet=2, attempt=1)["data"] == b"earlier"


def test_pieces_of_output_follow_each_other_to_its_end(desk: Desk) -> None:
    printed = Printed(desk)
    piece = printed.read(sheet=1, offset=4, limit=4)
    assert (piece["data"], piece["next_offset"], piece["size"]) == (b"4567", 8, 10)
    assert printed.read(sheet=1, offset=8, limit=4)["data"] == b"89"


def test_what_bash_says_of_a_script_names_the_lines_of_the_score(desk: Desk) -> None:
    printed = Printed(desk)
    script = Prompt("a\nb {{ x }}", script=True, line=7)
    sheets = (replace(TWO.sheets[0], prompt=script), TWO.sheets[1])
    insert(desk, replace(TWO, sheets=sheets, score_path="/s/two.yaml"), "b")
    prompt = printed.directory / "sheets" / "1.1.prompt"
    prompt.write_text("a\nb 1")
    said = f"{prompt}: line 2: b: command not found\n\xff\n".encode("latin-1")
    (printed.directory / "sheets" / "1.1.err").write_bytes(said)
    desk.write(SaveSheet("b", SheetRow(1, SheetStatus.FAILED, attempt=1, started_at=1.0)))

    def read(job: str = "b", **more: Any) -> dict[str, Any]:
        place = printed.directory
        return dict(queries.output(desk.reader, place, job, 1, 1, "err", 0, 1000, **more))

    assert read()["data"] == b"two.yaml:8: b: command not found\n\xff\n"
    assert read()["next_offset"] == len(said)
    assert read(plain=True)["data"] == said
    assert read("a")["data"] == said, "it has a prompt, and no script"
    prompt.unlink()
    assert read()["data"] == said


@pytest.mark.parametrize("offset", [10, 11, 2**40, INT64 - 1, INT64])
def test_after_the_end_there_is_nothing_wherever_that_is(desk: Desk, offset: int) -> None:
    piece = Printed(desk).read(sheet=1, offset=offset)
    assert (piece["data"], piece["next_offset"], piece["size"]) == (b"", offset, 10)


@pytest.mark.timeout(30)  # to open a pipe may take for ever
@pytest.mark.parametrize("what", ["pipe", "folder", "socket"])
def test_what_is_no_file_where_output_should_be_is_not_waited_for(desk: Desk, what: str) -> None:
    printed = Printed(desk)
    path = printed.directory / "sheets" / "1.1.out"
    path.unlink()
    if what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    else:
        os.mknod(path, stat.S_IFSOCK | 0o600)
    piece = printed.read(sheet=1)
    assert (piece["data"], piece["size"]) == (b"", 0)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"sheet": 3}, "not_found"),
        ({"sheet": 0}, "not_found"),
        ({"sheet": 2, "attempt": 3}, "not_found"),
    ],
)
def test_output_that_there_cannot_be_is_refused(
    desk: Desk, asked: dict[str, Any], code: str
) -> None:
    with pytest.raises(Refused) as refused:
        Printed(desk).read(**asked)
    assert refused.value.code == code


def test_a_sheet_that_has_not_started_yet_is_a_conflict(desk: Desk) -> None:
    insert(desk)
    with pytest.raises(Refused, match="has not started yet") as refused:
        queries.output(desk.reader, desk.home.path, "a", 1, None, "out", 0, 10)
    assert refused.value.code == "conflict"
    with pytest.raises(Refused, match="no sheet of a has started"):
        queries.output(desk.reader, desk.home.path, "a", None, None, "out", 0, 10)


@pytest.mark.parametrize(
    ("problem", "mode", "accepting", "ready"),
    [
        (None, None, True, True),
        ("the disk is full", None, True, False),
        (None, "stop", True, False),
        (None, None, False, False),
    ],
)
def test_ready_needs_a_disk_room_and_no_wish_to_stop(
    desk: Desk, problem: str | None, mode: str | None, accepting: bool, ready: bool
) -> None:
    context: Any = SimpleNamespace(
        home=desk.home,
        config=DaemonConfig(),
        executor=SimpleNamespace(summary=list),
        heart_pid=7,
        storage=SimpleNamespace(words=lambda: problem, files_bytes=5),
        stop=SimpleNamespace(mode=mode),
        backpressure=SimpleNamespace(current_level=lambda: "none", current_delay=0.0),
        resources=SimpleNamespace(
            current_memory_mb=lambda: None, is_accepting_work=lambda: accepting
        ),
        face=JobManager(DaemonConfig()),
    )
    told = queries.daemon_status(context, 2, 3)
    assert told["total_jobs_active"] == 3
    assert (told["ready"], told["running_jobs"], told["storage"]) == (ready, 2, problem or "ok")
    assert told["disk"]["files_bytes"] == 5
    assert told["disk"]["free_bytes"] > 0


def test_the_time_in_a_reason_is_told_as_all_times_are() -> None:
    paced = wire.reason(Explanation("pacing", "slowly", {"until": 1.5}))
    assert paced["data"] == {"until": "1970-01-01T00:00:01.500000Z"}
    limited = wire.reason(Explanation("total_limit", "all are taken", {"limit": 2}))
    assert limited == {"code": "total_limit", "text": "all are taken", "data": {"limit": 2}}


# -- a job's past -------------------------------------------------------------------------------


def test_errors_are_the_failed_attempts_newest_first_and_who_was_skipped(desk: Desk) -> None:
    insert(desk, status=JobStatus.FAILED)
    skipped = SheetRow(2, SheetStatus.SKIPPED, category="dependency", message="first failed")
    results = [attempt(1, 1), attempt(1, 2, "interrupted"), attempt(1, 3, category="exit")]
    unwanted = SheetRow(1, SheetStatus.SKIPPED, category="skip_condition")
    rows = (SaveSheet("a", skipped), SaveSheet("a", unwanted))
    desk.write(*(AddAttempt("a", result) for result in results), *rows)
    found = reports.errors(desk.reader, "a", limit=1)
    assert [(e["attempt"], e["category"]) for e in found["errors"]] == [(3, "exit")]
    assert found["total"] == 2
    assert found["skipped"] == [{"sheet": 2, "name": "second", "message": "first failed"}]


def test_a_history_is_of_one_sheet_or_of_all(desk: Desk) -> None:
    insert(desk)
    desk.write(*(AddAttempt("a", attempt(num, 1, "completed")) for num in (1, 2)))
    assert len(reports.history(desk.reader, "a")["records"]) == 2
    (record,) = reports.history(desk.reader, "a", 2)["records"]
    assert (record["name"], record["duration_seconds"]) == ("second", 2.5)
    with pytest.raises(Refused, match="sheets 1 to 2"):
        reports.history(desk.reader, "a", 3)


def test_a_diagnosis_shows_the_ends_of_output_without_credentials(desk: Desk) -> None:
    insert(desk, PLAN, status=JobStatus.FAILED)
    row = SheetRow(1, SheetStatus.FAILED, attempt=1, category="exit", exit_code=3)
    desk.write(SaveSheet("a", row), AddAttempt("a", attempt(1, 1, category="exit", exit_code=3)))
    sheets = desk.home.job_dir("a") / "sheets"
    sheets.mkdir(parents=True)
    (sheets / "1.1.err").write_text("key sk-abcdefghijklmnopqrstuvwx1234\nbroken\n")
    found = reports.diagnosis(desk.reader, desk.home.job_dir("a"), "a", LearningHub())
    (sheet,) = found["sheets"]
    assert "broken" in sheet["last_output"]["err"]
    assert "sk-abcdef" not in sheet["last_output"]["err"]
    assert (found["resources"]["failed"], len(sheet["attempts"])) == (1, 1)
    assert found["meta"]["job_id"] == "a"
    assert found["cause"]


def test_supervision_tells_a_jobs_own_parts_and_everybodys_but_no_other_jobs(desk: Desk) -> None:
    insert(desk, finished_at=500.0)
    names = ["job:a/worker", "job:ab/job", "job:b/worker", "monitor", "job:a"]
    desk.write(
        *(AddEvent(None, None, "actor.crashed", {"name": name}, 200.0) for name in names),
        AddEvent(None, None, "actor.crashed", {"name": "store"}, 900.0),
    )
    row = desk.reader.job("a")
    assert row is not None
    found = reports.supervision(desk.reader, row)
    assert [(part["name"], part["own"]) for part in found] == [
        ("job:a/worker", True),
        ("monitor", False),
        ("job:a", True),
    ]


def test_what_a_job_used_is_the_sum_and_the_peak_of_its_attempts() -> None:
    used = reports.resources(
        [
            attempt(1, 1, peak_memory_mb=5.0, cpu_seconds=1.0, usage={"cost_usd": 0.25}),
            attempt(2, 1, "completed", peak_memory_mb=9.0, cpu_seconds=2.0, output_bytes=7),
        ]
    )
    assert (used["cpu_seconds"], used["peak_memory_mb"], used["sheet_seconds"]) == (3.0, 9.0, 5.0)
    assert (used["cost_usd"], used["output_bytes"], used["failed"]) == (0.25, 7, 1)
    assert reports.resources([])["cost_usd"] is None


def held(hooks_done: int, status: JobStatus = JobStatus.PAUSED, reason: str = "chain") -> JobMeta:
    hooks = [{"type": "run_job"}, {"type": "run_command"}]
    options = {"after": {"on_success": hooks}, "hooks_done": hooks_done, "chain_depth": 2}
    return JobMeta.of(
        JobRow("a", "a", status, "/w", 1.0, 1, reason=reason, error="why", options=options)
    )


def test_the_held_hook_is_the_next_of_a_job_that_pauses_in_its_chain() -> None:
    assert held(1).held_chain_hook == {"type": "run_command"}
    assert held(2).held_chain_hook is None
    assert held(1, reason="person").held_chain_hook is None
    assert held(1, JobStatus.COMPLETED).held_chain_hook is None


def test_metadata_leaves_out_what_is_not_set() -> None:
    told = held(1).to_dict()
    assert (told["chain_depth"], told["error_message"]) == (2, "why")
    assert "error_traceback" not in told
    assert told["config_path"] is None
