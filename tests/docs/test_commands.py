"""Every command of ours that README or docs/ names, wherever it stands, is one, and is run.

The tutorial and the how-to's are typed from top to bottom (test_pages), docs/scores.md and the
README's first five minutes likewise (test_docs_console, test_first_steps). What the other pages
show in a block is run by the test that is named here, and what they name within a sentence or a
table by this one, with what stands for something filled in.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "scripts" / "docs_parts"), str(ROOT / "tests" / "e2e")]

from docs_pages import Type, environment, same, steps  # noqa: E402
from docs_pages import do as type_it  # noqa: E402
from docs_pages import pages as typed_pages  # noqa: E402
from e2e_marianne import conductor  # noqa: E402
from parsed_verbs import parse  # noqa: E402
from test_metrics import free_port  # noqa: E402

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`((?:marianne|mzt) [^`]+)`")
SHOWN = re.compile(r"(?:\$ )?((?:marianne|mzt) .*)")
ENDS = {";", "&&", "||", "|", ">", ">>", "&"}

RUN_BY = {
    "docs/scores.md": "tests/marianne/cli/test_docs_console.py",
    "docs/operations.md: schedule": "tests/e2e/test_schedules.py",
    "docs/operations.md: watch": "tests/e2e/test_watch.py",
    "docs/operations.md: add": "tests/docs/test_commands.py",
    "docs/operations.md: keys": "tests/docs/test_commands.py",
    "docs/operations.md: --connect": "tests/docs/test_commands.py",
}
"""Who runs the blocks for a terminal of the pages that are not typed from top to bottom: by the
page, or by the page and the first word after `marianne`."""

NOT_HERE = {
    "web": "goes on until it is ended: tests/web, tests/e2e/test_web_served.py",
    "top": "goes on until it is left: tests/e2e/test_top.py, tests/marianne/top",
    "mcp": "goes on until its client leaves: tests/e2e/test_mcp.py",
    "watch": "goes on until it is ended: tests/e2e/test_watch.py",
    "events --follow": "goes on until it is ended: tests/e2e/test_followers.py",
    "start --foreground": "goes on until it is ended: tests/e2e/test_pid_one.py",
    "service install": "would change this login: tests/marianne/cli/test_service.py",
    "start": "it runs: tests/docs/test_pages.py",
    "stop": "all others need it: tests/docs/test_pages.py",
    "restart": "all others need it: tests/e2e/test_start.py",
    "executors --drain": "needs a cluster: tests/e2e/test_dask.py",
    "keys revoke": "needs a key: tests/e2e/test_remote.py",
    "schedule add": "twice is refused: tests/e2e/test_schedules.py",
    "pause JOB --now": "needs control groups: tests/e2e/test_pause_now.py",
    "history": "the verb alone",
}
"""What a sentence names and this does not run, by how it begins, with the reason and who does."""


def words_of(line: str) -> list[str]:
    """The words of the first command of a line, without what follows in the shell."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return list(takewhile(lambda word: word not in ENDS, lexer))


def named(page: Path) -> Iterator[tuple[str, str]]:
    """The command lines of ours in a page, each with where: a block's language, or a span."""
    text = page.read_text()
    for language, body in BLOCK.findall(text):
        for line in re.sub(r"\\\n(> )?", " ", body).splitlines():
            if shown := SHOWN.match(line):
                # In a table of verbs blanks part a command from what it does.
                yield language, re.split(r" {2,}", shown[1])[0]
    for span in SPAN.findall(BLOCK.sub("", text)):
        yield "span", span.replace("\n", " ")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_that_a_page_names_can_be_given(page: Path) -> None:
    if page.name == "switching.md":
        pytest.skip("those of another program: tests/marianne/cli/test_switching.py")
    for where, line in named(page):
        words = words_of(line)[1:]
        try:
            parse(words)
        except click.exceptions.MissingParameter:
            assert (where, len(words)) == ("span", 1), line  # a sentence names the verb alone
        except click.ClickException as error:
            raise AssertionError(f"{page.name}: {line}: {error.message}") from None


