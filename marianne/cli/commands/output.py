"""``marianne output JOB [SHEET]``."""

from __future__ import annotations

import codecs
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from marianne.cli.completing import job_argument, sheet_argument
from marianne.cli.errors import CliError
from marianne.cli.exit_codes import OK
from marianne.cli.following import detaching
from marianne.cli.jobs import job_status
from marianne.cli.options import Verb, json_option
from marianne.cli.render.out import clean, json_text, note
from marianne.cli.session import Session
from marianne.cli.sheets import sheet_number

if TYPE_CHECKING:
    from marianne.replies.job import Sheet
    from marianne.replies.reports import Output

Write = Callable[[bytes, bool], None]
"""Writes a piece; the flag says that it was the last one."""

PAGE = 1 << 20
QUICK, SLOW = 0.05, 1.0
"""Seconds between two looks at a growing output: quick while it grows, slower while it does not."""


OVER = frozenset({"completed", "failed", "skipped", "cancelled"})
"""Of a sheet or its job: nothing more comes."""


@click.command("output", cls=Verb)
@job_argument
@sheet_argument
@click.option(
    "--follow",
    "-f",
    is_flag=True,
    help="Go on printing until the sheet has ended, over its retries.",
)
@click.option("--stderr", "stream", flag_value="err", help="What it wrote to standard error.")
@click.option("--prompt", "stream", flag_value="prompt", help="What it was given: the prompt.")
@click.option("--all", "everything", is_flag=True, help="Of every sheet, under its name.")
@click.option("--raw", is_flag=True, help="The bytes as they are, also to a terminal.")
@click.option(
    "--attempt", type=click.IntRange(min=1), metavar="N", help="Of this attempt, not the last."
)
@json_option
@click.pass_obj
def command(
    session: Session,
    job: str,
    sheet: str | None,
    follow: bool,
    stream: str | None,
    everything: bool,
    raw: bool,
    attempt: int | None,
    as_json: bool,
) -> int:
    """Print what a sheet wrote.

    A SHEET is a number or a name; without one it is the last that has output (with
    --follow: or runs). Into a file or a pipe the bytes come out as they are; a
    terminal gets text and colours, but nothing that drives it. What bash says of a
    script names the lines of the score, except with --raw. With --json: one object
    with the text and where it lies.
    """
    if everything and (sheet is not None or follow or attempt is not None):
        raise click.UsageError("--all prints what each sheet wrote at last: name none, follow none")
    if follow and as_json:
        raise click.UsageError("--follow prints bytes, --json one object: choose one")
    params: dict[str, Any] = {
        "job_id": job,
        "sheet": None if sheet is None else sheet_number(session, job, sheet),
        "attempt": attempt,
        "stream": stream or "out",
        "offset": 0,
        "limit": PAGE,
        **({"follow": True} if follow else {}),
        **({"plain": True} if raw else {}),
    }
    if as_json:
        return _print_objects(session, params) if everything else _print_object(session, params)
    write = _as_it_is if raw or not sys.stdout.isatty() else _for_a_terminal()
    with detaching(job):
        if everything:
            _copy_all(session, params, write)
            return OK
        if not follow or attempt is not None:
            _copy(session, params, follow, write)
            return OK
        if params["sheet"] is not None:
            _next_attempt(session, params, 0)
        while True:
            part = _copy(session, params, follow, write)
            number = _next_attempt(session, params, part["attempt"])
            if number is None:
                return OK
            params |= {"attempt": number, "offset": 0}
            note(f"(attempt {number})")


def _next_attempt(session: Session, params: dict[str, Any], last: int) -> int | None:
    """The sheet's attempt after ``last``, as soon as it has begun; None if there will be none."""
    num = params["sheet"]
    while True:
        status = session.request("job.status", {"job_id": params["job_id"], "sheets": [num, num]})
        if not status["sheets"]:
            return None  # there is no such sheet
        sheet = status["sheets"][0]
        if sheet["attempt"] > last:
            return int(sheet["attempt"])
        if {sheet["status"], status["status"]} & OVER:
            return None
        time.sleep(SLOW)


