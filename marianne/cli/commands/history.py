"""``marianne history JOB [SHEET]``."""

from __future__ import annotations

import click

from marianne.cli.completing import job_argument, sheet_argument
from marianne.cli.jobs import named
from marianne.cli.options import Verb, exact_option, json_option
from marianne.cli.render.attempts import print_attempts, print_outcomes
from marianne.cli.render.out import note, print_json
from marianne.cli.session import Session
from marianne.cli.sheets import sheet_number


@click.command("history", cls=Verb)
@job_argument
@sheet_argument
@click.option("--sheet", "-s", "also", metavar="SHEET", hidden=True)
@click.option("--limit", "-n", type=click.IntRange(1, 1_000), default=50, show_default=True)
@exact_option
@json_option
@click.pass_obj
def command(
    session: Session,
    job: str,
    sheet: str | None,
    also: str | None,
    limit: int,
    exact: bool,
    as_json: bool,
) -> None:
    """List the attempts of a job's sheets.

    Newest first, those of SHEET (a number or a name) or of all.
    """
    sheet = sheet if also is None else also
    newest = not (exact or as_json)
    number = sheet_number(session, job, sheet, newest=newest) if sheet is not None else None
    params = {**named(job, newest), "sheet": number, "limit": limit}
    answer = session.request("job.history", params)
    if as_json:
        print_json(answer)
    elif not answer["has_history"]:
        note(f"no attempt of {answer['job_id']} has ended yet")
    else:
        print_attempts(answer["records"])
        print_outcomes(answer["learned"])
