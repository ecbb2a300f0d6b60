"""Version 6: jobs are found by the name of their score."""

from __future__ import annotations

STATEMENTS = ("CREATE INDEX jobs_by_name ON jobs (name)",)
