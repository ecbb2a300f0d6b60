"""What the screen shows, as data: which sheets come first, what the filters let through."""

from __future__ import annotations

from typing import Any

import pytest

from marianne.top.seen import Sheets, headline, progress, shown_jobs


def job(job_id: str, status: str = "running", **more: int) -> dict[str, Any]:
    told = {"completed": 1, "skipped": 1, "failed": 0, "total": 4, **more}
    return {"job_id": job_id, "name": job_id.upper(), "status": status, "progress": told}


@pytest.fixture
def sheets() -> Sheets:
    found = Sheets()
    found.take(b"cprfwr", ["a-1", "a-2", "a-3", "b-1", "b-2", "b-3"])
    return found


def test_what_runs_waits_or_failed_comes_first(sheets: Sheets) -> None:
    assert sheets.rows == [3, 6, 5, 4, 1, 2]
    assert sheets.running() == [3, 6]


@pytest.mark.parametrize(
    ("wanted", "rows"),
    [("b-", [6, 5, 4]), ("failed", [4]), ("2", [5, 2]), ("none", []), ("", [3, 6, 5, 4, 1, 2])],
)
def test_a_filter_looks_at_number_name_and_status(
    sheets: Sheets, wanted: str, rows: list[int]
) -> None:
    sheets.wanted = wanted
    sheets.arrange()
    assert sheets.rows == rows


def test_a_sheet_that_has_just_been_added_has_no_name_yet(sheets: Sheets) -> None:
    sheets.take(b"cprfwrp", sheets.names)
    assert (sheets.name(7), sheets.status(7)) == ("", "pending")


def test_jobs_are_chosen_by_id_name_or_status() -> None:
    jobs = [job("one"), job("two", "failed")]
    assert [one["job_id"] for one in shown_jobs(jobs, "fail")] == ["two"]
    assert [one["job_id"] for one in shown_jobs(jobs, "one")] == ["one"]


def test_the_head_says_where_the_conductor_is_and_how_jobs_stand() -> None:
    jobs = [job("one"), job("two", "failed"), job("three")]
    assert headline("there", jobs) == "2 running, 1 failed"
    assert headline("away", []) == "the conductor is away · no job"
    assert progress(job("one", failed=1)) == "2/4, 1 failed"
