"""What follows a submission: the job is named, waited for, or followed to its end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from marianne.cli import jobs
from marianne.cli.errors import CliError
from marianne.cli.exit_codes import BY_JOB_STATUS, FAILED, OK
from marianne.cli.following import detaching, follow
from marianne.cli.render.out import clean, note, print_json, say
from marianne.cli.session import Session

if TYPE_CHECKING:
    from marianne.replies.changes import Submitted
    from marianne.replies.job import Job


def name_it(response: Submitted, as_json: bool) -> int:
    """Says which job it is; the exit code."""
    job_id = response["job_id"]
    if as_json:
        print_json(response)
    else:
        say(clean(f"{job_id}: {response.get('message') or response['status']}"))
        if sys.stdout.isatty():
            note(f"follow it with: marianne wait {job_id} --follow")
    return OK


def to_the_end(
    session: Session,
    response: Submitted,
    follow_it: bool,
    until: float | None,
    as_json: bool,
    *,
    output: bool = False,
) -> int:
    """Waits for the new job, shows how it ended, and returns that as exit code; with ``output``
    also all that its sheets print."""
    job_id = response["job_id"]
    if follow_it and as_json:
        print_json(response, stream=True)
    elif not (follow_it or as_json) and sys.stderr.isatty():
        note(clean(f"{job_id}: {response.get('message') or response['status']}"))
    with detaching(job_id), _named(job_id):
        status: Job = (
            follow(session, job_id, until=until, as_json=as_json, output=output, new=True)
            if follow_it
            else jobs.wait_for_end(session, job_id, until)
        )
        if as_json and not follow_it:
            print_json(jobs.job_status(session, job_id))
        elif not as_json:
            from marianne.cli.render.summary import print_summary

            print_summary(session, status)
    return BY_JOB_STATUS.get(status["status"], FAILED)


@contextmanager
def _named(job_id: str) -> Iterator[None]:
    """Names the job where the conductor has ended: it was taken in, and goes on with the next."""
    try:
        yield
    except CliError as error:
        if error.code != "no_conductor":
            raise
        message = f"{error.message}; {job_id} goes on when one runs again"
        hint = f"marianne start, then: marianne wait {job_id}"
        raise CliError(error.code, message, hint, {"job_id": job_id}) from None
