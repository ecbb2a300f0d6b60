"""The environment and the directory that a score gives its sheets."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from run_conductor import SHELL, Conductor

from marianne.model.plan import Plan, Prompt, SheetPlan, SkipCommand, ValidationRule
from marianne.run.tools import Tools

pytestmark = pytest.mark.slow


def outcome(conductor: Conductor, script: str, **fields: Any) -> dict[str, Any]:
    """Runs one sheet and answers its result."""
    instrument = fields.pop("instrument", SHELL)
    sheet = dataclasses.replace(conductor.sheet(1, script, **fields), instrument=instrument)
    conductor.start(sheet)
    conductor.hello()
    conductor.run(1)
    return conductor.result()


def test_a_sheet_has_the_environment_and_the_directory_that_its_score_says(
    conductor: Conductor,
) -> None:
    (conductor.workspace / "sub").mkdir(parents=True)
    check = ValidationRule("command_succeeds", command='test "$N" = "n 1" && test -e sub/said')
    skip = SkipCommand('test "$N" != "n 1"')
    result = outcome(
        conductor,
        'echo "$N" > said',
        env={"N": "n {{ sheet_num }}"},
        cwd="sub",
        validations=(check,),
        skip_when_command=skip,
    )
    assert result["outcome"] == "completed", result
    assert (conductor.workspace / "sub" / "said").read_text() == "n 1\n"


def test_a_directory_that_is_not_there_fails_its_sheet_by_the_fields_name(
    conductor: Conductor,
) -> None:
    result = outcome(conductor, "true", cwd="sub/{{ sheet_num }}")
    place = conductor.workspace / "sub" / "1"
    assert (result["outcome"], result["category"]) == ("failed", "workspace")
    assert result["message"].startswith(f"cwd: {place} does not exist (it is not made: ")
    assert not place.exists()
    assert conductor.workspace.is_dir()


def test_a_file_is_no_directory(conductor: Conductor) -> None:
    conductor.workspace.mkdir(exist_ok=True)
    (conductor.workspace / "file").touch()
    result = outcome(conductor, "true", cwd="file")
    assert "file is no directory" in result["message"]


def test_what_a_profile_lets_through_is_not_asked_for_the_scores_own(conductor: Conductor) -> None:
    command = {**SHELL.command, "required_env": [], "env": {"N": "profile"}}
    narrow = dataclasses.replace(SHELL, command=command)
    result = outcome(
        conductor, 'test "$N $M" = "score more"', env={"N": "score", "M": "more"}, instrument=narrow
    )
    assert result["outcome"] == "completed", result


def test_a_program_with_an_option_for_its_directory_is_told_it(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    told = dataclasses.replace(SHELL, command={**SHELL.command, "working_dir_flag": "--cd"})
    sheet = SheetPlan(1, "one", 1, told, Prompt("true"), cwd="sub")
    plan = Plan("x", str(tmp_path), (sheet,), total_stages=1)
    built = Tools().command(told, "true", "/prompt", sheet, plan, {})
    place = str(tmp_path / "sub")
    assert (built.argv[-3:], built.cwd) == (("--cd", place, "/prompt"), place)
