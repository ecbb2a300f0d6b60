"""``marianne retry JOB [SHEET…]``."""

from __future__ import annotations

import click

from marianne.cli.completing import complete_sheet, job_argument
from marianne.cli.options import Verb, json_option
from marianne.cli.render.out import print_json, say
from marianne.cli.session import Session
from marianne.cli.sheets import sheet_number


@click.command("retry", cls=Verb)
@job_argument
@click.argument("sheets", nargs=-1, metavar="[SHEET]...", shell_complete=complete_sheet)
@json_option
@click.pass_obj
def command(session: Session, job: str, sheets: tuple[str, ...], as_json: bool) -> None:
    """Run failed sheets, and what depends on them, again.

    Without SHEET: all that failed. A SHEET is a number or a name; what it needs and did not
    complete runs again too.
    """
    numbers = [sheet_number(session, job, sheet) for sheet in sheets] or None
    answer = session.request("job.retry", {"job_id": job, "sheets": numbers}, deadline=30.0)
    if as_json:
        print_json(answer)
        return
    say(f"{answer['job_id']}: {answer.get('message') or 'goes on'}")
