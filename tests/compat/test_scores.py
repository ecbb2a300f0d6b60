"""Scores in the reference's style, in every shape: each loads, expands and packs.

The comments at the head of each file say what is expected of it; test_walled.py runs them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from marianne.instruments.registry import Registry
from marianne.model.plan import Plan
from marianne.score import load_plan, pack_plan, unpack_plan

SCORES = sorted((Path(__file__).parent / "scores").glob("*.yaml"))
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
REGISTRY = Registry.load()


def expectations(path: Path) -> dict[str, Any]:
    """``# key: value`` lines at the head; lists of names need no quotes."""
    found: dict[str, Any] = {}
    for line in path.read_text().splitlines():
        match = re.match(r"# (\w+): (.*)", line)
        if match is None:
            break
        text = re.sub(r"([a-z][a-z-]*)", r'"\1"', match[2]) if "[" in match[2] else match[2]
        found[match[1]] = json.loads(text) if match[2][0] in "[0123456789" else match[2]
    return found


def load(path: Path, workspace: str | None = None) -> Plan:
    return load_plan(
        str(path),
        None,
        base_dir=str(path.parent),
        workspace=workspace,
        variables={},
        instruments=REGISTRY,
        shell=True,
    )


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_an_example_loads_and_nothing_is_odd_about_it(path: Path) -> None:
    assert not load(path).warnings


def test_there_are_enough_of_them() -> None:
    assert len(SCORES) >= 40


@pytest.mark.parametrize("path", SCORES, ids=[path.stem for path in SCORES])
def test_a_score_expands_as_its_head_says(path: Path) -> None:
    plan = load(path)
    expected = expectations(path)
    assert len(plan.sheets) == expected["sheets"]
    got = {
        "needs": [list(sheet.needs) for sheet in plan.sheets],
        "items": [[sheet.start_item, sheet.end_item] for sheet in plan.sheets],
        "profiles": [sheet.instrument.profile for sheet in plan.sheets],
        "timeouts": [sheet.timeout_seconds for sheet in plan.sheets],
        "checks": [len(sheet.validations) for sheet in plan.sheets],
    }
    for key in set(expected) & set(got):
        assert got[key] == expected[key]
    if "warnings" in expected:
        assert any(expected["warnings"] in warning for warning in plan.warnings)
    assert unpack_plan(pack_plan(plan)) == plan
