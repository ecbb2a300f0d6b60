"""Submitting a job, with a conductor to take it."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

from marianne.cli.errors import CliError
from marianne.cli.session import Session

if TYPE_CHECKING:
    from marianne.replies.changes import Submitted

SUBMIT_SECONDS = 60.0
"""Reading and expanding a score of many thousand sheets is part of the answer."""


def submit(session: Session, params: dict[str, Any], *, may_start: bool) -> Submitted:
    """The conductor's answer to ``job.submit``. Starts a conductor when none runs, if it may.

    One that is just stopping is waited for, within the deadline, and another one started. The
    request keeps its id, so that the job is submitted once.
    """
    until = time.monotonic() + SUBMIT_SECONDS
    may_start = may_start and not session.is_elsewhere
    request_id = os.urandom(16).hex()
    while True:
        if may_start and not session.running():
            _start(session)
        holder = session.holder() if may_start else None
        try:
            return session.request(
                "job.submit",
                params,
                deadline=max(0.1, until - time.monotonic()),
                retry=("unavailable",),
                request_id=request_id,
            )
        except CliError as error:
            stopping = error.code in ("shutting_down", "no_conductor")
            if not (may_start and stopping) or time.monotonic() >= until:
                raise
            _await_end(holder, until, error)


def environment() -> dict[str | bytes, str | bytes]:
    """Our environment as the job's, without the marks of a sheet that we may run in."""
    from marianne.environment import clean_environment, packable

    return packable(clean_environment())


def _start(session: Session) -> None:
    from marianne.cli.render.out import note
    from marianne.cli.start import start_conductor

    started = start_conductor(session)
    if not started.already_running and sys.stderr.isatty():
        note(f"started a conductor (pid {started.pid})")


def _await_end(holder: int | None, until: float, refusal: CliError) -> None:
    """Returns when the conductor that refused has ended; raises its refusal when time is up."""
    from marianne.cli.leaving import wait_for_exit

    try:
        if holder is not None:
            wait_for_exit(holder, until)
    except CliError:
        raise refusal from None
