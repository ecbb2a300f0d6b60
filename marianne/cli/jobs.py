"""Asking the conductor about jobs: one status whole, all pages; the end of a job; its events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from marianne.cli.errors import CliError
from marianne.cli.session import Session

TERMINAL = frozenset({"completed", "failed", "cancelled"})
ENDINGS = frozenset({"job.completed", "job.failed", "job.cancelled"})

PAGE_SHEETS = 5_000
PAGE_EVENTS = 1_000
WAIT_SLICE = 30.0
"""Seconds of one ``job.wait`` request; the next one follows while the job goes on."""

Map = dict[str, Any]


def job_status(session: Session, job: str) -> Map:
    """The job's status with all its sheets."""
    status: Map = session.request("job.status", {"job_id": job})
    sheets: list[Map] = status.get("sheets") or []
    total = status.get("progress", {}).get("total", 0)
    while sheets and len(sheets) < total:
        first = len(sheets) + 1
        page = session.request(
            "job.status",
            {"job_id": status["job_id"], "sheets": [first, first + PAGE_SHEETS - 1]},
        )
        if not page.get("sheets"):
            break
        sheets += page["sheets"]
    return status


def exact_id(session: Session, job: str) -> str:
    """The whole id of a job that was named by a prefix; fails for an unknown one."""
    return str(session.request("job.status", {"job_id": job, "sheets": [1, 1]})["job_id"])


def list_jobs(session: Session, *, everything: bool, statuses: list[str], limit: int) -> list[Map]:
    """At most ``limit`` jobs, newest first, without their sheets; 0 means all."""
    jobs: list[Map] = []
    cursor = None
    while True:
        size = min(1_000, limit - len(jobs)) if limit else 1_000
        page = session.request(
            "job.list",
            {"all": everything, "statuses": statuses or None, "limit": size, "cursor": cursor},
        )
        jobs += page["jobs"]
        cursor = page.get("cursor")
        if not cursor or not page["jobs"] or (limit and len(jobs) >= limit):
            return jobs


def wait_for_end(session: Session, job: str, until: float | None = None) -> Map:
    """The job's status, without sheets, once it has ended. A paused job is waited for."""

    def ask() -> Iterator[Map]:
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


def past_events(session: Session, job: str | None, seq: int) -> Iterator[Map]:
    """The kept events after ``seq``, of one job or of all."""
    while True:
        page = events_page(session, job, seq)
        yield from page["events"]
        if len(page["events"]) < PAGE_EVENTS:
            return
        seq = page["events"][-1]["seq"]


def events_page(session: Session, job: str | None, seq: int, limit: int = PAGE_EVENTS) -> Map:
    """One answer of ``events.since``."""
    page: Map = session.request("events.since", {"seq": seq, "job_id": job, "limit": limit})
    return page


def tail(
    session: Session,
    job: str | None,
    seq: int,
    *,
    until: float | None = None,
    tick: float | None = None,
    stop: Callable[[Map], bool] = lambda _event: False,
) -> Iterator[Map | None]:
    """Events after ``seq`` as they come, each once and in order, up to one that ``stop`` names.

    Yields None after each ``tick`` quiet seconds.
    """
    from ipc.subscriber import Subscriber
    from marianne.cli.feed import Feed

    topic = f"job.{job}." if job else ""

    def subscribe() -> Iterator[Map]:
        # The subscriber asks again by itself while the conductor is away.
        def fetch(after: int) -> list[Map]:
            params = {"seq": after, "job_id": job, "limit": PAGE_EVENTS}
            events: list[Map] = client.request("events.since", params)["events"]
            return events

        place = session.home.events_sock
        with session.new_client() as client, Subscriber(place, [topic], fetch, since=seq) as events:
            yield from events

    for event in Feed(session, subscribe).items(until, tick):
        yield event
        if event is not None and stop(event):
            return
