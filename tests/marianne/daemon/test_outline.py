"""A plan in outline: entries, the ranges of their sheets, what comes after what; job.plan."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from handler_stage import Desk, asked, desk_in, refusal

from actors import NoSuchActor
from marianne.daemon.api.handlers import job_map, job_plan
from marianne.daemon.views import outline, wire
from marianne.model.plan import Instrument, ListSource, Plan, Prompt, SheetPlan
from marianne.score.pack import Outline, pack_plan
from marianne.state.changes import InsertJob, SaveSheet
from marianne.state.models import JobRow, JobStatus, SheetRow, SheetStatus

SHELL = Instrument("shell")


def sheet(num: int, name: str, entry: int, *needs: int) -> SheetPlan:
    return SheetPlan(num, name, entry, SHELL, Prompt("a"), needs=needs)


FAN = Plan(
    "fan",
    "/w",
    (
        sheet(1, "seed", 1),
        sheet(2, "work-1", 2, 1),
        sheet(3, "work-2", 2, 1),
        sheet(4, "end", 3, 2, 3),
        sheet(5, "work-3", 2, 1),
    ),
    total_stages=3,
    lists={1: ListSource("glob", sheet(0, "work", 2, 1), 9)},
)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_in(tmp_path) as desk:
        row = JobRow("fan", "fan", JobStatus.QUEUED, "/w", 100.0, sheet_count=5)
        desk.write(InsertJob(row, pack_plan(FAN), "", b""))
        yield desk


def test_a_fan_out_is_one_entry_whose_sheets_are_ranges(desk: Desk) -> None:
    told = asked(job_plan, desk, job_id="fan", sheets=(2, 4))
    assert told["names"] == ["work-1", "work-2", "end"]
    assert (told["total"], told["more"]) == (5, 0)
    assert told["entries"] == [
        {"entry": 1, "name": "seed", "sheets": [[1, 1]], "needs": []},
        {"entry": 2, "name": "work", "sheets": [[2, 3], [5, 5]], "needs": [1]},
        {"entry": 3, "name": "end", "sheets": [[4, 4]], "needs": [2]},
    ]


def test_names_are_told_only_where_asked_for_and_entries_up_to_a_number(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outline, "ENTRIES", 1)
    told = asked(job_plan, desk, job_id="fan")
    assert (told["names"], len(told["entries"]), told["more"]) == ([], 1, 2)
    monkeypatch.setattr(outline, "NAMES_BYTES", len("seed") + len("work-1") + 2 * 5)
    assert asked(job_plan, desk, job_id="fan", sheets=(1, 5))["names"] == ["seed", "work-1"]


def test_a_stranger_and_a_plan_that_cannot_be_read_are_refused(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for handler in (job_plan, job_map):
        assert refusal(handler, desk, job_id="none").code == "not_found"
    monkeypatch.setattr(type(desk.reader), "plan", lambda *_args: b"none")
    assert refusal(job_plan, desk, job_id="fan").code == "internal"


def test_a_job_that_runs_is_mapped_by_its_actor_any_other_from_disk(desk: Desk) -> None:
    desk.post.answer = lambda: {"states": b"r"}
    assert asked(job_map, desk, job_id="fan") == {"states": b"r"}
    assert desk.post.asked == [("job:fan/job", "map")]

    def nobody() -> None:
        raise NoSuchActor("job:fan/job")

    desk.post.answer = nobody
    desk.write(SaveSheet("fan", SheetRow(2, SheetStatus.RUNNING, attempt=1)))
    desk.write(SaveSheet("fan", SheetRow(4, SheetStatus.SKIPPED)))
    found = asked(job_map, desk, job_id="fan")
    assert (found["status"], found["states"]) == ("queued", b"prpsp")


def test_each_status_has_a_letter_and_a_sheet_that_is_not_known_waits() -> None:
    known = list(enumerate(SheetStatus, 2))
    assert wire.states(len(known) + 1, [*known, (99, SheetStatus.FAILED)]) == b"ppprwcfsx"


@pytest.mark.parametrize(
    ("names", "common"),
    [
        (["one"], "one"),
        (["work-1", "work-2", "work-10"], "work"),
        (["build[linux]", "build[mac]"], "build"),
        (["a", "b"], "a"),
        (["same", "same"], "same"),
    ],
)
def test_an_entry_is_called_by_what_its_names_have_in_common(names: list[str], common: str) -> None:
    assert outline.common_name(names) == common


def test_an_entry_does_not_need_itself() -> None:
    chain = [Outline(1, "a-1", 1, []), Outline(2, "a-2", 1, [1])]
    (entry,) = outline.entries(chain)
    assert entry["needs"] == []
