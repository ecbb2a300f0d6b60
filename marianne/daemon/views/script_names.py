"""What bash says of a sheet's script, with the lines of the score instead of a file of ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from marianne.model.plan import Plan
from marianne.regular_file import read_regular
from marianne.score.script_lines import Script

MAX_SCRIPT = 1 << 20


def readable(said: bytes, prompt: Path, num: int, plan: Callable[[], Plan]) -> bytes:
    """A piece of a sheet's error stream as its author reads it; ``plan`` is asked if need be."""
    path = str(prompt)
    if path.encode() not in said:
        return said
    job = plan()
    script = Script.of(job, job.sheet(num))
    if script is None:
        return said
    try:
        rendered = read_regular(path, MAX_SCRIPT).decode("utf-8", "replace")
    except OSError:
        return said
    text = said.decode("utf-8", "surrogateescape")
    return script.named(text, path, rendered).encode("utf-8", "surrogateescape")
