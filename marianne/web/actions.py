"""What a page may do to a job, where the server was started with ``--write``."""

from __future__ import annotations

from typing import Any, Final

from marianne.cli.commands.cancel import CANCEL_SECONDS
from marianne.cli.errors import CliError
from marianne.client.conductor import Conductor

SECONDS: Final = 60.0
SHEETS: Final = 100_000

SEVERAL: Final = {
    "pause": ("job.pause", SECONDS),
    "resume": ("job.resume", SECONDS),
    "cancel": ("job.cancel", CANCEL_SECONDS),
}
"""Verbs that mean several jobs; here always the one that is shown."""


async def act(conductor: Conductor, action: str, job: str, wanted: Any) -> Any:
    """Does it, and returns what became of the job. ``wanted`` is what the page sent. Raises
    CliError where it is refused."""
    if not isinstance(wanted, dict):
        raise CliError("bad_request", "the request's body: a JSON object")
    if action in SEVERAL:
        method, seconds = SEVERAL[action]
        answer = await conductor.ask(method, seconds, ids=[job])
        return _only(answer)
    if action == "retry":
        return await conductor.ask("job.retry", SECONDS, job_id=job, sheets=_sheets(wanted))
    raise CliError("not_found", f"{action!r:.40} is nothing that a page can do")


def _only(answer: Any) -> Any:
    """What became of the one job that was named."""
    (row,) = answer["jobs"]
    if not row["ok"]:
        error = row["error"]
        raise CliError(error["code"], error["message"], error["hint"])
    return {"job_id": row["job_id"], "status": row["status"]}


def _sheets(wanted: dict[str, Any]) -> list[int] | None:
    """The sheets that are named; None: all that did not complete."""
    sheets = wanted.get("sheets")
    if sheets is None:
        return None
    if (
        not isinstance(sheets, list)
        or len(sheets) > SHEETS
        or not all(type(num) is int for num in sheets)
    ):
        raise CliError("invalid_params", "sheets: a list of sheets' numbers")
    return sheets
