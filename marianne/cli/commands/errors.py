"""``marianne errors JOB``."""

from __future__ import annotations

import click

from marianne.cli.completing import job_argument
from marianne.cli.options import Verb, json_option
from marianne.cli.render.attempts import print_attempts
from marianne.cli.render.out import clean, note, print_json, say
from marianne.cli.session import Session


@click.command("errors", cls=Verb)
@job_argument
@click.option("--limit", type=click.IntRange(1, 1_000), default=50, show_default=True)
@json_option
@click.pass_obj
def command(session: Session, job: str, limit: int, as_json: bool) -> None:
    """List what failed in a job.

    Every attempt that failed, newest first, and the sheets that were skipped for their sake.
    """
    answer = session.request("job.errors", {"job_id": job, "limit": limit})
    if as_json:
        print_json(answer)
        return
    if not answer["errors"]:
        note(f"{answer['job_id']} is {answer['status']}: no attempt of it failed")
    else:
        print_attempts(answer["errors"])
    for sheet in answer["skipped"]:
        say(f"sheet {sheet['sheet']} ({clean(sheet['name'])}) was skipped: {sheet['message']}")
    more = answer["total"] - len(answer["errors"])
    if more > 0:
        note(f"({more} earlier ones: --limit)")
    if answer["error"]:
        say(clean(answer["error"]))
