"""``marianne stop``."""

from __future__ import annotations

import time
from typing import Any

import click

from marianne.cli.errors import CliError
from marianne.cli.exit_codes import FAILED, OK
from marianne.cli.leaving import end_conductor, end_what_is_left
from marianne.cli.options import Seconds, Verb, json_option, timeout_option, yes_option
from marianne.cli.render.out import clean, note, print_json, say
from marianne.cli.selection import confirm
from marianne.cli.session import Session
from marianne.run import stop_order

NAMED = 8
"""Jobs, or sheets, that a sentence names at most."""

LOOK_SECONDS = 1.0
"""How long a conductor has to say what runs; one that does not is stopped all the same."""

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
) -> int:
    """Stop the conductor and the processes of its jobs.

    Returns when none of them is left. Running sheets get a grace, then they are killed; unfinished
    jobs go on at the next start. Says which sheets that interrupts, and on a terminal asks first.
    Exit code 1: a drain was cut short.
    """
    draining = drain is not None
    if draining + cancel + force > 1:
        raise click.UsageError("--drain, --cancel and --force exclude each other")
    mode = "drain" if draining else "cancel" if cancel else "force" if force else "stop"
    pid = session.holder()
    busy = [] if pid is None or draining else _busy(session)
    if cancel:
        confirm(" ".join([*_sentence(busy), "Cancel all jobs and stop the conductor?"]), yes)
    elif busy:
        confirm(" ".join([*_sentence(busy), "Stop the conductor?"]), yes)
    told: dict[str, Any] = {"stopped": pid is not None, "pid": pid}
    cut_short = False
    if pid is None:
        if end_what_is_left(session, mode):
            note("note: ended what a conductor that was killed had left running")
    else:
        until = None if timeout is None else time.monotonic() + timeout
        if busy:
            told["running"] = busy
            again = "" if cancel else "; what is interrupted runs again at the next start"
            note(f"interrupting {_in_numbers(busy)}{again}")
        left = end_conductor(session, mode, None if drain == CONFIGURED else drain, until)
        if draining:
            cut_short, interrupted = _came_to(left)
            told |= {"cut_short": cut_short, "interrupted": interrupted}
        if cut_short:
            note(_in_words(interrupted))
        if cancel and left is not None and left.mode == "cancel":
            note("note: it died before all jobs were cancelled; the next start cancels them first")
    if as_json:
        print_json(told)
    else:
        say("no conductor is running" if pid is None else f"conductor stopped (pid {pid})")
    return FAILED if cut_short else OK


def _busy(session: Session) -> list[dict[str, Any]]:
    """The jobs of which sheets run, with how many. Of a conductor that does not answer: none."""
    params = {"statuses": ["running", "pausing", "cancelling"], "limit": 1_000}
    try:
        found = session.request("job.list", params, deadline=LOOK_SECONDS, retry=())["jobs"]
    except CliError:
        return []
    counted = [{"job_id": job["job_id"], "sheets": job["progress"]["running"]} for job in found]
    return [one for one in counted if one["sheets"]]


def _in_numbers(busy: list[dict[str, Any]]) -> str:
    """``3 running sheets: 2 of a, 1 of b``."""
    count = sum(one["sheets"] for one in busy)
    named = ", ".join(f"{one['sheets']} of {one['job_id']}" for one in busy[:NAMED])
    more = f" and of {len(busy) - NAMED} more jobs" if len(busy) > NAMED else ""
    return f"{count} running sheet{'' if count == 1 else 's'}: {named}{more}"


def _sentence(busy: list[dict[str, Any]]) -> list[str]:
    return [f"This interrupts {_in_numbers(busy)}."] if busy else []


def _came_to(left: stop_order.StopOrder | None) -> tuple[bool, list[dict[str, Any]]]:
    """Whether the drain was cut short, and the sheets that it interrupted, as far as known; without
    a sheet it was the command of a hook."""
    if left is None or left.mode != stop_order.DONE:
        return True, []
    found = []
    for line in left.lines:
        job_id, _, rest = line.partition(" ")
        num, _, name = rest.partition(" ")
        found.append({"job_id": job_id, "sheet": int(num) or None, "name": name or None})
    return bool(found), found


def _in_words(interrupted: list[dict[str, Any]]) -> str:
    if not interrupted:
        return "the drain was cut short: the conductor ended without saying that it was finished"
    named = [
        f"{one['job_id']} sheet {one['sheet']} ({one['name']})"
        if one["sheet"]
        else f"a hook of {one['job_id']}"
        for one in interrupted[:NAMED]
    ]
    more = f" and {len(interrupted) - NAMED} more" if len(interrupted) > NAMED else ""
    listed = clean(", ".join(named))
    return f"the drain was cut short: interrupted {listed}{more}; they run again at the next start"
