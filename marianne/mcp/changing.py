"""The tools that change something. They are there with ``--write`` alone."""

from __future__ import annotations

import os
import threading
from typing import Any, Final

from marianne.cli.commands.cancel import CANCEL_SECONDS
from marianne.cli.errors import CliError
from marianne.cli.session import Session
from marianne.cli.sheets import sheet_number
from marianne.cli.submitting import environment, submit
from marianne.mcp.messages import Map
from marianne.mcp.seeing import SCORE, score_of, wait_for
from marianne.mcp.tool import JOB, MOST_SECONDS, SHEET, Tool, flag, number, plain, text


def _run(session: Session, arguments: Map, stop: threading.Event) -> Map:
    from marianne.cli.source import source

    path, words = score_of(arguments)
    # The whole path: "-" would mean our standard input.
    given = {"config_path": None, "score": words} if path is None else source(os.path.abspath(path))
    params: dict[str, Any] = {
        **given,
        "workspace": arguments.get("workspace"),
        "client_cwd": os.getcwd(),
        "id": arguments.get("id"),
        "variables": plain(arguments.get("variables", {})),
        "priority": arguments.get("priority", 5),
        "fresh": arguments.get("fresh", False),
        "environment": environment(),
    }
    answer = submit(session, params, may_start=True)
    told = {name: answer.get(name) for name in ("job_id", "status", "message", "warnings")}
    seconds = arguments.get("seconds", 0)
    if not seconds:
        return told
    job_id = answer["job_id"]
    try:
        return {**told, **wait_for(session, job_id, seconds, stop)}
    except CliError as error:
        message = f"job {job_id} was taken in, and its end cannot be waited for: {error.message}"
        raise CliError(
            error.code, message, f"ask for job {job_id} later; do not run it again"
        ) from None


def _cancel(session: Session, arguments: Map, _stop: threading.Event) -> Map:
    params = {"ids": [arguments["job"]], "all": False, "statuses": []}
    return _only(session.request("job.cancel", params, deadline=CANCEL_SECONDS))


def _resume(session: Session, arguments: Map, _stop: threading.Event) -> Map:
    params = {"ids": [arguments["job"]], "all": False, "statuses": [], "no_reload": False}
    return _only(session.request("job.resume", params, deadline=60.0))


def _retry(session: Session, arguments: Map, _stop: threading.Event) -> Map:
    job = arguments["job"]
    named = arguments.get("sheets")
    sheets = None if named is None else [sheet_number(session, job, str(one)) for one in named]
    answer = session.request("job.retry", {"job_id": job, "sheets": sheets}, deadline=30.0)
    return {**answer}


def _only(answer: Any) -> Map:
    """What became of the one job that was named."""
    (row,) = answer["jobs"]
    if not row["ok"]:
        error = row["error"]
        raise CliError(error["code"], error["message"], error["hint"])
    return {name: value for name, value in row.items() if name not in ("ok", "error")}


TOOLS: Final = (
    Tool(
        "run",
        "Run a score",
        "Submits a score and returns its job; with seconds it waits for the job's end, at most so "
        "long. Its sheets are commands that run on this machine, with this server's environment. "
        "Starts a conductor if none runs.",
        {
            **SCORE,
            "workspace": text("Where the sheets work, not what the score says."),
            "id": text("The job's id; else it comes from the score's name."),
            "priority": number("1 goes first.", 1, 10, default=5),
            "fresh": flag("Archive the workspace first, if the score wants it."),
            "seconds": number("Wait for its end, at most so long.", 0, MOST_SECONDS, default=0),
        },
        _run,
        changes=True,
        destroys=True,
        again=False,
    ),
    Tool(
        "cancel",
        "Cancel a job",
        "Ends a job and all its processes; returns when none is left. It can be resumed.",
        {"job": JOB},
        _cancel,
        required=("job",),
        changes=True,
        destroys=True,
    ),
    Tool(
        "retry",
        "Retry what failed",
        "Runs the sheets of a job that failed again, and what depends on them.",
        {
            "job": JOB,
            "sheets": {"type": "array", "items": SHEET, "description": "Only these, not all."},
        },
        _retry,
        required=("job",),
        changes=True,
        destroys=True,
        again=False,
    ),
    Tool(
        "resume",
        "Resume a job",
        "Lets a paused, failed or cancelled job go on; what has completed does not run again.",
        {"job": JOB},
        _resume,
        required=("job",),
        changes=True,
        destroys=True,
        again=False,
    ),
)
