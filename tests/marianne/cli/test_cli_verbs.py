"""The table of verbs and the verbs agree; the help needs none of them."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from marianne.cli.program import cli
from marianne.cli.verbs import VERBS

EARLY = {"click", "msgpack", "zmq", "marianne", "ipc"}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_there_with_the_line_that_the_table_says(verb: str) -> None:
    command = cli.get_command(click.Context(cli), verb)
    assert command is not None
    assert command.name == verb
    assert (command.help or "").partition("\n")[0] == VERBS[verb]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_takes_the_home(verb: str) -> None:
    command = cli.get_command(click.Context(cli), verb)
    assert command is not None
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            below = command.get_command(click.Context(command), name)
            assert below is not None
            assert any("--home" in p.opts for p in below.params)
    else:
        assert any("--home" in p.opts for p in command.params)


def test_the_help_lists_every_verb(marianne) -> None:
    told = marianne("--help")
    assert told.code == 0
    for verb in VERBS:
        assert f"  {verb} " in told.out


def test_a_mistyped_verb_is_guessed(marianne) -> None:
    told = marianne("stat")
    assert told.code == 2
    assert "Did you mean 'status'?" in told.err


def test_status_imports_only_what_a_question_needs() -> None:
    seen = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; before = set(sys.modules)\n"
            "from marianne.cli import program\n"
            "program.run(['status', '--home', '/nonexistent/home'])\n"
            "print(*{m.partition('.')[0] for m in set(sys.modules) - before})",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    third_party = {m for m in seen if m not in sys.stdlib_module_names}
    assert third_party <= EARLY
    heavy = {"asyncio", "multiprocessing", "subprocess", "logging", "tempfile", "dataclasses_json"}
    assert not heavy & set(seen)
