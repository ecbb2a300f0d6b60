"""What a person reads: short, aligned, plain when piped, harmless for a terminal."""

from __future__ import annotations

import sys
import time

import pytest

from marianne.cli.render import out, values
from marianne.cli.render.events import details_of, print_event
from marianne.cli.render.job import print_job
from marianne.cli.render.table import Cell, cut, print_table, width_of
from marianne.cli.render.tree import print_tree


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0, "0.00s"),
        (-1, "0.00s"),
        (0.244, "0.24s"),
        (9.99, "9.99s"),
        (9.996, "10.0s"),
        (59.96, "1m00s"),
        (245, "4m05s"),
        (7830, "2h10m"),
        (273_600, "3d04h"),
    ],
)
def test_durations_are_short(seconds: float | None, text: str) -> None:
    assert values.duration(seconds) == text


def test_a_span_without_an_end_goes_to_now() -> None:
    start = "2026-11-24T08:00:00.000000Z"
    begun = values.parse_time(start)
    assert begun is not None
    assert values.span(start, None, now=begun + 5) == 5
    assert values.span(None, None) is None


def test_how_long_ago_names_the_largest_unit() -> None:
    start = "2026-11-24T08:00:00.000000Z"
    then = values.parse_time(start) or 0
    assert [values.ago(start, then + s) for s in (3, 200, 7300, 200_000)] == [
        "3s ago",
        "3m ago",
        "2h ago",
        "2d ago",
    ]


def test_columns_are_aligned_and_empty_ones_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(
        ("#", "NAME", "NONE", "END"), [(1, "a", "", "x"), (10, "bcd", None, "y")], right=(0,)
    )
    assert capsys.readouterr().out == " #  NAME  END\n 1  a     x\n10  bcd   y\n"


def test_wide_letters_take_two_columns() -> None:
    assert width_of("日本") == 4
    assert cut("日本語", 5) == "日本…"
    assert cut("plain", 5) == "plain"


def test_a_pipe_gets_no_colour_and_whole_lines(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A",), [(Cell("x" * 500, ("red",)),)])
    assert capsys.readouterr().out == "A\n" + "x" * 500 + "\n"


def test_a_terminal_gets_colour_unless_no_color_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert out.paint("x", "red") == "\x1b[31mx\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert out.paint("x", "red") == "x"


def test_control_characters_never_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("NAME",), [("\x1b]0;owned\x07",)])
    assert "\x1b" not in capsys.readouterr().out


def test_a_job_shows_its_sheets_and_why_one_failed(capsys: pytest.CaptureFixture[str]) -> None:
    print_job(
        {
            "job_id": "wc",
            "status": "failed",
            "reason": None,
            "workspace": "/w",
            "started_at": "2026-11-24T08:00:00.000000Z",
            "finished_at": "2026-11-24T08:00:02.500000Z",
            "error": "1 sheet failed",
            "progress": {"completed": 1, "failed": 1, "total": 2},
            "sheets": [
                _sheet(1, "fetch", "completed", exit_code=0),
                _sheet(
                    2,
                    "count",
                    "failed",
                    exit_code=0,
                    validations=[
                        {"type": "file_exists", "passed": False, "detail": "no lines.txt"}
                    ],
                ),
            ],
        }
    )
    told = capsys.readouterr().out
    assert told.startswith("wc  failed\n")
    assert "2.50s" in told
    assert "file_exists: no lines.txt" in told


def test_what_a_job_used_is_shown_if_it_used_any(capsys: pytest.CaptureFixture[str]) -> None:
    job = {"job_id": "j", "status": "completed"}
    print_job({**job, "usage": {"input_tokens": 1200, "output_tokens": 0, "cost_usd": 0.256}})
    assert "1,200 input tokens, 0.26 USD" in capsys.readouterr().out
    print_job({**job, "usage": {"input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0}})
    assert "used" not in capsys.readouterr().out


def _sheet(num: int, name: str, status: str, **more: object) -> dict[str, object]:
    row: dict[str, object] = {"num": num, "name": name, "status": status, "attempt": 1}
    row |= {"error": None, "validations": [], "left_running": []}
    return {**row, "instrument": "shell", "duration_seconds": 1.0, **more}


def test_an_event_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_event(
        {
            "seq": 4,
            "ts": None,
            "job_id": "wc",
            "sheet_num": 2,
            "event": "sheet.retrying",
            "data": {"attempt": 1, "exit_code": 3, "delay": 2.0, "message": "two\nlines"},
        },
        with_job=True,
        names={2: "count"},
    )
    assert capsys.readouterr().out == (
        "  wc  sheet 2 count  retrying  exit code 3, again in 2.00s, two lines\n"
    )


def test_a_tick_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    print_event({"seq": 4, "event": "daemon.tick"}, with_job=True)
    assert capsys.readouterr().out == ""


def test_the_tree_shows_what_is_unusual(capsys: pytest.CaptureFixture[str]) -> None:
    node = {"state": "running", "restarts": 0, "mailbox": 0, "last_crash": None, "children": []}
    leaf = {**node, "name": "store", "restarts": 2}
    crash = {**node, "name": "events", "last_crash": "ValueError: x"}
    print_tree([{**node, "name": "root", "children": [leaf, crash]}])
    assert capsys.readouterr().out.splitlines() == [
        "root  running",
        "├─ store  running  restarts 2",
        "└─ events  running  last crash: ValueError: x",
    ]


def test_what_a_sheet_left_running_is_said_to_be_ended() -> None:
    event = {
        "event": "sheet.completed",
        "data": {"attempt": 1, "duration": 0.5, "left_running": [12, 13]},
    }
    assert details_of(event) == "0.50s, left running, and ended: 12, 13"


def test_the_times_in_an_event_are_local(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        told = {"event": "schedule.fired", "ts": "2026-11-24T08:45:58.000000Z"}
        print_event({**told, "data": {"slot": "2026-11-24T08:30:00.000000Z"}}, with_job=True)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert "17:30:00" in capsys.readouterr().out
