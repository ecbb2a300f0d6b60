"""The examples do what they say, apart from any conductor."""

from __future__ import annotations

from pathlib import Path

import pytest
from scoreplay import play

from marianne.instruments.registry import Registry
from marianne.score import load_plan

EXAMPLES = Path(__file__).parents[2] / "examples"
REGISTRY = Registry.load()
# What each needs to show: the number of sheets, and the attempts of sheets that take several.
EXPECTED = {
    "hello": (8, {"fetch": 2, "draft": 2}),
    "sort-large-file": (7, {}),
    "sales-reports": (5, {"report-3": 3}),
    "movements": (5, {}),
    "build-package": (9, {}),
}


def test_every_example_is_tried() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.yaml")} == set(EXPECTED)


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_plays_to_its_end(name: str, tmp_path: Path) -> None:
    plan = load_plan(
        str(EXAMPLES / f"{name}.yaml"),
        None,
        base_dir=str(EXAMPLES),
        workspace=str(tmp_path / "work"),
        variables={},
        instruments=REGISTRY,
    )
    assert plan.warnings == ()
    played = play(plan, tmp_path / "home")
    sheets, several = EXPECTED[name]
    assert played.completed, (played.status, played.failed_checks)
    assert len(played.status) == sheets
    attempts = {s.name: played.attempts[s.num] for s in plan.sheets if played.attempts[s.num] > 1}
    assert attempts == several
