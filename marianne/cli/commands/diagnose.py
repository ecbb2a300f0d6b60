"""``marianne diagnose JOB``."""

from __future__ import annotations

import click

from marianne.cli.completing import job_argument
from marianne.cli.options import Verb, json_option
from marianne.cli.render.diagnosis import print_diagnosis
from marianne.cli.render.out import print_json
from marianne.cli.session import Session


@click.command("diagnose", cls=Verb)
@job_argument
@json_option
@click.pass_obj
def command(session: Session, job: str, as_json: bool) -> None:
    """Say why a job is not done, and what that was read from.

    The likely cause, what to do next, the sheets in trouble with their attempts and last output,
    what the job used, and crashes of the conductor's own parts meanwhile.
    """
    report = session.request("job.diagnose", {"job_id": job})
    if as_json:
        print_json(report)
    else:
        print_diagnosis(report)
