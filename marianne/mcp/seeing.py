"""The tools that only look: jobs, their sheets, what those wrote, why they wait; scores."""

from __future__ import annotations

import codecs
import re
import threading
import time
from typing import Any, Final

from marianne.cli import jobs
from marianne.cli.errors import CliError
from marianne.cli.selection import STATUSES
from marianne.cli.session import Session
from marianne.cli.sheets import sheet_number
from marianne.mcp.messages import Map
from marianne.mcp.tool import (
    CURSOR,
    JOB,
    MOST_SECONDS,
    SHEET,
    VARIABLES,
    Tool,
    bad_cursor,
    fitting,
    flag,
    number,
    plain,
    row_cursor,
    text,
)

SHEETS: Final = 50
JOBS: Final = 50
PROBLEMS: Final = 50
OUTPUT_BYTES: Final = 20_000
MOST_OUTPUT_BYTES: Final = 100_000
WAIT_SECONDS: Final = 30
SLICE_SECONDS: Final = 0.5
"""How soon a wait that is not wanted any more ends."""
LEFT: Final = (
    "no conductor is running: this is how the last one left it, and nothing of it goes on before a"
    " person calls `marianne start`"
)

_PLACE: Final = re.compile(r"(out|err|prompt)\.(\d{1,9})\.(\d{1,9})\.(\d{1,18})")


def _status(session: Session, arguments: Map, _stop: threading.Event) -> Map:
    if "job" not in arguments:
        conductor, active = jobs.overview(session)
        return {"conductor": conductor, "jobs": active[: fitting(active)]}
    first = max(1, row_cursor(arguments, 1))
    last = first + arguments.get("limit", SHEETS) - 1
    status = jobs.sheets_page(session, arguments["job"], first, last)
    sheets = status["sheets"][: fitting(status["sheets"])]
    after = first + len(sheets)
    more = bool(sheets) and after <= status["progress"]["total"]
    page = {**status, "sheets": sheets, "next_cursor": str(after) if more else None}
    return {**page, **_left(session)}


def _list(session: Session, arguments: Map, _stop: threading.Event) -> Map:
    wanted = {
        "all": arguments.get("all", False),
        "statuses": arguments.get("statuses") or None,
        "limit": arguments.get("limit", JOBS),
        "cursor": row_cursor(arguments, 0) or None,
    }
    page = jobs.jobs_page(session, wanted)
    cursor = page["cursor"]
    return {
        "jobs": page["jobs"],
        "total": page["total"],
        "next_cursor": None if cursor is None else str(cursor),
        **_left(session),
    }


def _left(session: Session) -> Map:
    """What an answer says beside it that was read where no conductor runs: an agent would wait for
    what is shown as running."""
    return {"note": LEFT} if session.said_left else {}


def _output(session: Session, arguments: Map, _stop: threading.Event) -> Map:
    params = _place(session, arguments)
    if arguments.get("tail") and "cursor" not in arguments:
        part = session.request("job.output", {**params, "limit": 1})
        params |= {"sheet": part["sheet"], "attempt": part["attempt"]}
        params["offset"] = max(0, part["size"] - params["limit"])
    part = session.request("job.output", params)
    data, offset = part["data"], part["offset"]
    if offset and "cursor" not in arguments:
        data = data.lstrip(bytes(range(0x80, 0xC0)))  # the rest of a letter that was cut
    over = part["ended"] and part["next_offset"] >= part["size"]
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    words = decoder.decode(data, final=over)
    after = part["next_offset"] - len(decoder.getstate()[0])
    place = f"{params['stream']}.{part['sheet']}.{part['attempt']}.{after}"
    fields = ("job_id", "sheet", "attempt", "path", "size", "ended")
    return {
        **{name: part.get(name) for name in fields},
        "stream": params["stream"],
        "offset": offset,
        "text": words,
        "next_cursor": None if over else place,
    }


def _place(session: Session, arguments: Map) -> dict[str, Any]:
    """What ``job.output`` is asked for."""
    params = {"job_id": arguments["job"], "limit": arguments.get("limit", OUTPUT_BYTES)}
    cursor = arguments.get("cursor")
    if cursor is not None:
        found = _PLACE.fullmatch(cursor)
        if found is None:
            raise bad_cursor(cursor)
        sheet, attempt, offset = map(int, found.groups()[1:])
        return {**params, "stream": found[1], "sheet": sheet, "attempt": attempt, "offset": offset}
    sheet_word = arguments.get("sheet")
    return {
        **params,
        "stream": arguments.get("stream", "out"),
        "sheet": None
        if sheet_word is None
        else sheet_number(session, arguments["job"], str(sheet_word)),
        "attempt": arguments.get("attempt"),
        "offset": 0,
    }


def _explain(session: Session, arguments: Map, _stop: threading.Event) -> Map:
    sheet = arguments.get("sheet")
    num = None if sheet is None else sheet_number(session, arguments["job"], str(sheet))
    told = session.request("job.explain", {"job_id": arguments["job"], "sheet": num})
    return {**told}


