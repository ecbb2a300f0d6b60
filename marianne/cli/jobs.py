"""Asking the conductor about jobs: one status whole, all pages; the end of a job; its events."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from marianne.cli.errors import CliError
from marianne.cli.session import Session

if TYPE_CHECKING:
    from marianne.replies.conductor import ConductorStatus, Event, EventPage
    from marianne.replies.job import Job, JobPage, Status

TERMINAL = frozenset({"completed", "failed", "cancelled"})
ENDINGS = frozenset({"job.completed", "job.failed", "job.cancelled"})

PAGE_SHEETS = 5_000
PAGE_JOBS = 1_000
PAGE_EVENTS = 1_000
MOST_EXPLAINED = 20
"""Sheets of a job whose reasons a status asks for."""

OVERVIEW = 50
"""Active jobs that an overview shows at most."""

WAIT_SLICE = 30.0
"""Seconds of one ``job.wait`` request; the next one follows while the job goes on."""


def job_status(session: Session, job: str, *, newest: bool = False) -> Status:
    """The job's status with all its sheets. ``newest``: of a score's name the newest job's.

    Where no conductor runs it is as the last one left it.
    """
    status = sheets_page(session, job, 1, PAGE_SHEETS, newest=newest)
    if newest:
        _say_which(job, status)
    sheets, total = status["sheets"], status["progress"]["total"]
    while sheets and len(sheets) < total:
        first = len(sheets) + 1
        page = sheets_page(session, status["job_id"], first, first + PAGE_SHEETS - 1)
        if not page["sheets"]:
            break
        sheets += page["sheets"]
    return status


def waiting_for_place(session: Session, status: Status) -> dict[int, str]:
    """Why sheets of the job wait for a node, in words; empty where sheets run on the conductor's
    machine, which the first one tells."""
    found: dict[int, str] = {}
    if status["status"] in TERMINAL:
        return found
    placeless = [
        s["num"]
        for of in ("running", "ready")
        for s in status["sheets"]
        if s["status"] == of and not s.get("node")
    ]
    for num in placeless[:MOST_EXPLAINED]:
        try:
            told = session.request("job.explain", {"job_id": status["job_id"], "sheet": num})
        except CliError:
            break  # it is told without the reasons
        (sheet,) = told["sheets"]
        if sheet["code"] == "node":
            found[num] = sheet["text"]
        elif not found:
            break
    return found


def sheet_names(session: Session, job: str) -> dict[int, str]:
    """The names of the job's sheets by number."""
    return {row["num"]: row["name"] for row in job_status(session, job)["sheets"]}


def sheets_page(
    session: Session, job: str, first: int, last: int, *, newest: bool = False
) -> Status:
    """The job's status with its sheets from ``first`` to ``last``, likewise."""
    params = {**named(job, newest), "sheets": [first, last]}
    try:
        return session.request("job.status", params)
    except CliError as error:
        if error.code != "no_conductor":
            raise
        from marianne.cli import stored

        return stored.sheets_page(session, error, params)


def named(job: str, newest: bool) -> dict[str, Any]:
    """The parameters that say which job is meant: of a score's name the ``newest``, or that very
    id."""
    return {"job_id": job, "newest": True} if newest else {"job_id": job}


def exact_id(session: Session, job: str, *, newest: bool = False) -> str:
    """The whole id of a job that was named by a prefix; fails for an unknown one."""
    return session.request("job.status", {**named(job, newest), "sheets": [1, 1]})["job_id"]


def _say_which(job: str, status: Status) -> None:
    """Says on a terminal that another job is shown than the one with this id."""
    from marianne.state import ids

    job_id = status["job_id"]
    if job_id != job and ids.from_name(status["name"]) == job and sys.stderr.isatty():
        from marianne.cli.render.out import note

        note(f"({job_id} is the newest job of {job}; --exact shows the one with the id {job})")


