"""Where a strict script (`-eu -o pipefail`) is sure to do what its author does not mean.

Better silent than wrong: what is tested, grouped, in a function or not followed is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from marianne.records import dataclass
from marianne.score.shell_commands import Command, Pipeline, pipelines
from marianne.score.shell_tokens import UnsureError

_TWO_WORDS = re.compile(r"""^\s*\w+=["'][^"'\n]*[ \t]""", re.MULTILINE)
_LOOSE = re.compile(r"\bset\s+\+|\bIFS\b")
_ENDLESS = frozenset({"/dev/urandom", "/dev/random", "/dev/zero"})
_READERS = frozenset({"cat", "tr", "base64", "od", "xxd", "hexdump", "strings"})
_CAPTURED = re.compile(r"""([A-Za-z_]\w*)=("?)\$\((?!\()(.*)\)\2""", re.DOTALL)
_COUNTED = re.compile(r"\(\(\s*([A-Za-z_]\w*)(?:\+\+|--)\s*\)\)")
_BARE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})")
_LITERAL = re.compile(r"""([A-Za-z_]\w*)=(?:"([^"$`\\]*)"|'([^']*)')""")


@dataclass(frozen=True, slots=True)
class Trap:
    """What is odd, on which line of the script, and what to write instead."""

    line: int
    message: str


def traps(script: str) -> list[Trap]:
    """What is sure to go wrong in the script, in its order."""
    if not _worth(script) or _LOOSE.search(script):
        return []
    try:
        found = list(_found(script))
    except UnsureError:
        return []
    return sorted(set(found), key=lambda trap: (trap.line, trap.message))


def _worth(script: str) -> bool:
    """Whether anything here may be found at all: most scripts are cut for nothing."""
    return (
        ("head" in script and ("yes" in script or "/dev/" in script))
        or ("grep" in script and ("wc" in script or "-c" in script))
        or ("((" in script and ("++" in script or "--" in script))
        or "-n $" in script
        or _TWO_WORDS.search(script) is not None
    )


def _found(script: str) -> Iterator[Trap]:
    every = pipelines(script)
    values = _values(script, every)
    for each in every:
        if not (each.tested or each.inside):
            yield from _ends(each, every)
            for command in each.commands:
                yield from _captured(command)
        for command in each.commands:
            yield from _unquoted(command, values)


def _captured(command: Command) -> Iterator[Trap]:
    """What ends a script inside of ``x=$( )``, which fails as the last command in it does."""
    if command.words:
        return
    for assignment in command.assignments:
        match = _CAPTURED.fullmatch(assignment)
        if match is None:
            continue
        inner = pipelines(match[3])
        if len(inner) == 1 and not inner[0].tested:
            for trap in _ends(inner[0], inner, counts=True):
                yield Trap(command.line + trap.line - 1, trap.message)


def _ends(pipeline: Pipeline, every: list[Pipeline], *, counts: bool = False) -> Iterator[Trap]:
    """What ends the script though nothing is wrong."""
    *before, last = pipeline.commands
    for command in before:
        if _endless(command) and _program(last) == "head":
            name = command.words[0]
            yield Trap(
                command.line,
                f"`{name}` is ended by SIGPIPE when `head` has enough, and pipefail makes that the"
                f" script's end (141); write {{ {_short(command)} || true; }} | head …",
            )
        if _program(command) == "grep" and _program(last) == "wc":
            yield Trap(
                command.line,
                "where `grep` finds nothing, pipefail ends the script before the 0 of `wc` is of"
                f" use; write {{ {_short(command)} || true; }} | wc …",
            )
    if counts and not before and _program(last) == "grep" and _has_flag(last, "c"):
        yield Trap(
            last.line,
            "where `grep -c` counts 0 it fails, and that ends the script;"
            f" write $({_short(last)} || true)",
        )
    match = _COUNTED.fullmatch(last.text) if not before else None
    if match is not None and _starts_at_zero(match[1], last.line, every):
        name = match[1]
        yield Trap(
            last.line,
            f"(({name}++)) fails while {name} is 0, and that ends the script;"
            f" write {name}=$(({name} + 1))",
        )


def _endless(command: Command) -> bool:
    program = _program(command)
    sources = {*command.words[1:], *(to for kind, to in command.redirects if kind == "<")}
    return program == "yes" or (program in _READERS and bool(sources & _ENDLESS))


def _starts_at_zero(name: str, line: int, every: list[Pipeline]) -> bool:
    """Whether the variable is set to 0 before the line, and to nothing else in between."""
    before = [
        (command.line, assignment)
        for each in every
        for command in each.commands
        for assignment in command.assignments
        if assignment.startswith(f"{name}=") and command.line <= line
    ]
    return bool(before) and max(before)[1] == f"{name}=0"


def _unquoted(command: Command, values: dict[str, str]) -> Iterator[Trap]:
    """Variables without quotes where that is sure to matter."""
    words = command.words
    test = words[:1] == ["["] or words[:1] == ["test"]
    if test and len(words) > 2 and words[1] == "-n" and _BARE.fullmatch(words[2]):
        yield Trap(
            command.line,
            f'[ -n {words[2]} ] is true for an empty {words[2]} too; write [ -n "{words[2]}" ]',
        )
    places = [*(to for kind, to in command.redirects if kind in (">", ">>", "<"))]
    if words[:1] == ["cd"] or test:
        places += words[1:]
    for word in places:
        match = _BARE.fullmatch(word)
        value = values.get(match[1] or match[2]) if match else None
        if value is not None and re.search(r"\S\s+\S", value):
            yield Trap(command.line, f"{word} is '{value}', several words here; write \"{word}\"")


def _values(script: str, every: list[Pipeline]) -> dict[str, str]:
    """The variables that are set once in the script, to a text that is written there."""
    found: dict[str, str] = {}
    for each in every:
        for command in each.commands:
            for assignment in command.assignments:
                match = _LITERAL.fullmatch(assignment)
                if match is not None and not command.words:
                    found[match[1]] = match[2] if match[2] is not None else match[3]
    return {
        name: value
        for name, value in found.items()
        if len(re.findall(rf"\b{name}\b\+?=", script)) == 1
        and not re.search(rf"\b(?:read|for|mapfile|printf -v|getopts)\b[^\n;]*\b{name}\b", script)
    }


def _program(command: Command) -> str:
    return command.words[0] if command.words else ""


def _has_flag(command: Command, flag: str) -> bool:
    return any(re.fullmatch(rf"-[A-Za-z]*{flag}[A-Za-z]*", word) for word in command.words[1:])


def _short(command: Command) -> str:
    text = " ".join(command.text.split())
    return text if len(text) <= 40 else text[:39] + "…"
