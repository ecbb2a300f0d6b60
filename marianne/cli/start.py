"""Starting the conductor on behalf of a verb."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from marianne.cli.errors import CliError
from marianne.cli.session import Session

if TYPE_CHECKING:
    from marianne.daemon.boot.launch import LaunchResult

START_SECONDS = 30.0


def start_conductor(session: Session, wait: float = START_SECONDS) -> LaunchResult:
    """A conductor that serves; says so when it was started inside a sheet and ends with it."""
    from marianne.cli.render.out import note
    from marianne.daemon.boot.launch import LaunchError, start
    from marianne.home import HomeError

    try:
        result = start(session.home, wait=wait, begun=session.begun)
    except LaunchError as error:
        code = "invalid_config" if error.exit_code == 2 else "start_failed"
        raise CliError(code, str(error), f"its log: {session.home.log}") from None
    except HomeError as error:
        raise CliError("start_failed", str(error)) from None
    job = os.environ.get("MARIANNE_JOB_ID")
    if job and not result.already_running:
        note(f"note: this conductor runs inside a sheet of {job} and ends with that sheet")
    return result
