"""Where in a shell script the value of a name is put: as a word, in quotes, as a command."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

from marianne.records import dataclass
from marianne.score.shell_commands import Command, pipelines
from marianne.score.shell_tokens import UnsureError

Quotes = Literal["bare", "double", "single", "nested"]
Role = Literal["command", "word", "assignment", "redirect"]

_MARK = "qzMARKzq"
_CONTROL = re.compile(r"\{%.*?%\}", re.DOTALL)
_PRINTED = re.compile(r"\{\{\s*([A-Za-z_]\w*)?[^{}]*?\}\}")


@dataclass(frozen=True, slots=True)
class Place:
    """One place of a value: within which quotes, as what, and of which program. ``nested`` is
    inside of ``$( )``, ``${ }`` or backquotes."""

    quotes: Quotes
    role: Role
    program: str


@lru_cache(maxsize=512)
def places(template: str, name: str) -> frozenset[Place] | None:
    """The places of ``{{ name }}`` in the commands of a script; None where it is not followed.

    What is a comment, a here-document or the list of a ``for`` is none.
    """

    def shown(match: re.Match[str]) -> str:
        inside = match[0][2:-2].strip()
        return _MARK if inside == name else "x"

    text = _PRINTED.sub(shown, _CONTROL.sub("", template))
    if _MARK not in text:
        return None
    try:
        found = pipelines(text)
    except UnsureError:
        return None
    return frozenset(place for each in found for command in each.commands for place in _of(command))


def _of(command: Command) -> Iterator[Place]:
    program = command.words[0] if command.words else ""
    parts: list[tuple[Role, str]] = [("assignment", text) for text in command.assignments]
    parts += [("redirect", text) for _, text in command.redirects]
    parts += [("word" if index else "command", text) for index, text in enumerate(command.words)]
    for role, text in parts:
        for quotes in _quotes(text):
            yield Place(quotes, role, program)


def _quotes(word: str) -> Iterator[Quotes]:
    """Of each mark in a word: what quotes it stands in."""
    state: Quotes = "bare"
    at = 0
    while at < len(word):
        if word.startswith(_MARK, at):
            yield state
            at += len(_MARK)
            continue
        char = word[at]
        if state == "nested":
            at += 1
        elif char == "\\" and state != "single":
            at += 2
        elif char == "'" and state != "double":
            state = "bare" if state == "single" else "single"
            at += 1
        elif char == '"' and state != "single":
            state = "bare" if state == "double" else "double"
            at += 1
        else:
            if state != "single" and (char == "`" or word.startswith(("$(", "${", "<(", ">("), at)):
                state = "nested"
            at += 1
