"""Pages of docs/ whose every command is run: what they say to write is written, what they say to
type is typed, and what they say is printed is compared.

A fenced block that names a language and a file is that file. In a block of the language
``console`` each line that begins with ``$ `` is a command (``> `` goes on with it), and the lines
below it are all that it prints; one that ends in ``# exit code N`` exits so, the others with 0.
All of a page is run in order, in one directory that a person would see as ``/home/you``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
SHOWN = "/home/you"
SECONDS = 120.0

_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"# exit code (\d+)\s*$")
_VARIES = (
    (re.compile(r"\b\d+(\.\d+)?s\b|\b\d+m\d\ds\b"), "0.1s"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?"), "2026-11-28 02:30:00"),
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "12:00:00"),
    (re.compile(r"\bpid \d+"), "pid 4711"),
    (re.compile(r"\d+ MB|\d+\.\d+ s\b"), "some"),
    (re.compile(r"; it waits for [^\n]*"), ""),  # unless that was over already
    (re.compile(r" +"), " "),
)


@dataclass(frozen=True, slots=True)
class Write:
    """A file that a page has its reader write."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Type:
    """A command, and what the page says that it prints. ``span`` is the output's in the page."""

    command: str
    printed: str
    span: tuple[int, int]

    @property
    def code(self) -> int:
        """The exit code that the page says."""
        found = _CODE.search(self.command)
        return int(found[1]) if found else 0


def pages() -> list[Path]:
    """Those that are run."""
    return [DOCS / "tutorial.md", *sorted((DOCS / "howto").glob("*.md"))]


def steps(text: str) -> Iterator[Write | Type]:
    """What a page has its reader do, in order."""
    for block in _BLOCK.finditer(text):
        language, name, body = block.groups()
        if language == "console":
            yield from _typed(body, block.start(3))
        elif name is not None:
            yield Write(name, body)


def _typed(body: str, offset: int) -> Iterator[Type]:
    command: list[str] = []
    begins = ends = 0
    for line in re.finditer(r"^.*\n", body, re.MULTILINE):
        if line[0].startswith("$ ") or (line[0].startswith("> ") and ends == begins):
            if line[0].startswith("$ ") and command:
                yield Type("\n".join(command), body[begins:ends], (offset + begins, offset + ends))
                command = []
            command.append(line[0][2:].rstrip("\n"))
            begins = ends = line.end()
        else:
            ends = line.end()
    if command:
        yield Type("\n".join(command), body[begins:ends], (offset + begins, offset + ends))


def do(step: Write | Type, place: Path, env: Mapping[str, str]) -> tuple[int, str]:
    """Does it; the exit code, and what was printed, as a person in ``/home/you`` would see it."""
    if isinstance(step, Write):
        path = place / step.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(step.text)
        path.chmod(0o755 if step.text.startswith("#!") else 0o644)
        return 0, ""
    done = subprocess.run(
        ["bash", "-uo", "pipefail", "-c", step.command],
        cwd=place,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return done.returncode, done.stdout.replace(str(place), SHOWN)


def environment(place: Path) -> dict[str, str]:
    """A new user's, whose programs are ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MARIANNE")}
    kept.pop("XDG_STATE_HOME", None)
    path = f"{Path(sys.executable).parent}:{kept.get('PATH', '')}"
    return kept | {"HOME": str(place), "PATH": path, "NO_COLOR": "1", "COLUMNS": "100"}


def same(printed: str, said: str) -> bool:
    """Whether they differ in nothing but what differs each time: times, and blanks beside them."""
    return _plain(printed) == _plain(said)


def _plain(text: str) -> list[str]:
    for pattern, one in _VARIES:
        text = pattern.sub(one, text)
    return [line.rstrip() for line in text.splitlines()]


def filled(text: str, place: Path, env: Mapping[str, str]) -> str:
    """The page with what its commands print now."""
    made = list(text)
    found: list[tuple[tuple[int, int], str]] = []
    for step in steps(text):
        code, printed = do(step, place, env)
        if isinstance(step, Type):
            if code != step.code:
                raise SystemExit(f"exit code {code}: {step.command}\n{printed}")
            found.append((step.span, printed))
    for (begins, ends), printed in reversed(found):
        made[begins:ends] = printed if not printed or printed.endswith("\n") else printed + "\n"
    return "".join(made)
