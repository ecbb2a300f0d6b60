"""Version 4: a worker's record has the proof of its name on the link; NULL for older ones."""

from __future__ import annotations

STATEMENTS = ("ALTER TABLE jobs ADD COLUMN worker_link BLOB",)
