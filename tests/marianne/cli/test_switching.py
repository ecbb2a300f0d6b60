"""Each command line of docs/switching.md does what the page promises."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

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


def parse(line: str) -> None:
    """Parses a command line down to its last verb, and runs nothing."""
    command: click.Command = cli
    args = shlex.split(line)[1:]
    context = None
    while True:
        try:
            context = command.make_context(command.name or "mzt", args, parent=context)
        except click.exceptions.Exit:  # of --version: anything wrong is a UsageError
            return
        if not isinstance(command, click.Group):
            return
        name, below, args = command.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        assert below is not None, name
        command = below


def test_the_page_has_a_table() -> None:
    assert len(SAME) > 80
    assert len(OTHERS) > 30


@pytest.mark.parametrize("line", SAME)
def test_a_line_that_is_the_same_is_parsed(line: str) -> None:
    parse(line)


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
        parse(line if not line.endswith("--log-level") else f"{line} debug")


@pytest.mark.parametrize("verb", elsewhere.VERBS)
def test_no_verb_of_ours_is_called_unknown(verb: str) -> None:
    assert cli.get_command(click.Context(cli), verb) is None


@pytest.mark.parametrize("verb", elsewhere.OPTIONS)
def test_no_option_of_ours_is_called_unknown(verb: str) -> None:
    command = cli.get_command(click.Context(cli), verb)
    assert command is not None
    known = {option for parameter in command.params for option in parameter.opts}
    assert known & set(elsewhere.OPTIONS[verb]) == set()
