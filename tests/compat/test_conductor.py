"""The examples, and what is refused, under the real conductor; the scores of this directory are
played behind walls (test_walled): those only take away, so that what runs there runs without.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from compatkit import Run, play
from test_broken import BROKEN, EXPECT

EXAMPLES = Path(__file__).parents[2] / "examples"
# What each example has to show: the number of sheets, and the attempts where it takes several.
EXPECTED: dict[str, tuple[int, dict[str, int]]] = {
    "hello": (8, {"fetch": 2, "draft": 2}),
    "sort-large-file": (7, {}),
    "sales-reports": (5, {"report-3": 3}),
    "movements": (5, {}),
    "build-package": (9, {}),
}

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(180)]


def test_every_example_is_tried() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.yaml")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_runs_to_completion(marianne: Run, name: str, tmp_path: Path) -> None:
    sheets, several = EXPECTED[name]
    found = play(marianne, EXAMPLES / f"{name}.yaml", tmp_path / f"e-{name}")
    assert len(found["sheets"]) == sheets
    attempts = {s["name"]: s["attempt"] for s in found["sheets"] if s["attempt"] > 1}
    assert attempts == several


@pytest.mark.parametrize("path", BROKEN, ids=[path.stem for path in BROKEN])
def test_a_broken_score_is_refused(marianne: Run, path: Path) -> None:
    match = EXPECT.match(path.read_text())
    assert match is not None
    refused = marianne("run", path, "--wait", "--id", f"broken-{path.stem}")
    assert refused.returncode == 2, (refused.stdout, refused.stderr)
    assert f"{path}:{match[1]}:{match[2]}:" in refused.stderr


def test_a_refused_score_leaves_no_job(marianne: Run) -> None:
    assert marianne("run", BROKEN[0], "--id", "broken-again").returncode == 2
    assert marianne("status", "broken-again").returncode == 4
    jobs = json.loads(marianne("list", "--all", "--limit", "500", "--json").stdout)
    assert not [job["job_id"] for job in jobs if job["job_id"].startswith("broken-")]
