"""A command as a score of one sheet: the words are given to the program exactly as they came."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Sequence
from typing import Any

from marianne.state import ids

_TEMPLATE = re.compile(r"\{[{%#]")
_PLAIN = frozenset(range(0x20, 0x7F)) - frozenset(b"\\'{")


def score_of(name: str, words: Sequence[str], timeout: float | None, retries: int | None) -> str:
    """The score: one sheet, which works in the directory that the request comes from.

    Its script does nothing but become the program. JSON is YAML.
    """
    sheet: dict[str, Any] = {"name": "command", "run": f"exec -- {' '.join(map(word, words))}"}
    if timeout is not None:
        sheet["timeout"] = timeout
    if retries is not None:
        sheet["retry"] = {"max_retries": retries}
    score = {"name": name, "workspace": ".", "sheets": [sheet]}
    return json.dumps(score, ensure_ascii=False)


def argv_of(command: Sequence[str]) -> list[str]:
    """What is executed: the words as they are; one word alone is a line for bash."""
    return list(command) if len(command) > 1 else ["bash", "-c", *command]


def name_of(command: Sequence[str]) -> str:
    """What the job is called if nobody says: by the program's name."""
    first = command[0] if len(command) > 1 else (command[0].split() or [""])[0]
    return ids.from_name(os.path.basename(first))


def word(text: str) -> str:
    """A word for bash that stands for exactly these bytes, in which no template and no line of
    YAML can be seen."""
    if text.isprintable() and not _TEMPLATE.search(text):
        return shlex.quote(text)
    bytes_ = os.fsencode(text)
    return "$'" + "".join(chr(b) if b in _PLAIN else f"\\x{b:02x}" for b in bytes_) + "'"
