"""Each command line of docs/switching.md does what the page promises."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from parsed_verbs import parse

from marianne.cli import elsewhere
from marianne.cli.program import cli

PAGE = Path(__file__).parents[3] / "docs" / "switching.md"
ROW = re.compile(r"^\| (`mzt .+?) \| (.+) \|$", re.MULTILINE)
SPAN = re.compile(r"`([^`]+)`")
ROWS = ROW.findall(PAGE.read_text())
SAME = [line for there, here in ROWS if here.startswith("the same") for line in SPAN.findall(there)]
OTHERS = [
    (line, SPAN.findall(here))
    for there, here in ROWS
    if not here.startswith("the same")
    for line in SPAN.findall(there)
]


def test_the_page_has_a_table() -> None:
    assert len(SAME) > 80
    assert len(OTHERS) > 30


@pytest.mark.parametrize("line", SAME)
def test_a_line_that_is_the_same_is_parsed(line: str) -> None:
    parse(shlex.split(line)[1:])


@pytest.mark.parametrize(("line", "words"), OTHERS, ids=[line for line, _ in OTHERS])
def test_a_line_that_is_not_known_is_refused_with_what_to_do_instead(
    marianne, line: str, words: list[str]
) -> None:
    told = marianne(*shlex.split(line)[1:])
    assert told.code == 2
    for word in words:
        assert word in told.err


def test_what_is_advised_can_be_done() -> None:
    advised = {word for _, words in OTHERS for word in words if word.startswith("marianne ")}
    assert len(advised) > 8
    for line in advised:
        words = shlex.split(line)[1:]
        parse([*words, "debug"] if line.endswith("--log-level") else words)


@pytest.mark.parametrize("verb", elsewhere.VERBS)
def test_no_verb_of_ours_is_called_unknown(verb: str) -> None:
    assert cli.get_command(click.Context(cli), verb) is None


@pytest.mark.parametrize("verb", elsewhere.OPTIONS)
def test_no_option_of_ours_is_called_unknown(verb: str) -> None:
    command = cli.get_command(click.Context(cli), verb)
    assert command is not None
    known = {option for parameter in command.params for option in parameter.opts}
    assert known & set(elsewhere.OPTIONS[verb]) == set()
