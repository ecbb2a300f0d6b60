"""Version 5: schedules. ``owed`` are the slots for which a job is still to be made, ``request`` is
what each job is submitted with, both msgpack; ``environment`` holds secrets."""

from __future__ import annotations

STATEMENTS = (
    """
    CREATE TABLE schedules (
        name TEXT PRIMARY KEY,
        cron TEXT NOT NULL,
        zone TEXT NOT NULL,
        overlap TEXT NOT NULL,
        catch_up TEXT NOT NULL,
        created_at REAL NOT NULL,
        decided_until REAL NOT NULL,
        paused INTEGER NOT NULL,
        owed BLOB NOT NULL,
        last_slot REAL,
        last_job TEXT,
        last_error TEXT,
        last_error_at REAL,
        request BLOB NOT NULL,
        environment BLOB NOT NULL
    ) WITHOUT ROWID
    """,
)
