"""A list of schedules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from marianne.cli.render.job import status_cell
from marianne.cli.render.table import Cell, print_table
from marianne.cli.render.values import parse_time

if TYPE_CHECKING:
    from marianne.replies.schedules import Schedule


def print_schedules(schedules: Sequence[Schedule]) -> None:
    """A row a schedule; times are those of its zone."""
    print_table(
        ("NAME", "CRON", "NEXT", "LAST", "JOB", "STATUS", "NOTE"),
        [
            (
                Cell(one["name"], ("bold",)),
                one["cron"],
                Cell("paused", ("yellow",))
                if one["paused"]
                else slot_text(one["next_slot"], one["tz"]),
                slot_text(one["last_slot"], one["tz"]),
                one["last_job"]["job_id"] if one["last_job"] else "",
                status_cell(one["last_job"]["status"] or "cleared", None)
                if one["last_job"]
                else "",
                " ".join(_note(one).split()),
            )
            for one in schedules
        ],
    )


def slot_text(time: str | None, zone: str) -> str:
    """A protocol time by the clocks of a zone, as ``2026-03-29 03:00:00 CEST``."""
    seconds = parse_time(time)
    if seconds is None:
        return ""
    try:
        then = datetime.fromtimestamp(seconds, ZoneInfo(zone))
    except (
        KeyError,
        OSError,
        ValueError,
    ):  # the conductor's machine knows zones that ours does not
        then = datetime.fromtimestamp(seconds, UTC)
    return then.strftime("%Y-%m-%d %H:%M:%S %Z")


def _note(one: Schedule) -> str:
    if one["last_error"] is not None:
        return f"no job at a slot since: {one['last_error']}"
    waits = f"{len(one['waiting'])} waiting: " if one["waiting"] else ""
    return f"{waits}{one['waits_for']}" if one["waits_for"] else waits.rstrip(": ")
