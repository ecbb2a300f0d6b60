"""Version 3: with a reply, a hash of what was asked; NULL for those that are older."""

from __future__ import annotations

STATEMENTS = ("ALTER TABLE replies ADD COLUMN asked BLOB",)
