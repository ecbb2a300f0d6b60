"""Version 8: how long a sheet's attempts ran together, and how long any sheet of a job ran."""

from __future__ import annotations

STATEMENTS = (
    "ALTER TABLE sheets ADD COLUMN worked REAL NOT NULL DEFAULT 0",
    "ALTER TABLE jobs ADD COLUMN worked REAL NOT NULL DEFAULT 0",
    "ALTER TABLE jobs ADD COLUMN work_since REAL",
    "ALTER TABLE jobs ADD COLUMN work_until REAL NOT NULL DEFAULT 0",
    """
    UPDATE sheets SET worked = coalesce((
        SELECT sum(max(0, finished_at - started_at)) FROM attempts
        WHERE attempts.job = sheets.job AND attempts.num = sheets.num
    ), 0) WHERE attempt > 0
    """,
    # What overlaps counts once: of each attempt what lies behind all that began before it.
    """
    UPDATE jobs SET
        worked = coalesce((
            SELECT sum(max(0, finished_at - max(started_at, coalesce(before, started_at)))) FROM (
                SELECT started_at, finished_at, max(finished_at) OVER (
                    ORDER BY started_at, num ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                ) AS before FROM attempts WHERE attempts.job = jobs.key
            )
        ), 0),
        work_until = coalesce(
            (SELECT max(finished_at) FROM attempts WHERE attempts.job = jobs.key), 0
        )
    """,
    """
    UPDATE jobs SET work_since = max(work_until, (
        SELECT min(started_at) FROM sheets WHERE job = jobs.key AND status = 'running'
    )) WHERE running > 0
    """,
)
