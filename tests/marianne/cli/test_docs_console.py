"""The commands that docs/scores.md shows print what it says, as it stands there."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest
import warm_program

TEXT = (Path(__file__).parents[3] / "docs" / "scores.md").read_text()
SCORES = dict(re.findall(r"^```yaml (\S+\.yaml)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL))
BLOCKS = re.findall(r"^```console\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
SHOWN = [shown for block in BLOCKS for shown in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]


@pytest.mark.parametrize("shown", SHOWN, ids=[shown.splitlines()[0] for shown in SHOWN])
def test_a_command_prints_what_the_page_says(tmp_path: Path, shown: str) -> None:
    line, _, expected = shown.partition("\n")
    program, *words = shlex.split(line)
    assert program == "marianne"
    place = tmp_path / "reports"
    place.mkdir()
    for name, text in SCORES.items():
        (place / name).write_text(text)
    env = {**os.environ, "MARIANNE_HOME": str(tmp_path / "home")}
    done = warm_program.call(words, env=env, cwd=place, timeout=120, joined=True)
    said = done.stdout.replace(str(place), "/home/you/reports")
    assert _lines(said) == _lines(expected)


def _lines(text: str) -> list[str]:
    """The lines without the words of bash, which differ from one version to the next, and times."""
    same = re.sub(r"bash: .*", "bash:", re.sub(r"after [0-9.]+s", "after a while", text))
    return [line.rstrip() for line in same.splitlines()]


def test_there_are_scores_to_the_commands() -> None:
    assert SHOWN
    assert all(name in TEXT.partition("```console")[2] for name in SCORES)
