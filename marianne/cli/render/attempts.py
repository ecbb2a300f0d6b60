"""Attempts as rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from marianne.cli.render.out import clean, paint, say
from marianne.cli.render.table import Cell, print_table
from marianne.cli.render.values import clock, duration, size

if TYPE_CHECKING:
    from marianne.replies.reports import Attempt, Outcome

_STYLES = {"completed": "green", "failed": "red", "interrupted": "yellow", "skipped": "yellow"}


def print_attempts(attempts: Sequence[Attempt], indent: str = "") -> None:
    """A row an attempt, in the order given, with its node and its walls where any has some."""
    placed = any(a.get("node") for a in attempts)
    walled = any(a.get("walls") for a in attempts)
    rows: list[Sequence[Cell | str | int | None]] = [
        (
            a["sheet"],
            clean(a["name"] or ""),
            a["attempt"],
            Cell(a["outcome"], (_STYLES.get(a["outcome"], "dim"),)),
            *([clean(a.get("node") or "")] if placed else []),
            *([clean(", ".join(a.get("walls") or ()))] if walled else []),
            a["category"] or "",
            clock(a["finished_at"]),
            duration(a["duration_seconds"]),
            f"{a['peak_memory_mb']:g} MB" if a["peak_memory_mb"] else "",
            size(a["output_bytes"]) if a["output_bytes"] else "",
            clean(a["message"] or ""),
        )
        for a in attempts
    ]
    more = [*(["NODE"] if placed else []), *(["WALLS"] if walled else [])]
    ends = ("WHY", "ENDED", "TOOK", "MEMORY", "PRINTED", "")
    headings = ("SHEET", "NAME", "TRY", "OUTCOME", *more, *ends)
    took = 6 + len(more)
    spare = (took + 2, took + 1, took - 1, took)  # what it printed, its memory, when, how long
    print_table(headings, rows, right=(0, 2, took), names=(1,), spare=spare, indent=indent)


def print_outcomes(outcomes: Sequence[Outcome]) -> None:
    """What jobs of the same score had used; nothing where nothing was learned."""
    if not outcomes:
        return
    say()
    say(paint("jobs of the same score", "bold"))
    rows = [
        (
            clean(o["job_id"]),
            clock(o["finished_at"]),
            duration(o["duration_seconds"]),
            f"{o['peak_memory_mb']:g} MB",
            f"{o['cpu_seconds']:g} s",
            o["category"] or "completed",
        )
        for o in outcomes
    ]
    print_table(
        ("JOB", "ENDED", "TOOK", "MEMORY", "CPU", "ENDING"), rows, right=(2, 3, 4), names=(0,)
    )