def _as_it_is(data: bytes, last: bool) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _for_a_terminal() -> Write:
    from marianne.cli.render.out import write_text
    from marianne.cli.render.terminal import Pieces

    pieces = Pieces()

    def write(data: bytes, last: bool) -> None:
        write_text(sys.stdout, pieces.add(data, last=last))
        sys.stdout.flush()

    return write


def _copy(session: Session, params: dict[str, Any], follow: bool, write: Write) -> Output:
    """Copies the output by ``write``; with ``follow`` until the attempt has ended.

    Returns its last piece, and has set ``params`` to its sheet and attempt.
    """
    pause = QUICK
    first = True
    while True:
        part = session.request("job.output", params)
        if first and params["sheet"] is None:
            _say_which(part)
        first = False
        # Of one attempt from here on, even if the sheet is tried again meanwhile.
        params |= {
            "sheet": part["sheet"],
            "attempt": part["attempt"],
            "offset": part["next_offset"],
        }
        if part["data"]:
            write(part["data"], False)
            pause = QUICK
        if part["next_offset"] < part["size"]:
            continue
        if not follow or part["ended"]:
            write(b"", True)
            return part
        time.sleep(pause)
        pause = min(SLOW, pause * 1.5)


def _started(session: Session, params: dict[str, Any]) -> Iterator[tuple[Sheet, dict[str, Any]]]:
    """The sheets that have anything to print, each with what to ask for."""
    for sheet in job_status(session, params["job_id"])["sheets"]:
        if sheet["attempt"]:
            yield sheet, {**params, "sheet": sheet["num"]}


def _copy_all(session: Session, params: dict[str, Any], write: Write) -> None:
    """As ``tail`` does with several files."""
    between = b""
    for sheet, wanted in _started(session, params):
        write(between + f"==> {clean(sheet['name'])} <==\n".encode(), False)
        data = _copy(session, wanted, False, write)["data"]
        between = b"\n" if not data or data.endswith(b"\n") else b"\n\n"


def _print_objects(session: Session, params: dict[str, Any]) -> int:
    """A list of objects, up to the first that breaks off."""
    before, code = "[", OK
    for _sheet, wanted in _started(session, params):
        sys.stdout.write(before + "\n")
        try:
            code = _print_object(session, wanted)
        except CliError as error:  # of which nothing is printed yet
            sys.stdout.write(json_text(error.to_map(), 2) + "\n")
            code = error.exit_code
        if code != OK:
            break
        before = ","
    sys.stdout.write("[]\n" if before == "[" and code == OK else "]\n")
    return code


def _print_object(session: Session, params: dict[str, Any]) -> int:
    """One object, in pieces as they come: an output may be larger than our memory.

    Where no more comes, it ends with an ``error`` and the text so far.
    """
    part = session.request("job.output", params)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    head = json_text({name: part.get(name) for name in ("job_id", "sheet", "attempt", "path")}, 2)
    sys.stdout.write(head.removesuffix("\n}") + ',\n  "text": "')
    sys.stdout.write(json_text(decoder.decode(part["data"]))[1:-1])
    tail: dict[str, Any] = {}
    code = OK
    try:
        while part["next_offset"] < part["size"]:
            more = {**params, "sheet": part["sheet"], "attempt": part["attempt"]}
            part = session.request("job.output", {**more, "offset": part["next_offset"]})
            sys.stdout.write(json_text(decoder.decode(part["data"]))[1:-1])
    except CliError as error:
        tail, code = error.to_map(), error.exit_code
    sys.stdout.write(json_text(decoder.decode(b"", final=True))[1:-1] + '"')
    tail = {"size": part["size"], "ended": part["ended"], **tail}
    sys.stdout.write("," + json_text(tail, 2).removeprefix("{") + "\n")
    return code


def _say_which(part: Output) -> None:
    if sys.stderr.isatty():
        note(f"(sheet {part['sheet']}, attempt {part['attempt']})")
