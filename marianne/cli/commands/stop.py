"""``marianne stop``."""

from __future__ import annotations

import time

import click

from marianne.cli.leaving import end_conductor
from marianne.cli.options import Seconds, Verb, json_option, timeout_option, yes_option
from marianne.cli.render.out import print_json, say
from marianne.cli.selection import confirm
from marianne.cli.session import Session

CONFIGURED = -1.0
"""``--drain`` without a time: the conductor's own ``shutdown_timeout_seconds``."""


@click.command("stop", cls=Verb)
@click.option(
    "--drain",
    type=Seconds(),
    is_flag=False,
    flag_value=CONFIGURED,
    metavar="[TIME]",
    help="Let running sheets finish first, at most this long (default: as configured).",
)
@click.option("--cancel", is_flag=True, help="Cancel all jobs.")
@click.option("--force", is_flag=True, help="Kill running sheets at once.")
@timeout_option
@yes_option
@json_option
@click.pass_obj
def command(
    session: Session,
    drain: float | None,
    cancel: bool,
    force: bool,
    timeout: float | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Stop the conductor and the processes of its jobs.

    Returns when none of them is left. Running sheets get a grace, then they are killed; unfinished
    jobs go on at the next start.
    """
    draining = drain is not None
    if draining + cancel + force > 1:
        raise click.UsageError("--drain, --cancel and --force exclude each other")
    mode = "drain" if draining else "cancel" if cancel else "force" if force else "stop"
    pid = session.holder()
    if pid is not None:
        if cancel:
            confirm("Cancel all jobs and stop the conductor?", yes)
        until = None if timeout is None else time.monotonic() + timeout
        end_conductor(session, mode, None if drain == CONFIGURED else drain, until)
    if as_json:
        print_json({"stopped": pid is not None, "pid": pid})
    else:
        say("no conductor is running" if pid is None else f"conductor stopped (pid {pid})")
