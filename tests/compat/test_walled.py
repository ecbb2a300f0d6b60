"""The scores of this directory and of examples/ behind walls: what they write lies in their
workspace, and none of them misses what it is kept from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from compatkit import Run, play
from test_conductor import EXAMPLES, EXPECTED
from test_scores import SCORES, expectations

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.mark.parametrize("path", SCORES, ids=[path.stem for path in SCORES])
def test_a_score_runs_to_completion_behind_walls(walled: Run, path: Path, tmp_path: Path) -> None:
    expected = expectations(path)
    found = play(walled, path, tmp_path / f"w{path.stem}")
    assert len(found["sheets"]) == expected["sheets"]
    if "statuses" in expected:
        assert [sheet["status"] for sheet in found["sheets"]] == expected["statuses"]
    if "attempts" in expected:
        assert [sheet["attempt"] for sheet in found["sheets"]] == expected["attempts"]


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_runs_to_completion_behind_walls(walled: Run, name: str, tmp_path: Path) -> None:
    found = play(walled, EXAMPLES / f"{name}.yaml", tmp_path / f"we-{name}")
    assert len(found["sheets"]) == EXPECTED[name][0]
    told = json.loads(walled("history", found["job_id"], "--json").stdout)
    ran = [record for record in told["records"] if record["outcome"] != "skipped"]
    assert {tuple(record["walls"]) for record in ran} == {("write", "network", "isolate")}
