"""The live picture follows the events, shows what matters, and fits the terminal."""

from __future__ import annotations

import io

from rich.console import Console

from marianne.cli.render.live import Picture


def picture(count: int) -> Picture:
    rows = [{"num": num, "name": f"s{num}"} for num in range(1, count + 1)]
    return Picture.of({"job_id": "wc", "sheets": rows})


def event(name: str, sheet: int | None = None, **data: object) -> dict[str, object]:
    ts = "2026-11-24T08:45:58.000000Z"
    return {"event": name, "sheet_num": sheet, "ts": ts, "data": data}


def drawn(shown: Picture, height: int = 24) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    console.print(shown.draw(height, now=1_795_509_960.0))
    file = console.file
    assert isinstance(file, io.StringIO)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_a_sheet_that_is_tried_again_says_when_and_why() -> None:
    shown = picture(2)
    shown.apply(event("job.started"))
    shown.apply(event("sheet.started", 1, attempt=1))
    shown.apply(event("sheet.retrying", 1, attempt=1, exit_code=3, delay=2.0, duration=0.5))
    line = drawn(shown)[1]
    assert "waiting" in line
    assert "exit code 3, again in 2.00s" in line
    shown.apply(event("sheet.started", 1, attempt=2))
    assert "try 2" in drawn(shown)[1]


def test_the_end_of_a_job_is_in_its_head() -> None:
    shown = picture(1)
    shown.apply(event("job.started"))
    shown.apply(event("sheet.completed", 1, attempt=1, duration=0.5))
    shown.apply(event("job.completed"))
    assert "completed" in drawn(shown)[0]
    assert "1/1 sheets" in drawn(shown)[0]


def test_a_cancelled_job_leaves_no_sheet_pending() -> None:
    shown = picture(2)
    shown.apply(event("sheet.completed", 1))
    shown.apply(event("job.cancelled"))
    assert [line.status for line in shown.lines.values()] == ["completed", "cancelled"]


def test_of_many_sheets_those_that_run_are_shown() -> None:
    shown = picture(500)
    for num in (7, 400):
        shown.apply(event("sheet.started", num, attempt=1))
    lines = drawn(shown, height=12)
    assert len(lines) <= 12
    assert sum("running" in line for line in lines) == 2
    assert lines[-1] == "… and 491 more"


def test_events_of_unknown_kinds_and_sheets_change_nothing() -> None:
    shown = picture(1)
    shown.apply(event("sheet.dreamt", 1))
    shown.apply(event("sheet.started", 9, attempt=1))
    assert shown.lines[1].status == "pending"


def test_the_head_tells_how_many_failed_and_how_long_it_takes_yet() -> None:
    shown = picture(6)
    shown.apply(event("job.started"))
    for num in (1, 2, 4):
        shown.apply(event("sheet.started", num, attempt=1))
    for num in (1, 2):
        shown.apply(event("sheet.completed", num, attempt=1))
    assert "left" not in drawn(shown)[0], "two sheets say too little"
    shown.apply(event("sheet.failed", 3, attempt=1))
    assert "3/6 sheets 1 failed 2.00s about 2.00s left" in drawn(shown)[0]
    for num in (5, 6):
        shown.apply(event("sheet.started", num, attempt=1))
    assert "left" not in drawn(shown)[0], "nobody knows of those that run"
    shown.apply(event("job.failed"))
    assert "left" not in drawn(shown)[0]


def test_the_hours_between_an_end_and_the_next_attempt_are_no_work() -> None:
    shown = picture(2)

    def at(time: str, name: str, sheet: int | None = None, **data: object) -> None:
        shown.apply({**event(name, sheet, **data), "ts": f"2026-11-24T{time}.000000Z"})

    at("05:00:00", "job.started")
    at("05:00:00", "sheet.started", 1, attempt=1)
    at("05:00:10", "sheet.retrying", 1, attempt=1, duration=10.0, delay=3600.0)
    at("08:45:50", "sheet.started", 1, attempt=2)
    at("08:45:55", "sheet.started", 2, attempt=1)
    head, line, *_ = drawn(shown)
    assert "20.0s" in head
    assert "20.0s" in line


def test_what_is_held_stands_still_in_the_picture_too() -> None:
    shown = picture(1)
    for second, name, sheet in (
        (0, "job.started", None),
        (0, "sheet.started", 1),
        (10, "job.held", None),
    ):
        shown.apply({**event(name, sheet), "ts": f"2026-11-24T08:45:{second:02}.000000Z"})
    later = 1_795_509_960.0
    assert (shown.state, shown.work.until(later)) == ("pausing", 10.0)
    assert "10.0s" in drawn(shown)[1]
    shown.apply({**event("job.resumed"), "ts": "2026-11-24T08:45:58.000000Z"})
    assert (shown.state, shown.work.until(later)) == ("running", 12.0)
    assert "12.0s" in drawn(shown)[1]
