"""``marianne run --local``: a job in the foreground, by a conductor that is this run's alone.

Its home is a temporary one, and it ends with this process, however that ends; see
:mod:`marianne.daemon.boot.private`. The user's own conductor is neither needed nor started nor
asked.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from marianne.cli import jobs
from marianne.cli.errors import CliError
from marianne.cli.exit_codes import BY_JOB_STATUS, FAILED
from marianne.cli.preflight import score_settings
from marianne.cli.render.out import note, print_json
from marianne.cli.session import Session

if TYPE_CHECKING:
    import socket

    from marianne.daemon.output import OutputProtocol
    from marianne.home import Home
    from marianne.replies.changes import Submitted
    from marianne.replies.conductor import Event
    from marianne.replies.job import Status

Map = dict[str, Any]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
GRACE = 10.0

INTERRUPTED = "interrupted; the job ends with this run"

TRACES_SECONDS = 10.0
"""For a collector that is away; one that is there takes about one."""

START_SECONDS = 120.0
"""A person waits for nothing else meanwhile, and may end it: a crowded machine is no failure."""


def plan_local(params: Map, home: Home) -> Submitted:
    """The answer to a dry run of a ``job.submit``; read in this process, nothing is kept."""
    from marianne.daemon.jobs.submission import dry_run_response, parse_request
    from marianne.daemon.services.parse_child import parse
    from marianne.daemon.shared.parsed import Parsed
    from marianne.daemon.types import JobRequest

    request = parse_request(JobRequest.model_validate(params), home)
    found = parse(replace(request, settings=score_settings(home)))
    if "problems" in found:
        raise CliError("invalid_score", found["message"], data={"problems": found["problems"]})
    return dry_run_response(Parsed(**found))


def run_local(
    session: Session,
    params: Map,
    *,
    follow_it: bool = False,
    output: bool = False,
    as_json: bool,
) -> int:
    """Runs the score of a ``job.submit`` to its end and shows it; the exit code.

    Like ``run --follow`` under a conductor where that is asked for; else a line an event on
    standard error, or the status as JSON.
    """
    from marianne.cli.claim import claim_score

    with _interruptible():
        claim = claim_score(params, GRACE)
        with _own_conductor(session.home, claim) as own:
            return _run(own, {**params, "hooks": False}, follow_it, output, as_json)


def _run(own: Session, params: Map, follow_it: bool, output: bool, as_json: bool) -> int:
    from marianne.cli.claim import claim_workspace
    from marianne.cli.render.problems import print_warnings
    from marianne.cli.submitting import submit

    if params["fresh"]:
        plan = submit(own, {**params, "dry_run": True}, may_start=False)["plan"]
        claim_workspace(plan["workspace"], alone=True)
    response = submit(own, params, may_start=False)
    job_id = response["job_id"]
    workspace = own.request("job.status", {"job_id": job_id, "sheets": [1, 1]})["workspace"]
    _kept, warning = claim_workspace(workspace, alone=False)
    print_warnings([*(response.get("warnings") or ()), *filter(None, (warning,))])
    try:
        status = _watch(own, response, follow_it, output, as_json)
    except KeyboardInterrupt:
        raise CliError("interrupted", INTERRUPTED, data={"job_id": job_id}) from None
    if as_json and not follow_it:
        print_json(status)
    if not as_json:
        from marianne.cli.render.summary import print_summary

        print_summary(own, status, kept=False)
        sys.stdout.flush()
    _send_traces(own)
    # A job that is paused stays so: nobody lets it go on.
    return BY_JOB_STATUS.get(status["status"], FAILED)


def _send_traces(own: Session) -> None:
    """Lets the collector that is configured be told of the job: nobody is left to do so later. One
    that does not take it in time is noted; a Ctrl-C ends the waiting, not what the job came to."""
    until = time.monotonic() + TRACES_SECONDS
    with suppress(KeyboardInterrupt):
        while (traces := own.request("daemon.status")["traces"]) and traces["waiting"]:
            if time.monotonic() > until:
                why = traces["trouble"] or "it takes too long"
                note(f"the collector of traces was not told of all: {why}")
                return
            time.sleep(0.05)


def _watch(
    own: Session, response: Submitted, follow_it: bool, output: bool, as_json: bool
) -> Status:
    if not follow_it:
        return _to_the_end(own, response["job_id"], quiet=as_json)
    from marianne.cli.following import follow

    if as_json:
        print_json(response, stream=True)
    return follow(own, response["job_id"], as_json=as_json, over=_over, output=output, new=True)


def _to_the_end(own: Session, job_id: str, *, quiet: bool) -> Status:
    """The job's status when it is over; what happens until then on standard error."""
    from marianne.daemon.output import ConsoleOutput, NullOutput

    tell = _teller(NullOutput() if quiet else ConsoleOutput(), jobs.job_status(own, job_id))
    for event in jobs.tail(own, job_id, 0, stop=_over):
        if event is not None:
            tell(event)
    return jobs.job_status(own, job_id)


def _teller(output: OutputProtocol, status: Status) -> Callable[[Event], None]:
    """What tells an output of an event and, after the end of a sheet, of the progress."""
    job_id, done, total = status["job_id"], 0, status["progress"]["total"]

    def tell(event: Event) -> None:
        nonlocal done, total
        num, data = event["sheet_num"], event["data"]
        kind, _, name = event["event"].partition(".")
        if kind != "sheet" or num is None:
            output.job_event(job_id, name, data)
            return
        output.sheet_event(job_id, num, name, data)
        done += name == "completed"
        total += data.get("added", 0) if name == "listed" else 0
        if name in ("completed", "failed", "skipped"):
            output.progress(job_id, done, total)

    return tell


def _over(event: Event) -> bool:
    """Whether this event is the end of a job that nobody will resume; pressure ends by itself."""
    if event["event"] == "job.paused":
        return bool(event["data"].get("reason") != "pressure")
    return event["event"] in jobs.ENDINGS


@contextmanager
def _own_conductor(user: Home, claim: socket.socket | None) -> Iterator[Session]:
    """A session with a private conductor, which ends with the block."""
    from marianne.daemon.boot.launch import LaunchError, start
    from marianne.daemon.boot.private import make_home, sweep_stale
    from marianne.daemon.config import ConfigError

    sweep_stale()
    try:
        home, tether = make_home(user)
    except ConfigError as error:
        raise CliError("invalid_config", str(error), "marianne config check") from None
    if claim is not None:
        tether = tether._replace(fds=(claim.fileno(),))
    own = Session.at(home)
    try:
        start(home, wait=START_SECONDS, tether=tether)
        yield own
    except LaunchError as error:
        raise CliError("start_failed", str(error)) from None
    except KeyboardInterrupt:
        raise CliError("interrupted", INTERRUPTED) from None
    finally:
        _end(own)


def _end(own: Session) -> None:
    """Ends the private conductor and all that it runs; a signal meanwhile hurries."""
    from marianne.cli.leaving import end_conductor, wait_for_exit
    from marianne.daemon.boot.private import remove_home

    heart = own.home.heart()
    try:
        end_conductor(own, "stop", None, None)
    except KeyboardInterrupt:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        end_conductor(own, "force", None, None)
    if heart is not None:
        wait_for_exit(heart, None)
    own.close()
    if not remove_home(own.home):
        note(f"{own.home.path} could not be removed; it holds the environment of this run")


@contextmanager
def _interruptible() -> Iterator[None]:
    """Makes a Ctrl-C of what would end this process at once; what is ignored (nohup) stays so."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    ours = [number for number in SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
