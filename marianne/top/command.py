"""``marianne top``."""

from __future__ import annotations

import sys

import click

from marianne.cli.completing import complete_job
from marianne.cli.errors import CliError
from marianne.cli.options import Verb
from marianne.cli.session import Session

EXTRA = "install it with: pip install 'marianne-conductor[tui]'"


@click.command("top", cls=Verb)
@click.argument("job", required=False, shell_complete=complete_job)
@click.pass_obj
def command(session: Session, job: str | None) -> None:
    """Watch jobs, sheets and their output on one screen.

    With JOB its sheets come first. Keys: / filter, a output of all running sheets, e why, p pause,
    r resume, t retry, c cancel, y copy, q leave. Leaving it leaves the jobs alone.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CliError("usage", "top needs a terminal", "marianne status, or marianne events -f")
    try:  # first: a conductor that is started for it does not help where it is missing
        from marianne.top.app import Top
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "textual":
            raise
        raise CliError("usage", "the screen needs textual, which is not here", EXTRA) from None
    session.need_conductor(here=True)
    Top(session, job).run()
