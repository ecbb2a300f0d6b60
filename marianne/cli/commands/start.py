"""``marianne start``."""

from __future__ import annotations

import os
import sys
import time

import click

from marianne.cli.errors import CliError
from marianne.cli.options import Seconds, Verb, file_option, json_option
from marianne.cli.render.out import note, print_json, say
from marianne.cli.session import Session
from marianne.cli.start import START_SECONDS, start_conductor


@click.command("start", cls=Verb)
@file_option("Its configuration (conductor.yaml).")
@click.option("--profile", "-p", metavar="NAME", help="A profile: dev, intensive or minimal.")
@click.option(
    "--log-level",
    "-l",
    type=click.Choice(("debug", "info", "warning", "error")),
    help="The least that is logged.",
)
@click.option("--foreground", "-f", is_flag=True, help="Be the conductor, for a service manager.")
@click.option(
    "--heart", is_flag=True, help="With --foreground: be its heart, which replaces one that dies."
)
@click.option(
    "--timeout",
    type=Seconds(),
    default=START_SECONDS,
    metavar="TIME",
    help="How long it may take to be ready.  [default: 30]",
)
@json_option
@click.pass_obj
def command(
    session: Session,
    file: str | None,
    profile: str | None,
    log_level: str | None,
    foreground: bool,
    heart: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Start the conductor in the background.

    Returns when it serves. One that runs already is fine: it is named. What is given here holds
    until it is stopped, over restarts and reloads too.
    """
    given = {
        "MARIANNE_CONFIG_FILE": file and os.path.abspath(file),
        "MARIANNE_PROFILE": profile,
        "MARIANNE_LOG_LEVEL": log_level,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    if chosen:
        # In the environment, which the heart hands to each further conductor.
        os.environ.update(chosen)
        session.look_again()
    if foreground:
        _become_conductor(session, heart)
    until = time.monotonic() + timeout
    result = start_conductor(session, timeout)
    if result.already_running:
        # Another start may have been quicker, or its heart died: it serves when it answers.
        session.request("hello", deadline=max(0.1, until - time.monotonic()))
        if chosen:
            note("it goes on as it was started: `marianne stop`, then start it so")
    if as_json:
        print_json({"pid": result.pid, "already_running": result.already_running})
    elif result.already_running:
        say(f"a conductor is running already (pid {result.pid})")
    else:
        say(f"conductor started (pid {result.pid})")


def _become_conductor(session: Session, heart: bool) -> None:
    from marianne.daemon.boot import launch
    from marianne.daemon.boot.ground import refuse_bare_ground
    from marianne.environment import clean_environment
    from marianne.home import HomeError

    try:
        refuse_bare_ground()
    except HomeError as error:
        raise CliError("start_failed", str(error)) from None
    pid = session.holder()
    if pid is None and heart:
        launch.become_heart(session.home)
        pid = session.holder()  # another start was quicker
    if pid is not None or heart:
        raise CliError("conflict", f"a conductor is running already (pid {pid})", "marianne stop")
    sys.stdout.flush()
    argv = [*launch.command(session.home), "--foreground"]
    os.execve(sys.executable, argv, clean_environment())
