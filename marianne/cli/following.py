"""Following one job to its end, and letting go of it without harm."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from marianne.cli import jobs
from marianne.cli.errors import CliError
from marianne.cli.render.out import note, print_json
from marianne.cli.session import Session

if TYPE_CHECKING:
    from marianne.replies.conductor import Event
    from marianne.replies.job import Status

REDRAW = 0.2
"""Seconds between two pictures of the live view while nothing happens: its clocks go on."""


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def detaching(*jobs: str) -> Iterator[None]:
    """Turns Ctrl-C into a detachment that says that the jobs go on.

    SIGTERM and SIGHUP (the terminal was closed) count as Ctrl-C, so that the live view always
    gives the terminal back as it was.
    """
    # Under nohup SIGHUP is ignored, and stays so.
    job, named = ", ".join(jobs), {"job_id": jobs[0]} if len(jobs) == 1 else {"job_ids": [*jobs]}
    hint = f"marianne wait {' '.join(jobs)}{' --follow' * (len(jobs) == 1)}, or end it: "
    hint += f"marianne cancel {' '.join(jobs)}"
    ours = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _interrupt)
    try:
        yield
    except KeyboardInterrupt:
        raise CliError("interrupted", f"detached; {job} goes on", hint, named) from None
    except CliError as error:
        if error.code != "timeout":
            raise
        raise CliError("timeout", f"time is up; {job} goes on", hint, named) from None
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def follow(
    session: Session,
    job: str,
    *,
    until: float | None = None,
    as_json: bool = False,
    over: Callable[[Event], bool] | None = None,
    output: bool = False,
    new: bool = False,
) -> Status:
    """Shows a job's progress until it has ended; returns its status, with sheets.

    On a terminal a live picture, else a line an event; with ``as_json`` an object an event and
    the status last. ``over`` says of which event the end is, where a job has only one. With
    ``output`` also what its sheets print: all of a ``new`` job, else what is running or begins.
    """
    last = 0 if output and new else jobs.events_page(session, None, 0, limit=1)["last"]
    status = jobs.job_status(session, job)
    if over or (output and new) or status["status"] not in jobs.TERMINAL:
        events = jobs.tail(
            session,
            status["job_id"],
            0,
            until=until,
            tick=REDRAW if output or _live(as_json) else None,
            stop=over or (lambda event: event["event"] in jobs.ENDINGS and event["seq"] > last),
        )
        if output:
            _show_output(session, status, events, last)
        else:
            _show(status, events, as_json, lambda: jobs.job_status(session, status["job_id"]))
        status = jobs.job_status(session, status["job_id"])
    if as_json:
        print_json(status, stream=True)
    return status


def _live(as_json: bool) -> bool:
    return not as_json and sys.stdout.isatty()


def _show(
    status: Status, events: Iterator[Event | None], as_json: bool, again: Callable[[], Status]
) -> None:
    """``again`` gets the status anew, with the sheets that a list has made."""
    if as_json:
        for event in events:
            if event is not None:
                print_json(event, stream=True)
    elif _live(as_json):
        from marianne.cli.render.live import show_live

        show_live(status, events, again)
    else:
        from marianne.cli.render.events import print_event

        names = {row["num"]: row["name"] for row in status.get("sheets") or ()}
        for event in events:
            if event is not None:
                if event["event"] == "sheet.listed":
                    names = {row["num"]: row["name"] for row in again().get("sheets") or ()}
                print_event(event, with_job=False, names=names)


def _show_output(
    session: Session, status: Status, events: Iterator[Event | None], since: int
) -> None:
    """A line an event, and the lines of the attempts that run or begin after event ``since``; on
    a terminal below them how the job stands."""
    from marianne.cli.outputs import Outputs
    from marianne.cli.render.events import print_event
    from marianne.cli.render.live import Picture
    from marianne.cli.render.streamed import Streamed

    job, picture = status["job_id"], Picture.of(status)
    names = {num: line.name for num, line in picture.lines.items()}
    streamed = Streamed(names)
    outputs = Outputs(session, job, streamed.line)
    if since:
        outputs.running(status)
    drawn = 0.0
    try:
        for event in events:
            if event is not None:
                if event["event"] == "sheet.listed":
                    picture.add(jobs.job_status(session, job))
                    names |= {num: line.name for num, line in picture.lines.items()}
                    streamed.name(names)
                picture.apply(event)
                if event["seq"] > since:
                    outputs.take(event)
                streamed.lift()
                print_event(event, with_job=False, names=names)
            outputs.look()
            if time.monotonic() - drawn >= REDRAW:  # it looks at all sheets
                streamed.head(picture.words(time.time()))
                drawn = time.monotonic()
        if not outputs.finish():
            note(f"the conductor has stopped; the rest of what was printed: marianne output {job}")
    finally:
        streamed.lift()
