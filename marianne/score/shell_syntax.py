"""What bash says of scripts that it only reads: many at once, since a process for each is slow.

A function in the environment is read by bash as it starts, and never called. So all scripts go to
one process as functions (10,000 in 0.3 s; `bash -n` for each: 20 s), and what it refuses is read
again by a `bash -n` of its own, whose word counts. Nothing of a script is ever executed.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence

from marianne.records import dataclass

MAX_SCRIPT = 100_000
"""Characters: the kernel takes no longer text in an environment; longer scripts are read alone."""

MAX_BATCH = 400_000
"""Bytes of all the scripts of a process, within what the kernel takes under an everyday limit."""

MAX_ALONE = 100
"""Scripts that are read alone; of more broken ones nobody wants to hear at once."""

SECONDS = 20.0
_CANARY = "broken"
_REFUSED = re.compile(r"importing function definition for [`'](\w+)'")
_SAID = re.compile(r"^\S*: (?:line (\d+): )?(.*)$")
_LEAVES = re.compile(r"^\s*(?:exit|exec)\b")
_HERE_DOCUMENT = re.compile(r"warning: here-document at line (\d+) delimited by end-of-file (.*)")

_HINTS = (
    ("unexpected EOF while looking for", "it is opened on this line or before, and not closed"),
    ("unexpected end of file", "an if, for, while, case, { or ( is not closed"),
    ("here-document", "its last word must stand alone on a line, with nothing before or after"),
    ("conditional expression", "[[ … ]] takes words with spaces around each"),
    ("token `('", "put text with brackets in quotes"),
    ("token `)'", "put text with brackets in quotes, or look for what is opened before"),
    ("token `newline'", "something is missing at the end of this line"),
)
_ELSE = "look at this line and the one before it"


@dataclass(frozen=True, slots=True)
class Fault:
    """What bash cannot read: the 1-based line of the script, its words, and what to do. One that is
    not ``fatal`` does not keep it from running."""

    line: int
    message: str
    hint: str
    fatal: bool = True


def faults(scripts: Sequence[str], search_path: str | None = None) -> dict[int, Fault]:
    """What is wrong with which of the scripts, by index. ``search_path`` is where bash is found.

    Empty where there is no bash: that is another matter. Of more than MAX_ALONE broken ones the
    first are told.
    """
    found: dict[int, Fault] = {}
    bash = _Bash(search_path)
    alone = 0
    try:
        for index in _suspects(bash, scripts):
            alone += 1
            fault = bash.fault(scripts[index])
            if fault is not None:
                found[index] = fault
            if alone >= MAX_ALONE:
                break
    except (OSError, subprocess.SubprocessError):
        return found
    return found


def _suspects(bash: _Bash, scripts: Sequence[str]) -> Iterator[int]:
    """The scripts that may be broken: all that are, and a few that are not."""
    batch: list[int] = []
    size = 0
    for index, text in enumerate(scripts):
        if len(text) > MAX_SCRIPT or "\0" in text:
            yield index
            continue
        if size + len(text) > MAX_BATCH:
            yield from bash.refused(scripts, batch)
            batch, size = [], 0
        batch.append(index)
        size += len(text.encode("utf-8", "surrogateescape")) + 50
    yield from bash.refused(scripts, batch)


class _Bash:
    def __init__(self, search_path: str | None) -> None:
        self._env = {"PATH": search_path or os.environ.get("PATH", os.defpath), "LC_ALL": "C"}

    def refused(self, scripts: Sequence[str], batch: Sequence[int]) -> Sequence[int]:
        """Those of the batch that cannot be read as the body of a function; all, where this bash
        takes no functions from its environment."""
        if not batch:
            return ()
        env = {f"BASH_FUNC_s{index}%%": f"() {{(:\n{scripts[index]}\n)}}" for index in batch}
        env[f"BASH_FUNC_{_CANARY}%%"] = "() { ( }"
        said = self._run(["-c", ":"], self._env | env)
        names = set(_REFUSED.findall(said))
        if _CANARY not in names:
            return batch
        return [index for index in batch if f"s{index}" in names]

    def fault(self, script: str) -> Fault | None:
        """What `bash -n` says of one script."""
        if "expand_aliases" in script:
            return None  # what it means is known when it runs
        if "\0" in script:
            return _of_nul(script)
        options = ["-O", "extglob"] if "extglob" in script else []
        said = self._run([*options, "-n"], self._env, script)
        for text in said.splitlines():
            match = _SAID.match(text)
            if match is None:
                continue
            message = match[2]
            document = _HERE_DOCUMENT.search(message)
            line = int(document[1] if document else match[1] or 1)
            if document:
                message = f"the here-document that begins here has no end {document[2]}"
            if any(map(_LEAVES.match, script.split("\n")[: line - 1])):
                return None  # what comes after may be anything
            return Fault(line, message, _hint(match[2]), fatal=document is None)
        return None

    def _run(self, options: Sequence[str], env: Mapping[str, str], text: str = "") -> str:
        done = subprocess.run(
            ["bash", "--norc", "--noprofile", *options],
            env=env,
            input=text.encode("utf-8", "surrogateescape"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=SECONDS,
            check=False,
        )
        return done.stderr.decode("utf-8", "replace")


def _of_nul(script: str) -> Fault:
    """In its first line it makes the file a program to bash, which it refuses; elsewhere bash
    leaves it out."""
    line = script.count("\n", 0, script.index("\0")) + 1
    message = "cannot execute binary file" if line == 1 else "the NUL here is left out"
    return Fault(line, message, "no NUL can be in a script", fatal=line == 1)


def _hint(message: str) -> str:
    return next((hint for words, hint in _HINTS if words in message), _ELSE)
