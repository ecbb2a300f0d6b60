"""The examples of docs/scores.md are scores, as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from scorekit import load

from marianne.instruments.profile import Profile

TEXT = (Path(__file__).parents[3] / "docs" / "scores.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
PROFILES = re.findall(r"^```yaml profile\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
BASE = "name: fragment\nsheets: [{name: a, run: 'true'}]\n"


@pytest.mark.parametrize("block", BLOCKS, ids=[block.split("\n")[0] for block in BLOCKS])
def test_an_example_loads(block: str) -> None:
    plan = load(block if block.startswith("name:") else BASE + block, shell=True)
    assert not [warning for warning in plan.warnings if "no effect" in warning]


def test_there_are_examples_of_every_section() -> None:
    assert len(BLOCKS) > 10
    for word in ("retry", "parallel", "cross_sheet", "inject", "skip_when", "on_success"):
        assert any(f"{word}:" in block for block in BLOCKS), word


@pytest.mark.parametrize("block", PROFILES)
def test_an_example_of_a_profile_is_one(block: str) -> None:
    assert Profile.model_validate(yaml.safe_load(block)).name == "scribe"


def test_template_files_are_read_beside_the_score(tmp_path: Path) -> None:
    (tmp_path / "t.j2").write_text("from {{ x }}")
    reference = "sheet: {size: 1, total_items: 1}\nprompt: {template_file: t.j2, variables: {x: 1}}"
    short = "variables: {x: 1}\nsheets: [{name: a, prompt_file: t.j2}]"
    for form in (reference, short):
        plan = load(f"name: x\ninstrument: cli\n{form}", base_dir=str(tmp_path))
        assert plan.sheets[0].prompt.template == "from {{ x }}"
