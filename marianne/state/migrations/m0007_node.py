"""Version 7: a sheet is known with the node that its current or last attempt ran on."""

from __future__ import annotations

STATEMENTS = ("ALTER TABLE sheets ADD COLUMN node TEXT",)
