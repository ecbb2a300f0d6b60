"""The page docs/actors.md tells the truth: its examples run and print what it says."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "actors.md"


def test_the_examples_of_the_page_run_and_print_what_it_says() -> None:
    blocks = re.findall(r"```(python)?\n(.*?)```", PAGE.read_text(), re.DOTALL)
    programs = [text for kind, text in blocks if kind and "import" in text]
    outputs = [text for kind, text in blocks if not kind]
    assert (len(programs), len(outputs)) == (2, 1)
    space: dict[str, Any] = {"__name__": "example"}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for program in programs:
            exec(compile(program, str(PAGE), "exec"), space)
    assert printed.getvalue() == outputs[0]
