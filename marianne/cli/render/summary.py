"""How a job ended, for the person who waited for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marianne.cli.errors import CliError
from marianne.cli.render.job import why
from marianne.cli.render.out import clean, paint, say
from marianne.cli.render.values import STATUS_STYLE, at_work, duration
from marianne.cli.session import Session

FAILED_SHOWN = 5
TAIL_LINES = 5
TAIL_BYTES = 4_000


def print_summary(session: Session, status: Mapping[str, Any], *, kept: bool = True) -> None:
    """One line; for a failed job also its failed sheets, with the end of what they wrote.

    ``kept`` says that there will be more to ask for.
    """
    state = str(status["status"])
    progress = status.get("progress") or {}
    took = duration(at_work(status))
    counts = [f"{progress[key]} {key}" for key in progress if key != "total" and progress[key]]
    colour = STATUS_STYLE[state][2] if state in STATUS_STYLE else "bold"
    say(
        f"{clean(status['job_id'])} {paint(state, 'bold', colour)}"
        + (f" after {took}" if took else "")
        + (f": {', '.join(counts)} of {progress.get('total')} sheets" if counts else "")
    )
    if state == "failed":
        _print_failures(session, status, kept)


def _print_failures(session: Session, status: Mapping[str, Any], kept: bool) -> None:
    from marianne.cli.jobs import job_status

    job_id = status["job_id"]
    sheets = status.get("sheets") or job_status(session, job_id).get("sheets") or []
    failed = [row for row in sheets if row["status"] == "failed"]
    if not failed and status.get("error"):
        say(f"  {clean(str(status['error']))}")
    for row in failed[:FAILED_SHOWN]:
        tries = f", {row['attempt']} attempts" if row["attempt"] > 1 else ""
        say(
            f"  {paint('failed', 'red')} sheet {row['num']} {clean(row['name'])}{tries}: "
            f"{clean(why(row)) or 'no reason given'}"
        )
        for line in _tail(session, job_id, row["num"]):
            say(f"    {paint('│ ' + clean(line), 'dim')}")
    if len(failed) > FAILED_SHOWN:
        where = f": marianne status {job_id}" if kept else ""
        say(f"  and {len(failed) - FAILED_SHOWN} more{where}")
    if failed and kept:
        say(f"  its output: marianne output {job_id} {failed[0]['num']} (errors: --stderr)")


def _tail(session: Session, job_id: str, num: int) -> list[str]:
    """The last lines that the sheet wrote to standard error, else to standard output."""
    for stream in ("err", "out"):
        params = {"job_id": job_id, "sheet": num, "attempt": None, "stream": stream}
        try:
            part = session.request("job.output", {**params, "offset": 0, "limit": 1})
            start = max(0, part["size"] - TAIL_BYTES)
            part = session.request("job.output", {**params, "offset": start, "limit": TAIL_BYTES})
        except CliError:
            return []  # a summary without it is still the summary
        lines = [
            line for line in part["data"].decode("utf-8", "replace").splitlines() if line.strip()
        ]
        if lines:
            return lines[-TAIL_LINES:]
    return []
