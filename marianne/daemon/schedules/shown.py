"""How a schedule looks to a client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marianne.daemon.schedules.book import Entry
from marianne.daemon.views.wire import timestamp
from marianne.state.reader import Reader

if TYPE_CHECKING:
    from marianne.replies.schedules import LastJob, Schedule


def schedule_map(entry: Entry, reader: Reader) -> Schedule:
    """A schedule with its next slot, its last one, and the job of that as it stands now."""
    row = entry.row
    waiting = [] if row.paused else [timestamp(slot) for slot, _replaces in row.owed]
    return {
        "name": row.name,
        "cron": row.cron,
        "tz": row.zone,
        "overlap": row.overlap,
        "catch_up": row.catch_up,
        "config_path": row.request["config_path"],
        "workspace": row.request["workspace"],
        "variables": row.request["variables"],
        "priority": row.request["priority"],
        "fresh": row.request["fresh"],
        "created_at": timestamp(row.created_at),
        "paused": row.paused,
        "next_slot": None if row.paused else timestamp(entry.next_slot),
        "waiting": waiting,
        "waits_for": (entry.waits if waiting else None) or entry.trouble,
        "last_slot": timestamp(row.last_slot),
        "last_job": _last_job(row.last_job, reader),
        "last_error": row.last_error,
        "last_error_at": timestamp(row.last_error_at),
    }


def _last_job(job_id: str | None, reader: Reader) -> LastJob | None:
    if job_id is None:
        return None
    job = reader.job(job_id)
    return {"job_id": job_id, "status": None if job is None else str(job.status)}
