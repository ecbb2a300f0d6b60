"""One event for one receiver: how urgent it is, and what is said of it. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from marianne.notify import facts
from marianne.records import dataclass
from marianne.state.models import Event, JobRow, JobStatus

NOTICED = {
    "job.started": "job_start",
    "sheet.started": "sheet_start",
    "sheet.completed": "sheet_complete",
    "sheet.failed": "sheet_failed",
    "sheet.retrying": "sheet_retry",
    "job.completed": "job_complete",
    "job.failed": "job_failed",
    "job.paused": "job_paused",
    facts.TROUBLE: "machine_trouble",
    facts.OVER: "machine_over",
    "actor.gave_up": "machine_trouble",
}
"""Our events and the names that scores call them by."""

MACHINE = "machine"
"""What a receiver of the configuration calls all that happens to the machine, not to a job."""

NEEDS_ME = "needs_me"
"""What a receiver calls all that waits for a person."""

BY_ITSELF = frozenset({None, "person", "pressure"})
"""Why a job is paused that nobody need look at: who paused it knows, or it goes on by itself."""

RETRIES_SECONDS = 60.0
"""Retries come in rows: so long they are gathered where a receiver says nothing else."""

MOST = 100
"""Notices that are said one by one in a digest; of more there is the number."""


def needs_me(event: str, reason: str | None) -> bool:
    """Whether a job waits for a person: it failed, or is paused for a reason that does not pass."""
    return event == "job.failed" or (event == "job.paused" and reason not in BY_ITSELF)


def wants(receiver: dict[str, Any], event: str, reason: str | None) -> bool:
    """Whether a receiver asked for this event of a job."""
    asked = receiver["on_events"]
    return NOTICED[event] in asked or (NEEDS_ME in asked and needs_me(event, reason))


def kind_of(event: Event) -> str:
    """Of an event of the machine, as :mod:`marianne.notify.facts` calls it."""
    return str(event.data.get("kind", facts.PART))


def of_machine(event: Event) -> bool:
    """Whether it is one that people are told. A job whose part gave up fails, and that is told."""
    name = str(event.data.get("name", ""))
    return event.job_id is None and event.event in NOTICED and not name.startswith("job:")


def wants_machine(receiver: dict[str, Any], event: Event) -> bool:
    """Whether a receiver asked for this event of the machine: who was told what needs a person is
    told that it is over."""
    asked = receiver["on_events"]
    return MACHINE in asked or (NEEDS_ME in asked and kind_of(event) in facts.NEEDS_ME)


def machine_row(host: str, event: Event) -> JobRow:
    """In place of a job, for an event of the machine."""
    why = event.data.get("why", event.data.get("error"))
    over = event.event == facts.OVER
    status = JobStatus.COMPLETED if over else JobStatus.FAILED
    return JobRow("", host, status, "", event.ts, 0, error=None if over else str(why))


@dataclass(frozen=True, slots=True)
class Notice:
    """``number`` names the receiver among those of the event: from 1 on those of the score, from -1
    on those of the configuration. ``due`` is in seconds of :func:`marianne.clock.steady`;
    ``address`` is the same for notices that go the same way (:func:`address_of`)."""

    event: Event
    row: JobRow
    number: int
    receiver: dict[str, Any]
    address: str = ""
    due: float = 0.0
    tries: int = 0

    @property
    def urgent(self) -> bool:
        """Whether it waits for nothing."""
        if self.event.job_id is None:
            return self.event.event != facts.OVER and kind_of(self.event) in facts.NEEDS_ME
        return needs_me(self.event.event, self.row.reason)

    @property
    def key(self) -> tuple[int, int]:
        """What it is known by on disk."""
        return (self.event.seq, self.number)

    @property
    def digest_seconds(self) -> float:
        """For how long others are waited for, to be told together; 0: it goes alone."""
        given = self.receiver["config"].get("digest")
        if given is None:
            return RETRIES_SECONDS if self.event.event == "sheet.retrying" else 0.0
        return float(given)


def address_of(receiver: dict[str, Any]) -> str:
    """The same for receivers that are reached the same way."""
    return json.dumps([receiver["type"], receiver["config"]], sort_keys=True, default=str)


def body(notice: Notice) -> dict[str, Any]:
    """What a program is told. ``id`` is the same however often it is told."""
    row, event = notice.row, notice.event
    return {
        "id": f"{event.seq}",
        "event": NOTICED[event.event],
        "job_id": row.job_id or None,
        "name": row.name,
        "status": str(row.status) if row.job_id else None,
        "error": row.error,
        "workspace": row.workspace or None,
        "sheet_num": event.sheet_num,
        "ts": _timestamp(event.ts),
        "data": event.data,
    }


def body_of(notices: Sequence[Notice]) -> dict[str, Any]:
    """The body of one, or a digest: the newest's, with ``notices``, the first of them, and
    ``count``."""
    if len(notices) == 1:
        return body(notices[0])
    newest = body(notices[-1])
    return {
        **newest,
        "id": f"{notices[0].event.seq}-{newest['id']}",
        "event": "digest",
        "sheet_num": None,
        "data": {},
        "count": len(notices),
        "notices": [body(notice) for notice in notices[:MOST]],
    }


def title_and_text(notices: Sequence[Notice]) -> tuple[str, str]:
    """What a person is told."""
    last = notices[-1]
    if len(notices) > 1:
        counted = Counter((n.row.job_id, _said(n)) for n in notices)
        lines = [
            f"{job or last.row.name}: {number} x {what}" for (job, what), number in counted.items()
        ]
        names = {notice.row.name for notice in notices}
        title = last.row.name if len(names) == 1 else "marianne"
        return f"{title}: {len(notices)} notices", "\n".join(lines)
    sheet = last.event.sheet_num
    title = f"{last.row.name}: {_said(last)}"
    return title, last.row.error or (f"sheet {sheet}" if sheet else "")


def line(notices: Sequence[Notice]) -> str:
    """The same in one line, or some."""
    title, text = title_and_text(notices)
    return f"{title}\n{text}" if len(notices) > 1 else " - ".join(filter(None, (title, text)))


def _said(notice: Notice) -> str:
    if notice.event.job_id is None:
        data = notice.event.data
        what = data.get("what") or data.get("name")
        words = " ".join(filter(None, (facts.WORDS[kind_of(notice.event)], what and f"({what})")))
        return f"over: {words}" if notice.event.event == facts.OVER else words
    return NOTICED[notice.event.event].replace("_", " ")


def _timestamp(seconds: float) -> str:
    told = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
    return told.replace("+00:00", "Z")
