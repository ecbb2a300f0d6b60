"""The events that the protocol's page names are those that the code makes."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from ipc.publisher import TICK
from marianne.daemon.api import handlers

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"(job|sheet|schedule|monitor|machine|daemon|actor)\.[a-z_]+")
LOGGED = {"job.progress"}
"""A line of the log, which nobody is sent."""


def in_the_code() -> tuple[set[str], set[str]]:
    """Names as they stand in the conductor's sources, and how names begin that are put together."""
    names, beginnings = set(), set()
    facts = ROOT / "marianne" / "notify" / "facts.py"
    for path in (facts, *(ROOT / "marianne" / "daemon").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                names |= {node.value} if NAME.fullmatch(node.value) else set()
            if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                beginnings.add(str(node.values[0].value))
    return names - set(handlers.METHODS) - LOGGED, beginnings & {"schedule."}


def test_every_event_of_the_page_is_made_and_every_one_that_is_made_stands_there() -> None:
    page = (ROOT / "docs" / "protocol.md").read_text()
    listed = page[page.index("Names: `job.submitted`") : page.index("An event whose name begins")]
    told = set(re.findall(r"`([a-z]+\.[a-z_]+)`", listed))
    names, beginnings = in_the_code()
    assert names - told == set()
    made = {name for name in told if name.startswith(tuple(beginnings))}
    assert told - names - made == {TICK}
