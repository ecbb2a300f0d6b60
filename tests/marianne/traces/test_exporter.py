"""Spans of what is in the database: each once, in pages, with what is too much counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
from collector import Collector, attributes, collecting

from marianne.model.plan import Instrument, Plan, Prompt, SheetPlan
from marianne.model.result import AttemptResult
from marianne.score.pack import pack_plan
from marianne.state.changes import AddAttempt, AddEvent, DeleteJob, InsertJob, SaveSheet, UpdateJob
from marianne.state.database import Database
from marianne.state.models import JobRow, JobStatus, SheetRow, SheetStatus
from marianne.state.reader import Reader
from marianne.traces import exporter as told_by
from marianne.traces import progress
from marianne.traces.exporter import Exporter
from marianne.traces.progress import Progress
from marianne.traces.settings import Settings

NOW = 1_700_000_000.0
SHELL = Instrument("shell")


class Stage:
    """A database, and who tells a collector of it."""

    def __init__(self, place: Path, database: Database, collector: Collector) -> None:
        self.place, self.database, self.collector = place, database, collector
        self.now = NOW
        progress.write(place, Progress(0))

    def exporter(self, reader: Reader) -> Exporter:
        url = f"{self.collector.address}/v1/traces"
        place = str(self.place)
        return Exporter(Settings(place, f"{place}/state.db", "", "seed", url, {}), reader)

    def tell(self) -> bool | None:
        """One turn of a new one."""
        with Reader(self.place / "state.db") as reader:
            return self.exporter(reader).turn()

    @property
    def known(self) -> Progress:
        found = progress.read(self.place)
        assert found is not None
        return found

    def job(self, job_id: str, sheets: int = 1, **environment: str) -> None:
        names = [SheetPlan(n, f"s{n}", 1, SHELL, Prompt("x")) for n in range(1, sheets + 1)]
        row = JobRow(job_id, "work", JobStatus.RUNNING, "/w", self.now, sheets)
        plan = pack_plan(Plan("work", "/w", tuple(names), total_stages=1))
        self.database.write([InsertJob(row, plan, "", msgpack.packb(environment))])

    def end(self, job_id: str, num: int, attempt: int = 1, event: str = "sheet.completed") -> None:
        outcome = {"sheet.completed": "completed"}.get(event, "failed")
        result = AttemptResult(num, attempt, outcome, self.now, self.now + 1.0)
        self.now += 2.0
        self.database.write(
            [AddAttempt(job_id, result), self.event(job_id, event, num, attempt=attempt)]
        )

    def over(self, job_id: str, event: str = "job.completed") -> None:
        self.database.write([self.event(job_id, event, None)])

    def event(self, job_id: str, name: str, num: int | None, **data: Any) -> AddEvent:
        return AddEvent(job_id, num, name, data, self.now)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Database(tmp_path / "state.db") as database, collecting() as collector:
        yield Stage(tmp_path, database, collector)


def names(stage: Stage) -> list[str]:
    return [span["name"] for span in stage.collector.spans]


def test_what_was_told_is_not_told_again(stage: Stage) -> None:
    stage.job("a")
    stage.end("a", 1, event="sheet.retrying")
    assert stage.tell() is False
    assert names(stage) == ["attempt 1"]
    stage.end("a", 1, 2)
    stage.over("a")
    assert stage.tell() is False
    assert names(stage) == ["attempt 1", "attempt 2", "s1", "work"]
    assert stage.known == Progress(stage.known.seen, 4)
    assert stage.tell() is False
    assert len(names(stage)) == 4
    sheet = stage.collector.named("s1")[0]
    assert attributes(sheet)["marianne.attempts"] == 2
    assert sheet["startTimeUnixNano"] == stage.collector.spans[0]["startTimeUnixNano"]


def test_what_was_not_taken_stays_and_is_told_with_the_same_numbers(stage: Stage) -> None:
    stage.job("a")
    stage.end("a", 1)
    stage.collector.status = 503
    assert stage.tell() is None
    assert stage.known == Progress(0, trouble="the answer was HTTP 503")
    stage.collector.status = 200
    stage.tell()
    first = list(stage.collector.spans)
    progress.write(stage.place, Progress(0))  # told, that not on disk
    stage.tell()
    assert stage.collector.spans == first + first


def test_of_too_much_the_oldest_is_never_told_and_counted(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(told_by, "LIMIT", 2)
    stage.job("a", 5)
    for num in range(1, 6):
        stage.end("a", num)
    stage.tell()
    assert [span["name"] for span in stage.collector.spans if span["name"] != "attempt 1"] == [
        "s4",
        "s5",
    ]
    assert (stage.known.sent, stage.known.dropped) == (4, 6)


def test_pages_and_batches_hold_all_of_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(told_by, "PAGE", 3)
    monkeypatch.setattr(told_by, "BATCH", 2)
    stage.job("a", 7)
    for num in range(1, 8):
        stage.end("a", num)
    with Reader(stage.place / "state.db") as reader:
        exporter = stage.exporter(reader)
        turns = [exporter.turn() for _ in range(3)]
    assert turns == [True, True, False]
    assert {f"s{n}" for n in range(1, 8)} <= set(names(stage))
    assert len(names(stage)) == 14
    assert len(stage.collector.paths) == 7


def test_a_job_that_is_gone_is_counted(stage: Stage) -> None:
    stage.job("a")
    stage.end("a", 1)
    stage.over("a")
    stage.database.write([UpdateJob("a", {"status": JobStatus.COMPLETED}), DeleteJob("a")])
    stage.tell()
    assert (names(stage), stage.known.dropped) == ([], 3)


def test_a_job_that_nobody_wants_to_hear_of_is_passed_over(stage: Stage) -> None:
    stage.job("a", TRACEPARENT=f"00-{'a' * 32}-{'b' * 16}-00")
    stage.end("a", 1)
    stage.over("a")
    stage.tell()
    assert (names(stage), stage.known.dropped) == ([], 0)
    assert stage.known.seen > 0


def test_a_retried_job_has_another_span_and_its_attempts_are_below_the_right_one(
    stage: Stage,
) -> None:
    stage.job("a", 2)
    stage.end("a", 1, event="sheet.failed")
    stage.over("a", "job.failed")
    stage.now += 10.0
    stage.database.write([stage.event("a", "job.resumed", None)])
    stage.end("a", 1, 2)
    stage.over("a")
    stage.tell()
    first, second = stage.collector.named("work")
    below = {span["name"]: span["parentSpanId"] for span in stage.collector.spans[-3:-1]}
    sheets = stage.collector.named("s1")
    assert [sheet["parentSpanId"] for sheet in sheets] == [first["spanId"], second["spanId"]]
    assert below["attempt 2"] == sheets[1]["spanId"]
    assert attributes(sheets[1])["marianne.attempts"] == 1
    assert int(second["startTimeUnixNano"]) == (NOW + 12.0) * 1e9


def test_a_sheet_that_its_jobs_end_ended_has_a_span(stage: Stage) -> None:
    stage.job("a", 2)
    stage.end("a", 1, event="sheet.interrupted")
    cancelled = [SaveSheet("a", SheetRow(n, SheetStatus.CANCELLED, attempt=2 - n)) for n in (1, 2)]
    stage.database.write([*cancelled, stage.event("a", "job.cancelled", None)])
    stage.tell()
    assert names(stage) == ["attempt 1", "s1", "work"]


def test_of_a_plan_that_cannot_be_read_sheets_are_called_by_number(stage: Stage) -> None:
    row = JobRow("a", "work", JobStatus.RUNNING, "/w", NOW, 1)
    stage.database.write([InsertJob(row, b"another version's", "", msgpack.packb({}))])
    stage.end("a", 1)
    stage.tell()
    assert names(stage) == ["attempt 1", "sheet 1"]


def test_an_error_that_is_told_has_no_credential(stage: Stage) -> None:
    stage.job("a")
    stage.now += 1.0
    data = {"message": "password=hunter2hunter2 was wrong"}
    stage.database.write([AddEvent("a", 1, "sheet.failed", data, stage.now)])
    stage.tell()
    told = stage.collector.named("s1")[0]["status"]["message"]
    assert "hunter2" not in told
    assert "was wrong" in told
