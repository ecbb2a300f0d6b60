"""What is forgotten, and when: events by their number, replies by age, lessons by number.

Jobs are forgotten by DeleteJob, which their owner decides (``Reader.expired_jobs`` names them).
Events of live jobs always stay: a tail can then join any job that still runs. Each call forgets a
bounded number of rows, so that a writer that waits is not kept waiting.
"""

from __future__ import annotations

import sqlite3

from marianne.records import dataclass
from marianne.state.models import TERMINAL_JOB

STEP = 5_000
"""Rows forgotten in one call at most; some 20 ms."""

CONFIGURATIONS_KEPT = 1_000
"""Configurations of which something is known: those that ran last."""


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """Events before the number ``events_from`` go: to find out which are too old, or too much, is
    a reader's (``EventLog``), for it means to look at all of them. ``reply_age`` is in seconds, and
    must be longer than any client goes on resending a request.
    """

    events_from: int = 0
    reply_age: float = 86400.0


@dataclass(frozen=True, slots=True)
class Retained:
    """What one call forgot, and whether there is more to forget."""

    events: int
    replies: int
    more: bool


def retain(connection: sqlite3.Connection, policy: RetentionPolicy, now: float) -> Retained:
    """Forgets up to STEP events and STEP replies inside the open transaction."""
    events = connection.execute(
        "DELETE FROM events WHERE seq IN (SELECT seq FROM events "
        f"WHERE seq < ? AND {_NOT_LIVE} ORDER BY seq LIMIT ?)",
        (policy.events_from, STEP),
    ).rowcount
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
