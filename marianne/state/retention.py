"""What is forgotten, and when: events by age and size, replies by age, lessons by number.

Jobs are forgotten by DeleteJob, which their owner decides (``Reader.expired_jobs`` names them).
Events of live jobs always stay: a tail can then join any job that still runs. Each call forgets a
bounded number of rows, so that a writer that waits is not kept waiting.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from marianne.state.models import TERMINAL_JOB

STEP = 5_000
"""Rows forgotten in one call at most; some 20 ms."""

CONFIGURATIONS_KEPT = 1_000
"""Configurations of which something is known: those that ran last."""

# What a row costs beside its data: numbers, the event's name, its place in two trees.
_EVENT_OVERHEAD_BYTES = 60


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """Limits; None means no limit. Ages in seconds, sizes in bytes of stored events.

    ``reply_age`` must be longer than any client goes on resending a request.
    """

    event_age: float | None = 30 * 86400.0
    event_bytes: int | None = 256 * 2**20
    reply_age: float = 86400.0


@dataclass(frozen=True, slots=True)
class Retained:
    """What one call forgot, and whether there is more to forget."""

    events: int
    replies: int
    more: bool


def retain(connection: sqlite3.Connection, policy: RetentionPolicy, now: float) -> Retained:
    """Forgets up to STEP events and STEP replies inside the open transaction."""
    events = 0
    if policy.event_age is not None:
        events += _forget(connection, "ts < ?", now - policy.event_age, STEP)
    if policy.event_bytes is not None and events < STEP:
        oldest_kept = _oldest_within(connection, policy.event_bytes)
        if oldest_kept is not None:
            events += _forget(connection, "seq < ?", oldest_kept, STEP - events)
    replies = connection.execute(
        "DELETE FROM replies WHERE rowid IN (SELECT rowid FROM replies WHERE ts < ? LIMIT ?)",
        (now - policy.reply_age, STEP),
    ).rowcount
    for table in ("outcomes", "patterns"):
        connection.execute(
            f"DELETE FROM {table} WHERE config_hash NOT IN (SELECT config_hash FROM outcomes "
            "GROUP BY config_hash ORDER BY max(num) DESC LIMIT ?)",
            (CONFIGURATIONS_KEPT,),
        )
    return Retained(events, replies, more=events >= STEP or replies >= STEP)


_TERMINAL = ", ".join(f"'{status}'" for status in sorted(TERMINAL_JOB))
_NOT_LIVE = (
    "(events.job IS NULL OR NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.key = events.job "
    f"AND jobs.status NOT IN ({_TERMINAL})))"
)


def _forget(connection: sqlite3.Connection, condition: str, value: float, limit: int) -> int:
    return connection.execute(
        "DELETE FROM events WHERE seq IN (SELECT seq FROM events "
        f"WHERE {condition} AND {_NOT_LIVE} ORDER BY seq LIMIT ?)",
        (value, limit),
    ).rowcount


def _oldest_within(connection: sqlite3.Connection, limit: int) -> int | None:
    """The oldest event of the newest ones that fit into ``limit`` bytes; None if all do."""
    used = 0
    rows = connection.execute("SELECT seq, length(data) FROM events ORDER BY seq DESC")
    try:
        for seq, size in rows:
            used += _EVENT_OVERHEAD_BYTES + (size or 0)
            if used > limit:
                return int(seq) + 1
    finally:
        rows.close()
    return None
