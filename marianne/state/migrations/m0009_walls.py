"""Version 9: a sheet is known with the walls of its sandbox that stood around its last attempt."""

from __future__ import annotations

STATEMENTS = ("ALTER TABLE sheets ADD COLUMN walls BLOB",)
