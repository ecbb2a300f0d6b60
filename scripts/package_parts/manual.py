"""A manual page for the program and for each of its verbs, in the man(7) macros."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import click

from marianne.cli import exit_codes
from marianne.cli.program import cli
from marianne.version import VERSION

EXITS = {
    exit_codes.OK: "Done; of a job that was waited for: it completed.",
    exit_codes.FAILED: "The job failed or was cancelled, a check said no, or the conductor had a "
    "fault.",
    exit_codes.USAGE: "Wrong arguments, an invalid score or an invalid configuration.",
    exit_codes.NO_CONDUCTOR: "No conductor runs, or none could be started.",
    exit_codes.NOT_FOUND: "There is no such job or sheet.",
    exit_codes.CONFLICT: "Refused: it does not fit the job's present state.",
    exit_codes.TRY_LATER: "Pressure, or the conductor is busy: try later.",
    exit_codes.TIMED_OUT: "The time to wait was up.",
    exit_codes.INTERRUPTED: "Interrupted.",
}


@dataclass(frozen=True)
class Verb:
    """A command with the words that call it."""

    words: tuple[str, ...]
    command: click.Command
    context: click.Context

    @property
    def page(self) -> str:
        """The name of its page."""
        return "-".join(self.words)

    def below(self) -> Iterator[Verb]:
        """The verbs below it; none below a plain one."""
        if isinstance(self.command, click.Group):
            for name in self.command.list_commands(self.context):
                command = self.command.get_command(self.context, name)
                assert command is not None
                context = click.Context(command, info_name=name, parent=self.context)
                yield Verb((*self.words, name), command, context)


def pages() -> dict[str, str]:
    """Their texts by their places below ``share``."""
    found = {}
    todo = [Verb(("marianne",), cli, click.Context(cli, info_name="marianne"))]
    while todo:
        verb = todo.pop()
        found[f"man/man1/{verb.page}.1"] = _page(verb)
        todo += verb.below()
    return found


def _page(verb: Verb) -> str:
    line, _, rest = (verb.command.help or "").partition("\n")
    usage = verb.context.get_usage().removeprefix("Usage: ")
    lines = [
        f'.TH "{verb.page.upper()}" 1 "" "marianne {VERSION}" "Marianne"',
        ".SH NAME",
        f"{_text(verb.page)} \\- {_text(line.strip().rstrip('.'))}",
        ".SH SYNOPSIS",
        f"{_text(' '.join(usage.split()))}",
        *([".SH DESCRIPTION", *_paragraphs(rest)] if rest.strip() else []),
        *_options(verb),
        *_commands(verb),
        ".SH EXIT STATUS",
        *(part for code, words in EXITS.items() for part in (".TP", f".B {code}", _text(words))),
        ".SH SEE ALSO",
        _see_also(verb),
    ]
    return "\n".join(lines) + "\n"


def _options(verb: Verb) -> list[str]:
    records = [param.get_help_record(verb.context) for param in verb.command.params]
    rows = [record for record in records if record is not None]
    lines = [".SH OPTIONS"] if rows else []
    for names, words in rows:
        lines += [".TP", f".B {_text(names)}", _text(" ".join(words.split()) or "\\&")]
    return lines


def _commands(verb: Verb) -> list[str]:
    lines: list[str] = []
    for one in verb.below():
        lines += [".TP", f".BR {_text(one.page)} (1)", _text(one.command.get_short_help_str(200))]
    return [".SH COMMANDS", *lines] if lines else []


def _see_also(verb: Verb) -> str:
    if len(verb.words) == 1:
        return "The pages of the verbs, above."
    return f".BR {_text('-'.join(verb.words[:-1]))} (1)"


def _paragraphs(text: str) -> list[str]:
    """Paragraphs of running text; one that click is told to leave alone (\\b) as it stands."""
    lines: list[str] = []
    for part in re.split(r"\n\s*\n", text.strip("\n")):
        kept = part.lstrip().startswith("\b")
        words = [line.strip() for line in part.replace("\b", "").splitlines() if line.strip()]
        shown = [_text(line) for line in words] if kept else [_text(" ".join(words))]
        lines += [".PP", *([".nf", *shown, ".fi"] if kept else shown)]
    return lines


def _text(words: str) -> str:
    """Text that troff shows as it is."""
    escaped = words.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped[:1] in (".", "'") else escaped
