"""Naming a sheet: by its number or its name."""

from __future__ import annotations

from marianne.cli import jobs
from marianne.cli.errors import CliError
from marianne.cli.session import Session


def sheet_number(session: Session, job: str, sheet: str, *, newest: bool = False) -> int:
    """The number of the sheet; a word that is no number is looked up among the job's names."""
    if sheet.isascii() and sheet.isdigit():
        return int(sheet)
    status = jobs.job_status(session, job, newest=newest)
    named = [row["num"] for row in status["sheets"] if row["name"] == sheet]
    if len(named) == 1:
        return int(named[0])
    job_id = status["job_id"]
    if named:
        numbers = ", ".join(map(str, named))
        raise CliError("not_found", f"{job_id} has several sheets {sheet!r}: {numbers}")
    raise CliError(
        "not_found", f"{job_id} has no sheet {sheet!r}", f"its sheets: marianne status {job_id}"
    )
