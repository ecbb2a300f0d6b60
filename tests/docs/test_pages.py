"""The tutorial and the how-to's: every command of them works and prints what the page says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from marianne.cli.exit_codes import BROKEN_PIPE

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts" / "docs_parts"))

from docs_pages import Type, Write, do, environment, pages, same, steps

pytestmark = [pytest.mark.slow, pytest.mark.e2e]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Where a reader types: a home of its own, of which no conductor is left."""
    yield tmp_path
    stop = ["marianne", "stop", "--force"]
    subprocess.run(stop, env=environment(tmp_path), check=True, capture_output=True, timeout=120)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_every_command_prints_what_the_page_says(page: Path, place: Path) -> None:
    env = environment(place)
    for step in steps(page.read_text()):
        code, said = do(step, place, env)
        if isinstance(step, Type):
            if code == BROKEN_PIPE and "| head" in step.command:
                code = 0  # who reads no more has ended before all was written
            assert code == step.code, (step.command, said)
            assert same(step.printed, said), f"{step.command}\nthe page:\n{step.printed}\n{said}"


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_what_is_shown_as_a_command_is_run(page: Path) -> None:
    """A block for a shell is a file with a name, or a console; what others' programs do is text."""
    text = page.read_text()
    assert any(isinstance(step, Type) for step in steps(text))
    assert not re.search(r"^```(sh|bash|shell)$", text, re.MULTILINE)


def test_a_page_is_read_as_it_is_typed() -> None:
    page = (
        "```yaml a/b.yaml\nx: 1\n```\n\n```text\n$ no\n```\n\n"
        "```console\n$ one\n$ two \\\n> more  # exit code 3\nout\n> not more\n$ three\n```\n"
    )
    write, one, two, three = steps(page)
    assert write == Write("a/b.yaml", "x: 1\n")
    assert isinstance(one, Type)
    assert isinstance(two, Type)
    assert isinstance(three, Type)
    assert (one.command, one.printed, one.code) == ("one", "", 0)
    assert (two.command, two.code) == ("two \\\nmore  # exit code 3", 3)
    assert two.printed == page[two.span[0] : two.span[1]] == "out\n> not more\n"
    assert three.command == "three"


@pytest.mark.parametrize(
    ("printed", "said", "alike"),
    [
        ("done after 0.04s\n", "done after 12.1s\n", True),
        ("a  1.2s  x\n", "a     0s  x\n", True),
        ("1 of 2\n", "2 of 2\n", False),
        ("at 2026-11-28 02:30:00 UTC\n", "at 2027-01-01 02:30:00 UTC\n", True),
        ("b: 1 sheet in /x\n", "b: 1 sheet in /x; it waits for a (running)\n", True),
        ("one\n", "one\ntwo\n", False),
    ],
)
def test_only_times_may_differ(printed: str, said: str, alike: bool) -> None:
    assert same(printed, said) is alike