def _wait(session: Session, arguments: Map, stop: threading.Event) -> Map:
    job_id = jobs.exact_id(session, arguments["job"])
    return wait_for(session, job_id, arguments.get("seconds", WAIT_SECONDS), stop)


def wait_for(session: Session, job_id: str, seconds: float, stop: threading.Event) -> Map:
    """The job when it has ended, or as it stands when time is up or ``stop`` is set."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not stop.is_set():
        try:
            ended = session.request(
                "job.wait", {"job_id": job_id}, deadline=min(left, SLICE_SECONDS)
            )
            return {"job_id": job_id, "ended": True, "job": ended}
        except CliError as error:
            if error.code not in ("deadline", "unavailable", "shutting_down"):
                raise
    status = session.request("job.status", {"job_id": job_id, "sheets": [1, 1]})
    told = {name: value for name, value in status.items() if name != "sheets"}
    return {"job_id": job_id, "ended": told["status"] in jobs.TERMINAL, "job": told}


def _validate(session: Session, arguments: Map, stop: threading.Event) -> Map:
    from marianne.mcp.checking import check_score

    render = arguments.get("render", False)
    variables = plain(arguments.get("variables", {}))
    report = check_score(session, score_of(arguments), variables, render, stop)
    problems, warnings = report["problems"], report["warnings"]
    told = {**report, "problems": problems[:PROBLEMS], "warnings": warnings[:PROBLEMS]}
    told["more"] = len(problems[PROBLEMS:]) + len(warnings[PROBLEMS:])
    if render and "plan" in report:
        plan = report["plan"]
        shown = plan["sheets"][: fitting(plan["sheets"])]
        more = plan["more"] + len(plan["sheets"]) - len(shown)
        told["plan"] = {**plan, "sheets": shown, "more": more}
    return told


def score_of(arguments: Map) -> tuple[str | None, str | None]:
    """The score's path or its text: exactly one of them."""
    path, words = arguments.get("path"), arguments.get("text")
    if (path is None) == (words is None):
        raise CliError("invalid_params", "give the path of a score, or its text: one of the two")
    return path, words


SCORE: Final = {
    "path": text("The score's file."),
    "text": text("The score itself, in YAML; relative places are of the server's directory."),
    "variables": VARIABLES,
}

TOOLS: Final = (
    Tool(
        "status",
        "Status of a job, or of all",
        "A job with its sheets: what runs, what failed and why. Without a job: the conductor and "
        "the jobs that are active. Where no conductor runs, conductor is null and the jobs are as "
        "the last one left them.",
        {
            "job": JOB,
            "limit": number("Sheets in one answer at most.", 1, 500, default=SHEETS),
            "cursor": CURSOR,
        },
        _status,
    ),
    Tool(
        "list",
        "List jobs",
        "Jobs at a glance, the newest first: those that are active, or all, or those of some "
        "statuses.",
        {
            "all": flag("Jobs that have ended too."),
            "statuses": {
                "type": "array",
                "items": {"type": "string", "enum": list(STATUSES)},
                "description": "Only jobs of these statuses.",
            },
            "limit": number("Jobs in one answer at most.", 1, 200, default=JOBS),
            "cursor": CURSOR,
        },
        _list,
    ),
    Tool(
        "output",
        "Output of a sheet",
        "What a sheet wrote, in pieces. Without a sheet it is the last one that wrote something. "
        "next_cursor goes on from there; null: there is no more. Of a sheet that runs, more may "
        "come.",
        {
            "job": JOB,
            "sheet": SHEET,
            "stream": text(
                "out: standard output; err: standard error; prompt: what it was given.",
                enum=["out", "err", "prompt"],
                default="out",
            ),
            "attempt": number("Of this attempt, not the last one.", 1, 10**9),
            "tail": flag("Begin so that the answer ends with the last of it."),
            "limit": number(
                "Bytes in one answer at most.", 64, MOST_OUTPUT_BYTES, default=OUTPUT_BYTES
            ),
            "cursor": CURSOR,
        },
        _output,
        required=("job",),
    ),
    Tool(
        "explain",
        "Why does it not run?",
        "Why a job, or a sheet of it, does not run now: what it waits for, and until when.",
        {"job": JOB, "sheet": SHEET},
        _explain,
        required=("job",),
    ),
    Tool(
        "wait",
        "Wait for a job",
        "Returns when the job has ended, or as it stands when the time is up: ended says which. "
        "The job goes on either way.",
        {
            "job": JOB,
            "seconds": number("At most this long.", 0, MOST_SECONDS, default=WAIT_SECONDS),
        },
        _wait,
        required=("job",),
    ),
    Tool(
        "validate",
        "Check a score",
        "Checks a score without running it: all that is wrong with line and column, and warnings. "
        "With render also each sheet as it would be executed.",
        {**SCORE, "render": flag("Show each sheet as it would be executed.")},
        _validate,
    ),
)
