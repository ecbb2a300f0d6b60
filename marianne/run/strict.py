"""Which command ended a strict script, in words.

bash reads ``prelude.bash`` before the script (BASH_ENV), and that sets an ERR trap which writes
down what failed. It costs nothing until then. Where the script has a trap of its own or does not
end by ``-e``, nothing is written, and nothing is said here; neither where it fails inside of a
function and could see that the trap holds there.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from marianne.model.plan import Instrument
from marianne.records import dataclass
from marianne.regular_file import read_regular
from marianne.run.outputs import Files
from marianne.score.redact import redact

if TYPE_CHECKING:
    from marianne.score.script_lines import Script
    from marianne.score.shell_commands import Pipeline

_HERE = os.path.dirname(os.path.abspath(__file__))
PRELUDE = os.path.join(_HERE, "prelude.bash")
IN_FUNCTIONS = os.path.join(_HERE, "prelude_functions.bash")
MAX_COMMAND = 80
"""Characters of a command in a message."""

MAX_SCRIPT, MAX_TRAPPED = 2**20, 2**16
"""Bytes of a script, and of what the trap wrote, that are looked at."""

_FUNCTION = re.compile(r"\(\s*\)|\bfunction\s")
# What lets a script see `set -E`: a trap of its own, or of a file that it reads, and its options.
_LOOKS = re.compile(
    r"\bERR\b|\berrtrace\b|\$-|\$\{-|\bSHELLOPTS\b|\bshopt\b|\bset [-+]o\s*(?:$|[;&|])"
    r"|(?:^|[\s;&|({])(?:source|\.)\s|\beval\b",
    re.MULTILINE,
)

# With these bash reads no BASH_ENV, or another one.
_IN_THE_WAY = ("BASH_ENV", "POSIXLY_CORRECT", "SHELLOPTS")


@dataclass(frozen=True, slots=True)
class Trapped:
    """What the trap wrote: the exit code and line of what failed, the exit codes of its pipeline,
    what bash calls the command, and the file that it stands in, if it is not the script's."""

    code: int
    line: int
    statuses: tuple[int, ...]
    command: str
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """The command that failed and its line in the script, as far as they are sure; ``hidden`` says
    that only ``pipefail`` makes it count."""

    command: str | None
    line: int | None
    hidden: bool = False


def watched(instrument: Instrument, env: Mapping[str, str], script: str) -> dict[str, str]:
    """What a script's environment has more, so that its end is written down."""
    command = instrument.command
    fits = command["executable"] == "bash" and command["prompt_via_file"]
    if not fits or any(name in env for name in _IN_THE_WAY):
        return {}
    deep = _FUNCTION.search(script) is not None and _LOOKS.search(script) is None
    return {"BASH_ENV": IN_FUNCTIONS if deep else PRELUDE}


def reason(files: Files, code: int, script: Script, said: str = "") -> str:
    """`` from `grep x f` (score.yaml:7; pipefail is on)``, to come after "Exit code 1"; empty where
    nothing is known. ``said`` is what comes after it: a place that it names is not named twice.

    Takes what the trap wrote away.
    """
    trapped = _take(files)
    if trapped is None or trapped.code != code:
        return ""
    where = []
    if trapped.source is not None:
        cause = Cause(trapped.command, None)
        where = [f"{os.path.basename(trapped.source)}:{trapped.line}"]
    else:
        cause = find_cause(trapped, rendered := _script(files.prompt))
        if cause.line is not None:
            where = [script.place(rendered, cause.line)]
    if where and said.startswith(f"{where[0]}: "):
        where = []
    where += ["pipefail is on"] if cause.hidden else []
    after = f" ({'; '.join(where)})" if where else ""
    if cause.command is None:
        return after
    command = f"`{redact(_short(cause.command))}`"
    ended = _signal_of(code)
    return f": {command} was ended by {ended}{after}" if ended else f" from {command}{after}"


def find_cause(trapped: Trapped, script: str) -> Cause:
    """Which of the script's commands it was."""
    at, statuses = trapped.line, trapped.statuses
    around = [found for found in _pipelines(script) if found.line <= at <= found.last_line]
    if len(statuses) < 2:
        return _simple(trapped, around, script)
    index = max((i for i, status in enumerate(statuses) if status == trapped.code), default=None)
    if index is None:
        return Cause(None, None)
    hidden = statuses[-1] != trapped.code
    same = [found.commands[index] for found in around if len(found.commands) == len(statuses)]
    if len({command.text for command in same}) == 1:
        return Cause(same[0].text, same[0].line, hidden)
    last = index == len(statuses) - 1
    return Cause(trapped.command if last else None, at if same else None, hidden)


def _simple(trapped: Trapped, around: list[Pipeline], script: str) -> Cause:
    """What failed by itself, where the line of the script has it."""
    first = _first(trapped.command)
    alone = [found.commands[0] for found in around if len(found.commands) == 1]
    if first.startswith("("):  # bash has the line that it ends on, and its commands are inside
        choices = [[command for command in alone if command.text.startswith("(")]]
    else:
        simple = [command for command in alone if command.words or command.assignments]
        choices = [[command for command in simple if _first(command.text) == first], simple]
    for found in choices:
        if len({command.text for command in found}) == 1:
            return Cause(found[0].text, found[0].line)
    lines = script.split("\n")
    written = lines[trapped.line - 1] if 0 < trapped.line <= len(lines) else ""
    return Cause(trapped.command or None, trapped.line if first and first in written else None)


def _first(command: str) -> str:
    return (command.split(None, 1) or [""])[0]


def _pipelines(script: str) -> list[Pipeline]:
    from marianne.score.shell_commands import pipelines
    from marianne.score.shell_tokens import UnsureError

    try:
        return pipelines(script)
    except UnsureError:
        return []


def _take(files: Files) -> Trapped | None:
    try:
        data = read_regular(files.trap, MAX_TRAPPED)
    except OSError:
        return None
    with suppress(OSError):
        os.unlink(files.trap)
    parts = data.decode("utf-8", "replace").split("\0")
    try:
        code, line, statuses, command, source = parts[:5]
        codes = tuple(map(int, statuses.split()))
        elsewhere = None if source == files.prompt else source
        return Trapped(int(code), int(line), codes, command, elsewhere)
    except ValueError:
        return None


def _script(path: str) -> str:
    try:
        return read_regular(path, MAX_SCRIPT).decode("utf-8", "replace")
    except OSError:
        return ""


def _short(command: str) -> str:
    text = " ".join(command.split())
    return text if len(text) <= MAX_COMMAND else text[: MAX_COMMAND - 1] + "…"


def _signal_of(code: int) -> str | None:
    try:
        return signal.Signals(code - 128).name if code > 128 else None
    except ValueError:
        return None
