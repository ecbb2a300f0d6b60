"""``marianne events [JOB]``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from marianne.cli import jobs
from marianne.cli.completing import optional_job_argument
from marianne.cli.options import Verb, json_option
from marianne.cli.render.events import print_event
from marianne.cli.render.out import print_json
from marianne.cli.session import Session

if TYPE_CHECKING:
    from marianne.replies.conductor import Event


@click.command("events", cls=Verb)
@optional_job_argument
@click.option("--follow", "-f", is_flag=True, help="Go on with what happens (a job: to its end).")
@click.option(
    "--from",
    "start",
    type=click.IntRange(min=0),
    metavar="SEQ",
    help="Begin with the event of this number.",
)
@json_option
@click.pass_obj
def command(
    session: Session, job: str | None, follow: bool, start: int | None, as_json: bool
) -> None:
    """Print what happened, and follow what happens.

    Without --from: all that is kept; with --follow and no JOB: from now on. With --json one
    object a line. A follower sees each event once and in order, also over a restart of the
    conductor.
    """
    names = {} if job is None or as_json else jobs.sheet_names(session, job)
    for event in _events(session, job, follow, start):
        if event is None:
            continue
        if as_json:
            print_json(event, stream=True)
        else:
            if job is not None and event["event"] == "sheet.listed":
                names = jobs.sheet_names(session, job)
            print_event(event, with_job=job is None, names=names)


def _events(
    session: Session, job: str | None, follow: bool, start: int | None
) -> Iterable[Event | None]:
    after = max(0, (start or 0) - 1)
    if not follow:
        return jobs.past_events(session, job and jobs.exact_id(session, job), after)
    last = jobs.events_page(session, None, after, limit=1)["last"]
    if job is None:
        return jobs.tail(session, None, last if start is None else after)
    # The number first, the status then: an end that the status does not show yet has a higher one.
    status = session.request("job.status", {"job_id": job})
    if status["status"] in jobs.TERMINAL:
        return jobs.past_events(session, status["job_id"], after)
    return jobs.tail(
        session,
        status["job_id"],
        after,
        stop=lambda event: event["event"] in jobs.ENDINGS and event["seq"] > last,
    )
