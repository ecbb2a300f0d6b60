"""The page that names a test for each documented name names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_in_the_table_of_documented_names_exists() -> None:
    page = (ROOT / "docs" / "documented.md").read_text()
    named = set(re.findall(r"\| `(test_\w+)`[^|]* \|", page))
    there = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    assert len(named) > 15
    assert named <= there
