"""Version 1: jobs, sheets, attempts, events, replies.

- ``ids`` keeps every id that was ever used: it gives a job its small key, and ids are not reused.
- ``jobs`` carries counters of its sheets by status, so that lists never look at sheets; what a
  list does not show (plan, score, environment) lies in ``job_files``.
- ``sheets`` has a row only for a sheet that was touched: a submit costs the same at any size.
- ``events.seq`` is assigned by the store; ``meta.last_seq`` keeps it growing over retention.
- Times are seconds since the epoch, blobs are msgpack.
"""

from __future__ import annotations

STATEMENTS = (
    """
    CREATE TABLE ids (
        key INTEGER PRIMARY KEY,
        job_id TEXT NOT NULL UNIQUE
    )
    """,
    """
    CREATE TABLE jobs (
        key INTEGER PRIMARY KEY REFERENCES ids (key),
        name TEXT NOT NULL,
        status TEXT NOT NULL,
        workspace TEXT NOT NULL,
        submitted_at REAL NOT NULL,
        sheet_count INTEGER NOT NULL,
        config_path TEXT,
        priority INTEGER NOT NULL,
        reason TEXT,
        started_at REAL,
        finished_at REAL,
        error TEXT,
        config_hash TEXT NOT NULL,
        crashes INTEGER NOT NULL,
        worker_pid INTEGER,
        worker_start_time INTEGER,
        worker_sid INTEGER,
        worker_boot_id TEXT,
        options BLOB NOT NULL,
        last_event INTEGER NOT NULL DEFAULT 0,
        ready INTEGER NOT NULL DEFAULT 0,
        running INTEGER NOT NULL DEFAULT 0,
        waiting INTEGER NOT NULL DEFAULT 0,
        completed INTEGER NOT NULL DEFAULT 0,
        failed INTEGER NOT NULL DEFAULT 0,
        skipped INTEGER NOT NULL DEFAULT 0,
        cancelled INTEGER NOT NULL DEFAULT 0
    )
    """,
    "CREATE INDEX jobs_by_status ON jobs (status)",
    "CREATE INDEX jobs_by_config_path ON jobs (config_path)",
    """
    CREATE TABLE job_files (
        key INTEGER PRIMARY KEY REFERENCES ids (key),
        plan BLOB NOT NULL,
        score TEXT NOT NULL,
        environment BLOB NOT NULL
    )
    """,
    """
    CREATE TABLE sheets (
        job INTEGER NOT NULL REFERENCES ids (key),
        num INTEGER NOT NULL,
        status TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        failures INTEGER NOT NULL,
        completions INTEGER NOT NULL,
        fallback INTEGER NOT NULL,
        started_at REAL,
        finished_at REAL,
        exit_code INTEGER,
        signal INTEGER,
        category TEXT,
        code TEXT,
        message TEXT,
        due_at REAL,
        validations BLOB,
        left_running BLOB,
        PRIMARY KEY (job, num)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE attempts (
        job INTEGER NOT NULL REFERENCES ids (key),
        num INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        started_at REAL NOT NULL,
        finished_at REAL NOT NULL,
        exit_code INTEGER,
        signal INTEGER,
        category TEXT,
        more BLOB NOT NULL,
        PRIMARY KEY (job, num, attempt)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE events (
        seq INTEGER PRIMARY KEY,
        prev INTEGER NOT NULL,
        ts REAL NOT NULL,
        job INTEGER REFERENCES ids (key),
        sheet INTEGER,
        event TEXT NOT NULL,
        data BLOB
    )
    """,
    "CREATE INDEX events_by_job ON events (job, seq) WHERE job IS NOT NULL",
    """
    CREATE TABLE replies (
        request_id TEXT PRIMARY KEY,
        ts REAL NOT NULL,
        reply BLOB NOT NULL
    )
    """,
    "CREATE INDEX replies_by_time ON replies (ts)",
    """
    CREATE TABLE meta (
        name TEXT PRIMARY KEY,
        value BLOB NOT NULL
    ) WITHOUT ROWID
    """,
)
