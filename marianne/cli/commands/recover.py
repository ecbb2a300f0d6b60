"""``marianne recover JOB [SHEET]``."""

from __future__ import annotations

import click

from marianne.cli.completing import job_argument, sheet_argument
from marianne.cli.exit_codes import FAILED, OK
from marianne.cli.options import Verb, json_option
from marianne.cli.render.out import clean, paint, print_json, say
from marianne.cli.session import Session
from marianne.cli.sheets import sheet_number

SECONDS = 3_600.0


@click.command("recover", cls=Verb)
@job_argument
@sheet_argument
@click.option("--sheet", "-s", "also", metavar="SHEET", hidden=True)
@click.option("--dry-run", "-n", is_flag=True, help="Look; change nothing.")
@json_option
@click.pass_obj
def command(
    session: Session,
    job: str,
    sheet: str | None,
    also: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Mark failed sheets as completed whose work is there after all.

    Makes their validations again, without running them. Exit code 1 when none passed.
    """
    sheet = sheet if also is None else also
    number = sheet_number(session, job, sheet) if sheet is not None else None
    params = {"job_id": job, "sheet": number, "dry_run": dry_run}
    answer = session.request("job.recover", params, deadline=SECONDS)
    if as_json:
        print_json(answer)
    else:
        for found in answer["sheets"]:
            word = paint("done", "green") if found["passed"] else paint("not done", "red")
            why = f": {clean(found['message'])}" if found["message"] else ""
            say(f"sheet {found['sheet']} ({clean(found['name'])}) is {word}{why}")
        say(f"{answer['job_id']}: {answer['message']}")
    return OK if answer["recovered"] else FAILED
