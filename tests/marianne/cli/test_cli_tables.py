"""Tables that read well: at 80 columns nothing folds, in a pipe nothing is cut."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marianne.cli.render import values
from marianne.cli.render.attempts import print_attempts
from marianne.cli.render.fit import GAP, fitted
from marianne.cli.render.job import print_sheets, progress_text
from marianne.cli.render.jobs import print_jobs
from marianne.cli.render.plan import print_expansion
from marianne.cli.render.table import cut_middle, print_table, width_of

NAME = "the-very-long-name-of-a-sheet-that-fans-out-to-many[linux, 3.11, release]"
WHY = "Exit code 3: " + "it could not be read " * 20
UTC = "2026-01-02T03:04:05.000000Z"

ATTEMPT: dict[str, Any] = {
    "sheet": 12345,
    "name": NAME,
    "attempt": 12,
    "outcome": "interrupted",
    "category": "resource_limit",
    "started_at": UTC,
    "finished_at": UTC,
    "duration_seconds": 7200.0,
    "peak_memory_mb": 1234.5,
    "output_bytes": 10**9,
    "message": WHY,
}
SHEET: dict[str, Any] = {
    "num": 12345,
    "name": NAME,
    "status": "completed",
    "attempt": 12,
    "exit_code": None,
    "signal": 15,
    "started_at": None,
    "duration_seconds": 7200.0,
    "instrument": "some-instrument",
    "model": "of-a-very-long-name",
    "validations": [],
    "left_running": [12, 13],
    "error": {"category": "exit", "message": WHY},
}
JOB: dict[str, Any] = {
    "job_id": NAME,
    "status": "pending",
    "reason": "estimate",
    "progress": {"completed": 1, "failed": 2, "skipped": 3, "total": 123456},
    "submitted_at": UTC,
    "started_at": UTC,
    "finished_at": UTC,
    "priority": 1,
    "error": WHY,
}
PLANNED: dict[str, Any] = {
    "num": 12345,
    "name": NAME,
    "needs": list(range(100)),
    "instrument": "some-instrument",
    "model": "of-a-very-long-name",
    "max_retries": 3,
    "timeout_seconds": 3600.0,
    "validations": [1],
}
TABLES = {
    "errors, history": lambda: print_attempts([ATTEMPT]),  # type: ignore[list-item]
    "status": lambda: print_sheets([SHEET]),  # type: ignore[list-item]
    "list": lambda: print_jobs([JOB]),  # type: ignore[list-item]
    "validate --expand": lambda: print_expansion([PLANNED]),
}


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "XYZ-05:00")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("name", TABLES)
def test_at_80_columns_no_row_folds_and_what_happened_is_still_said(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    TABLES[name]()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert max(map(len, lines)) <= 80
    assert "the-v" in lines[1]
    if name != "validate --expand":
        assert "Exit code 3" in lines[1]


@pytest.mark.parametrize("name", TABLES)
def test_a_pipe_gets_all_of_it(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    TABLES[name]()
    told = capsys.readouterr().out
    assert NAME in told
    assert "…" not in told


def test_one_long_cell_makes_only_its_own_row_long(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A", "B"), [("x" * 1000, "long"), ("y", "short")])
    head, long, short = capsys.readouterr().out.splitlines()
    assert long == "x" * 1000 + "  long"
    assert max(len(head), len(short)) < 60


def test_a_name_is_cut_in_its_middle() -> None:
    assert cut_middle("build[linux, release]", 13) == "build[…lease]"
    assert cut_middle("short", 13) == "short"
    assert width_of(cut_middle("日本語日本語日本語", 9)) <= 9


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.integers(1, 200), min_size=2, max_size=9),
    st.integers(60, 200),
    st.sets(st.integers(0, 8)),
    st.lists(st.integers(0, 8), unique=True),
)
def test_columns_fit_where_those_that_stay_whole_leave_room(
    given_: list[int], total: int, names: set[int], spare: list[int]
) -> None:
    widths = dict(enumerate(given_))
    found = fitted(widths, total, names, spare)
    assert found.keys() <= widths.keys()
    assert widths.keys() - found.keys() <= set(spare)
    assert all(0 < found[column] <= widths[column] for column in found)
    last = max(found)
    whole = [c for c in widths if c not in names and c not in spare and c != last]
    least = sum(widths[c] for c in whole) + 8 * (len(found) - len(whole)) + GAP * len(found)
    if least <= total:
        assert sum(found.values()) + GAP * (len(found) - 1) <= total


def test_what_fits_stays_as_it_is() -> None:
    assert fitted({0: 10, 1: 20, 2: 40}, 80, (0,), (1,)) == {0: 10, 1: 20, 2: 40}


def test_times_in_what_the_conductor_says_are_local(zone: None) -> None:
    told = values.with_local_times(f"exit; due {UTC}, or never")
    assert told == "exit; due 2026-01-02 08:04:05, or never"


def test_a_skipped_sheet_is_not_one_that_is_yet_to_come() -> None:
    assert progress_text(JOB["progress"]) == "1/123456, 2 failed, 3 skipped"


def test_processes_that_a_sheet_left_are_gone(capsys: pytest.CaptureFixture[str]) -> None:
    print_sheets([SHEET])  # type: ignore[list-item]
    assert "left running, and ended: 12, 13" in capsys.readouterr().out


def test_what_is_to_be_read_whole_goes_on_below_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    words = "no limits by memory: the controller is bound to version 1; boot with another line"
    print_table(("WHAT", "", "FOUND"), [("groups", "-", words), ("home", "well", "/x")], wrap=True)
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert lines[2].startswith(" " * len("groups  well  "))
    assert " ".join(line[14:] for line in lines[1:3]) == words
    assert lines[3] == "home    well  /x"
