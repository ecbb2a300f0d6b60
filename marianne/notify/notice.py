"""One event for one receiver: how urgent it is, and what is said of it. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from marianne.records import dataclass
from marianne.state.models import Event, JobRow

NOTICED = {
    "job.started": "job_start",
    "sheet.started": "sheet_start",
    "sheet.completed": "sheet_complete",
    "sheet.failed": "sheet_failed",
    "sheet.retrying": "sheet_retry",
    "job.completed": "job_complete",
    "job.failed": "job_failed",
    "job.paused": "job_paused",
}
"""Our events and the names that scores call them by."""

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
    """Whether a receiver asked for this event."""
    asked = receiver["on_events"]
    return NOTICED[event] in asked or (NEEDS_ME in asked and needs_me(event, reason))


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
        "job_id": row.job_id,
        "name": row.name,
        "status": str(row.status),
        "error": row.error,
        "workspace": row.workspace,
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
        lines = [f"{job}: {number} x {what}" for (job, what), number in counted.items()]
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
    return NOTICED[notice.event.event].replace("_", " ")


def _timestamp(seconds: float) -> str:
    told = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
    return told.replace("+00:00", "Z")
