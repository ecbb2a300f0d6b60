"""What failed and is done in truth: all that its score asks for is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_conductor import SHELL
from run_stage import Stage

from marianne.model.plan import Plan, Prompt, SheetPlan, ValidationRule
from marianne.run.grant import Grant
from marianne.run.recheck import Recheck, Results
from marianne.run.tools import Tools
from marianne.run.workshop import Workshop


def look_again(stage: Stage, workspace: Path, **fields: object) -> tuple[str, str | None]:
    sheet = SheetPlan(1, "made", 1, SHELL, Prompt("true", script=True), **fields)  # type: ignore[arg-type]
    (stage.folder / "sheets").mkdir(exist_ok=True)
    shop = Workshop(
        plan=Plan("job", str(workspace), (sheet,), total_stages=1),
        env={},
        job_id="a-job",
        job_dir=str(stage.folder),
        owner=stage.owner,
        grace=1.0,
        output_limit=None,
        loop=stage.loop,
        nursery=stage.nursery,
        tools=Tools(),
    )
    results = Results(stage.loop)
    grant = Grant({"num": 1, "attempt": 1, "fallback": 0})
    results.make([Recheck(shop, grant, 0.0, results)])
    stage.loop.run()
    (found,) = results.found
    return found.outcome, found.message


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    place = tmp_path / "out"
    place.mkdir()
    (place / "a").touch()
    return place


RULES = (ValidationRule("file_exists", path="a"),)


def test_a_sheet_whose_checks_pass_is_done(stage: Stage, workspace: Path) -> None:
    assert look_again(stage, workspace, validations=RULES)[0] == "completed"


def test_a_sheet_without_checks_proves_nothing(stage: Stage, workspace: Path) -> None:
    assert look_again(stage, workspace, outputs=("a",))[0] == "failed"


def test_a_sheet_that_lacks_what_it_declares_to_make_is_not_done_whatever_its_checks_say(
    stage: Stage, workspace: Path
) -> None:
    declared = {"validations": RULES, "outputs": ("a", "{{ sheet_name }}/*.txt")}
    outcome, message = look_again(stage, workspace, **declared)
    assert (outcome, "made/*.txt" in (message or "")) == ("failed", True)
    (workspace / "made").mkdir()
    (workspace / "made" / "b.txt").touch()
    assert look_again(stage, workspace, **declared)[0] == "completed"
