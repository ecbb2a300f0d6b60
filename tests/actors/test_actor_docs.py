"""The page docs/actors.md tells the truth: its programs run and print what it says."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "actors.md"
PROGRAM = re.compile(
    r"```python\n((?:(?!```).)*?import.*?)```(?:\n\nIt prints:\n\n```\n(.*?)```)?", re.DOTALL
)
PROGRAMS = PROGRAM.findall(PAGE.read_text())


def test_the_page_has_its_twelve_programs() -> None:
    assert len(PROGRAMS) == 12
    assert sum(bool(printed) for _, printed in PROGRAMS) == 11


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_a_program_of_the_page_prints_what_the_page_says(number: int) -> None:
    program, wanted = PROGRAMS[number]
    space: dict[str, Any] = {"__name__": "example"}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        if "Account" in program and number:  # the page's first program goes on
            exec(compile(PROGRAMS[0][0], str(PAGE), "exec"), space)
            printed.truncate(0)
            printed.seek(0)
        exec(compile(program, str(PAGE), "exec"), space)
    assert printed.getvalue() == wanted