@pytest.mark.parametrize("page", PAGES[1:], ids=lambda page: page.stem)
def test_a_block_for_a_terminal_is_run_by_a_test(page: Path) -> None:
    place = str(page.relative_to(ROOT))
    for language, body in BLOCK.findall(page.read_text()):
        assert language not in ("sh", "bash", "shell"), f"{place}: what is typed is `console`"
        assert language == "console" or not re.search(r"^\$ (marianne|mzt) ", body, re.M), body
        if language != "console" or page in typed_pages():
            continue
        first = re.search(r"^\$ marianne (\S+)", body, re.MULTILINE)
        assert first is not None, body
        test = RUN_BY.get(place) or RUN_BY[f"{place}: {first[1]}"]
        assert page.name in (ROOT / test).read_text()


def block(page: str, word: str) -> str:
    """The page's block for a terminal whose first command of ours has that word."""
    text = (ROOT / "docs" / page).read_text()
    for language, body in BLOCK.findall(text):
        if language == "console" and re.search(rf"^\$ marianne {word}", body, re.MULTILINE):
            return f"```console\n{body}```\n"
    raise AssertionError(word)


def typed(page: str, place: Path, env: dict[str, str]) -> None:
    """Types a block; each command exits and prints as it says, where it says anything."""
    for step in steps(page):
        code, said = type_it(step, place, env)
        assert isinstance(step, Type)
        assert code == step.code, (step.command, said)
        assert not step.printed or same(step.printed, said), (step.command, said)


@pytest.mark.slow
@pytest.mark.e2e
def test_the_blocks_of_operations_work_as_they_stand_there(tmp_path: Path) -> None:
    env = environment(tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "Makefile").write_text("all:\n\ttrue\n")
    (tmp_path / "deploy").write_text("#!/bin/sh\n")
    (tmp_path / "deploy").chmod(0o755)
    score = "workspace: ./out\nsheets: [{name: a, fan_out: 3, run: 'true'}]\n"
    (tmp_path / "report.yaml").write_text(f"name: report\n{score}")
    (tmp_path / "night.yaml").write_text(f"name: night\n{score}")
    (tmp_path / ".local/state/marianne").mkdir(parents=True, mode=0o700)
    try:
        typed(block("operations.md", "add"), tmp_path, env)
        for word in ("keys", "--connect"):
            shown = block("operations.md", word)
            typed(shown.replace("0.0.0.0:7410", f"127.0.0.1:{PORT}"), tmp_path, env)
    finally:
        type_it(Type("marianne stop --force", "", (0, 0)), tmp_path, env)


PORT = free_port()


MEANT = dict.fromkeys(("SCORE", "FILE", "conv.yaml"), "files.yaml")
MEANT |= dict.fromkeys(("SHEET", "NUMBER", "ARGUMENT…"), "1")
MEANT |= dict.fromkeys(("count", "fetch,4-6"), "convert") | {"JOB": "files", "COMMAND": "true"}
"""What stands in a line for something, and what it is here."""

TOLD = "notifications: [{type: command, on_events: [job_failed], config: {command: ['true']}}]\n"


def spoken() -> list[list[str]]:
    """The words of what sentences and tables name, each once, the verbs alone left out."""
    pages = [page for page in PAGES if page not in typed_pages() and page.name != "switching.md"]
    found = dict.fromkeys(line for page in pages for where, line in named(page) if where == "span")
    words = [words_of(line)[1:] for line in found]
    kept = [
        one for one in words if not any(one[: len(no)] == no for no in map(str.split, NOT_HERE))
    ]
    return [[MEANT.get(word, word) for word in line] for line in kept if line != ["run"]]


@pytest.mark.slow
@pytest.mark.e2e
def test_what_sentences_name_finds_what_it_means(tmp_path: Path) -> None:
    """Refused it may be (a pause of a job that is over), but understood it is."""
    scores = (ROOT / "docs" / "scores.md").read_text()
    (score,) = re.findall(r"^```yaml files\.yaml\n(.*?)^```", scores, re.MULTILINE | re.DOTALL)
    with conductor(tmp_path, TOLD) as marianne:
        (marianne.place / "files.yaml").write_text(score + TOLD)
        marianne("run", "files.yaml", "--wait")
        done = [(words, marianne(*words, code=None)) for words in spoken()]
    assert [one for one in done if one[1].code not in (0, 1, 5)] == []


def test_what_is_not_run_here_is_run_where_it_is_said() -> None:
    for reason in NOT_HERE.values():
        for place in re.findall(r"tests/[\w/.]+\w", reason):
            assert (ROOT / place).exists(), place