def list_jobs(
    session: Session,
    *,
    everything: bool = False,
    statuses: Sequence[str] = (),
    score: str | None = None,
    limit: int = 0,
) -> list[Job]:
    """At most ``limit`` jobs, newest first, without their sheets; 0 means all. Those of a
    ``score`` are found by its name or its file.

    Where no conductor runs they are as the last one left them.
    """
    wanted: dict[str, Any] = {"all": everything, "statuses": list(statuses) or None}
    if score is not None and os.path.isfile(score):
        wanted["config_path"] = os.path.abspath(score)
    elif score is not None:
        wanted["score"] = score
    jobs: list[Job] = []
    cursor = None
    while True:
        size = min(PAGE_JOBS, limit - len(jobs)) if limit else PAGE_JOBS
        page = jobs_page(session, {**wanted, "limit": size, "cursor": cursor})
        jobs += page["jobs"]
        cursor = page["cursor"]
        if not cursor or not page["jobs"] or (limit and len(jobs) >= limit):
            return jobs


def jobs_page(session: Session, params: dict[str, Any]) -> JobPage:
    """One answer to ``job.list``, likewise."""
    try:
        return session.request("job.list", params)
    except CliError as error:
        if error.code != "no_conductor":
            raise
        from marianne.cli import stored

        return stored.jobs_page(session, error, params)


def overview(
    session: Session, statuses: Sequence[str] = ()
) -> tuple[ConductorStatus | None, list[Job]]:
    """The conductor, None where none runs, and the jobs that are active or of ``statuses``."""
    try:
        conductor = session.request("daemon.status")
    except CliError as error:
        if error.code != "no_conductor" or not session.home.db.exists():
            raise
        conductor = None
    return conductor, list_jobs(session, statuses=statuses, limit=OVERVIEW)


def wait_for_end(session: Session, job: str, until: float | None = None) -> Job:
    """The job's status, without sheets, once it has ended. A paused job is waited for."""

    def ask() -> Iterator[Job]:
        with session.new_client() as client:
            while True:
                try:
                    yield session.request(
                        "job.wait", {"job_id": job}, deadline=WAIT_SLICE, client=client
                    )
                    return
                except CliError as error:
                    if error.code not in ("deadline", "unavailable", "shutting_down"):
                        raise

    from marianne.cli.feed import Feed

    for status in Feed(session, ask).items(until):
        if status is not None:
            return status
    raise CliError("internal", f"no answer about {job}")


def past_events(session: Session, job: str | None, seq: int) -> Iterator[Event]:
    """The kept events after ``seq``, of one job or of all."""
    while True:
        page = events_page(session, job, seq)
        yield from page["events"]
        if len(page["events"]) < PAGE_EVENTS:
            return
        seq = page["events"][-1]["seq"]


def events_page(session: Session, job: str | None, seq: int, limit: int = PAGE_EVENTS) -> EventPage:
    """One answer of ``events.since``."""
    return session.request("events.since", {"seq": seq, "job_id": job, "limit": limit})


def tail(
    session: Session,
    job: str | None,
    seq: int,
    *,
    until: float | None = None,
    tick: float | None = None,
    stop: Callable[[Event], bool] = lambda _event: False,
) -> Iterator[Event | None]:
    """Events after ``seq`` as they come, each once and in order, up to one that ``stop`` names.

    Yields None after each ``tick`` quiet seconds.
    """
    from ipc.errors import RemoteError
    from ipc.subscriber import Subscriber
    from marianne.cli.feed import Feed

    topic = f"job.{job}." if job else ""

    def subscribe() -> Iterator[Any]:
        # The subscriber asks again by itself while the conductor is away.
        def fetch(after: int) -> list[Any]:
            params = {"seq": after, "job_id": job, "limit": PAGE_EVENTS}
            try:
                events: list[Any] = client.request("events.since", params)["events"]
            except RemoteError as error:
                if error.code != "not_found":
                    raise
                raise CliError(error.code, error.message, error.hint) from None  # nor will it be
            return events

        place = session.events
        with session.new_client() as client, Subscriber(place, [topic], fetch, since=seq) as events:
            yield from events

    for event in Feed(session, subscribe).items(until, tick):
        yield event
        if event is not None and stop(event):
            return
