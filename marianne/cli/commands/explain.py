"""``marianne explain JOB [SHEET]``."""

from __future__ import annotations

import click

from marianne.cli.completing import job_argument, sheet_argument
from marianne.cli.jobs import named
from marianne.cli.options import Verb, exact_option, json_option
from marianne.cli.render.out import clean, paint, print_json, say
from marianne.cli.session import Session
from marianne.cli.sheets import sheet_number


@click.command("explain", cls=Verb)
@job_argument
@sheet_argument
@exact_option
@json_option
@click.pass_obj
def command(session: Session, job: str, sheet: str | None, exact: bool, as_json: bool) -> None:
    """Say why a job, or a sheet of it, does not run now.

    Without SHEET: every sheet that neither runs nor is over. A SHEET is a number or a name.
    """
    newest = not (exact or as_json)
    number = None if sheet is None else sheet_number(session, job, sheet, newest=newest)
    answer = session.request("job.explain", {**named(job, newest), "sheet": number})
    if as_json:
        print_json(answer)
        return
    from marianne.cli.render.values import with_local_times as local

    say(f"{paint(answer['job_id'], 'bold')}: {clean(local(answer['text']))}")
    for row in answer["sheets"]:
        say(f"  {row['num']} {clean(row['name'])}: {clean(local(row['text']))}")
    if answer["more"]:
        say(f"  and {answer['more']} more")
