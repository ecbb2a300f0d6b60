"""Version 2: what was learned of jobs by the hash of their configuration.

- ``outcomes`` has a row for each job that ended, the newest few for each hash; they stay when the
  job is cleared.
- ``patterns`` counts how the estimators of a hash were used and how near they came.
"""

from __future__ import annotations

STATEMENTS = (
    """
    CREATE TABLE outcomes (
        num INTEGER PRIMARY KEY,
        config_hash TEXT NOT NULL,
        job_id TEXT NOT NULL,
        finished_at REAL NOT NULL,
        peak_memory_mb REAL NOT NULL,
        cpu_seconds REAL NOT NULL,
        duration_seconds REAL NOT NULL,
        category TEXT
    )
    """,
    "CREATE INDEX outcomes_by_hash ON outcomes (config_hash, num)",
    """
    CREATE TABLE patterns (
        config_hash TEXT NOT NULL,
        name TEXT NOT NULL,
        uses INTEGER NOT NULL,
        tests INTEGER NOT NULL,
        score REAL NOT NULL,
        PRIMARY KEY (config_hash, name)
    ) WITHOUT ROWID
    """,
)
