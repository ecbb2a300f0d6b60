"""What a tool is, and the arguments that several have in common."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from marianne.cli.errors import CliError
from marianne.cli.render.out import json_text
from marianne.cli.session import Session
from marianne.mcp.messages import Map

ANSWER_BYTES: Final = 100_000
"""Of JSON in one answer, about: what does not fit is asked for by its cursor."""

MOST_SECONDS: Final = 300
"""A call waits no longer: clients give up after a while, and ask again."""

Play = Callable[[Session, Map, threading.Event], Map]
"""Does what the tool is for. When the event is set the answer is wanted at once, or not at all."""


class Tool(NamedTuple):
    """A tool, as clients are told of it, and what it does.

    ``changes`` says that it changes something: it is there with ``--write`` alone. ``destroys``
    says that what it does may not be undone, ``again`` that doing it twice is as doing it once.
    """

    name: str
    title: str
    description: str
    properties: Map
    play: Play
    required: Sequence[str] = ()
    changes: bool = False
    destroys: bool = False
    again: bool = True

    @property
    def schema(self) -> Map:
        """The JSON schema of its arguments."""
        schema: Map = {"type": "object", "properties": self.properties}
        if self.required:
            schema["required"] = list(self.required)
        return {**schema, "additionalProperties": False}

    def to_map(self) -> Map:
        """As ``tools/list`` tells it."""
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "inputSchema": self.schema,
            "annotations": {
                "title": self.title,
                "readOnlyHint": not self.changes,
                "destructiveHint": self.destroys,
                "idempotentHint": self.again,
                "openWorldHint": self.changes and not self.again,
            },
        }


def text(description: str, **more: Any) -> Map:
    """A text that is not empty."""
    return {"type": "string", "minLength": 1, "description": description, **more}


def number(description: str, low: int, high: int, **more: Any) -> Map:
    """A whole number from ``low`` to ``high``."""
    bounds = {"minimum": low, "maximum": high}
    return {"type": "integer", **bounds, "description": description, **more}


def flag(description: str) -> Map:
    """Yes or no; no if it is left away."""
    return {"type": "boolean", "default": False, "description": description}


JOB: Final = text("A job's id, or the beginning of it if no other job's begins so.")
SHEET: Final = {"type": ["string", "integer"], "description": "A sheet's name or number."}
CURSOR: Final = text("The next_cursor of the answer before: what comes after that.")
VARIABLES: Final = {
    "type": "object",
    "additionalProperties": {"type": ["string", "integer", "number", "boolean"]},
    "description": "The score's variables by name; every value becomes a text.",
}


def plain(variables: Map) -> dict[str, str]:
    """Values as they are written after ``--var``."""
    words = {True: "true", False: "false"}
    return {k: words[v] if isinstance(v, bool) else str(v) for k, v in variables.items()}


def fitting(items: Sequence[Any]) -> int:
    """How many of these fit into one answer; at least one, where there is one."""
    left = ANSWER_BYTES
    for count, item in enumerate(items):
        left -= len(json_text(item))
        if left < 0:
            return max(1, count)
    return len(items)


def row_cursor(arguments: Map, default: int) -> int:
    """The cursor of an answer that goes by numbers."""
    given = arguments.get("cursor")
    if given is None:
        return default
    if not (given.isascii() and given.isdigit() and len(given) < 19):
        raise bad_cursor(given)
    return int(given)


def bad_cursor(given: str) -> CliError:
    """A cursor that no answer had."""
    hint = "give the next_cursor of the answer before as it is, or none to begin at the beginning"
    return CliError("invalid_params", f"{given!r:.80} is no cursor of this tool", hint)
