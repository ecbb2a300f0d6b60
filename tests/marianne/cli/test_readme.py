"""The README tells the truth: its commands exist, its score is one."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from marianne.cli.program import cli
from marianne.cli.session import Session
from marianne.instruments.registry import Registry
from marianne.score import load_plan

README = (Path(__file__).parents[3] / "README.md").read_text()


def _commands() -> list[str]:
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
    table = "\n".join(re.findall(r"^\|[^|]*\|(.*)\|$", README, re.MULTILINE))
    lines = blocks.splitlines() + re.findall(r"`(marianne [^`]*)`", README + table)
    return sorted({line.split("#")[0].strip() for line in lines if line.startswith("marianne ")})


@pytest.mark.parametrize("line", _commands())
def test_each_command_of_the_readme_can_be_given(line: str) -> None:
    words = shlex.split(re.split(r"&&|>|\|", line)[0])[1:]
    command: click.Command = cli
    context = click.Context(cli, obj=Session())
    while isinstance(command, click.Group):
        found = command.get_command(context, words.pop(0))
        assert found is not None, line
        command = found
    command.make_context(command.name, words, parent=context)


def test_the_score_of_the_readme_is_valid(tmp_path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    plan = load_plan(
        None,
        text,
        base_dir=str(tmp_path),
        workspace=None,
        variables={},
        instruments=Registry.load(),
    )
    assert [sheet.name for sheet in plan.sheets] == ["fetch", "longest", "count"]


def test_set_up_names_only_the_two_scripts() -> None:
    assert set(re.findall(r"scripts/\w+", README)) == {"scripts/run", "scripts/test"}


def test_every_exit_code_is_explained() -> None:
    told = README[README.index("Exit codes:") :]
    for code in (0, 1, 2, 3, 4, 5, 75, 124, 130):
        assert re.search(rf"\b{code}\b", told)
