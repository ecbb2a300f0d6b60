"""One job with its sheets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from marianne.cli.render.out import clean, paint, say
from marianne.cli.render.table import Cell, print_table
from marianne.cli.render.values import (
    STATUS_STYLE,
    at_work,
    clock,
    duration,
    parse_time,
    sheet_at_work,
)

if TYPE_CHECKING:
    from marianne.replies.job import Job, Progress, Sheet, Status

Map = Mapping[str, Any]
_TOKENS = ("input_tokens", "output_tokens")


def status_cell(status: str, reason: str | None = None) -> Cell:
    """The status in its colour, with the reason behind it."""
    style = STATUS_STYLE.get(status)
    return Cell(f"{status} ({reason})" if reason else status, (style[2],) if style else ())


def reason_text(job: Job) -> str | None:
    """Why it stands there: in a word, or which jobs and what time it waits for."""
    after, at = job.get("waits_for"), job.get("begins_at")
    if job["status"] != "queued" or not (after or at):
        return job.get("reason")
    told = [f"after {', '.join(after)}"] if after else []
    return " ".join([*told, f"at {clock(at)}"] if at else told)


def progress_text(progress: Progress) -> str:
    """``5/7``: how many sheets are completed, of how many; those that ended otherwise are named."""
    told = [f"{progress.get('completed', 0)}/{progress.get('total', 0)}"]
    told += [f"{progress[key]} {key}" for key in ("failed", "skipped") if progress.get(key)]
    return ", ".join(told)


def print_job(status: Status, waits: Mapping[int, str] | None = None) -> None:
    """The whole picture: head, facts, a row a sheet; ``waits`` says of sheets why they wait for a
    place to run."""
    state = status_cell(status["status"], reason_text(status))
    say(f"{paint(clean(status['job_id']), 'bold')}  {paint(state.text, 'bold', *state.styles)}")
    took = at_work(status)
    facts = {
        "score": status.get("config_path"),
        "workspace": status.get("workspace"),
        "group": status.get("group"),
        "submitted": clock(status.get("submitted_at")),
        "started": clock(status.get("started_at")),
        "finished": clock(status.get("finished_at")),
        "took" if status.get("finished_at") else "at work for": duration(took),
        "sheets": _progress_line(status.get("progress") or {}),
        "used": _usage_line(status.get("usage") or {}),
        "error": status.get("error"),
    }
    for name, value in facts.items():
        if value:
            say(f"  {paint(f'{name:<11}', 'dim')} {clean(str(value))}")
    sheets = status.get("sheets") or []
    if sheets:
        say()
        print_sheets(sheets, waits, parse_time(status.get("still_since")))


def print_sheets(
    sheets: list[Sheet], waits: Mapping[int, str] | None = None, now: float | None = None
) -> None:
    """A row a sheet, with its node and its walls where any has some; ``now`` as seconds since the
    epoch."""
    more = {"NODE": [row.get("node") or "" for row in sheets]}
    more["WALLS"] = [", ".join(row.get("walls") or ()) for row in sheets]
    more = {name: told for name, told in more.items() if any(told)}
    rows = [
        (
            row["num"],
            row["name"],
            status_cell(row["status"]),
            row["attempt"] or "",
            _exit(row),
            duration(sheet_at_work(row, now)),
            _instrument(row),
            *(told[place] for told in more.values()),
            (waits or {}).get(row["num"]) or why(row),
        )
        for place, row in enumerate(sheets)
    ]
    print_table(
        ("#", "SHEET", "STATUS", "TRY", "EXIT", "TIME", "INSTRUMENT", *more, "NOTE"),
        rows,
        right=(0, 3, 4, 5),
        names=(1, 6),
        spare=(6, 4),
    )


def why(row: Sheet) -> str:
    """Why a sheet is as it is: its error, the checks that failed, what it left running."""
    words = []
    error = row["error"]
    message = " ".join((error["message"] or "").split()) if error else ""
    if message:
        words.append(message)
    elif error and error["category"]:
        words.append(error["category"])
    for check in row["validations"]:
        detail = " ".join(check["detail"].split())
        if check["passed"] is False and detail not in message:
            words.append(f"{check['type']}: {detail}" if detail else check["type"])
    if row["left_running"]:
        words.append(f"left running, and ended: {', '.join(map(str, row['left_running']))}")
    return "; ".join(words)


def _progress_line(progress: Map) -> str:
    total = progress.get("total", 0)
    parts = [f"{progress[key]} {key}" for key in progress if key != "total" and progress[key]]
    return f"{total}: {', '.join(parts)}" if parts else str(total)


def _usage_line(usage: Map) -> str:
    parts = [f"{usage[key]:,} {key.replace('_', ' ')}" for key in _TOKENS if usage.get(key)]
    if usage.get("cost_usd"):
        parts.append(f"{usage['cost_usd']:.2f} USD")
    return ", ".join(parts)


def _exit(row: Sheet) -> str:
    if row.get("signal"):
        return f"sig {row['signal']}"
    return "" if row.get("exit_code") is None else str(row["exit_code"])


def _instrument(row: Sheet) -> str:
    model = row.get("model")
    return f"{row.get('instrument') or ''}{'/' + model if model else ''}"
