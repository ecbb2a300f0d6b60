"""The file of ``--param-file``: a map of names and values, in YAML or JSON.

A value is taken as it is written, as that of ``--var`` is: ``1.10`` stays ``1.10``. What type it
has is for the score's ``params`` to say.
"""

from __future__ import annotations

import json
from typing import Any

import yaml

from marianne.cli.errors import CliError
from marianne.regular_file import read_regular

MAX_BYTES = 1 << 20
_HINT = "write a map, as 'lines: 100'; a value is text, a number, or true or false"


def read_param_file(path: str) -> dict[str, str]:
    """The values by name. Raises CliError with the line of what is wrong."""
    text = _text(path)
    try:
        found = _of_json(text)
        return _of_yaml(text) if found is None else found
    except _Wrong as wrong:
        place = f"{path}:{wrong.line}" if wrong.line else path
        raise CliError("usage", f"{place}: {wrong.message}", _HINT) from None


class _Wrong(Exception):  # noqa: N818 - it says what is so
    def __init__(self, message: str, line: int = 0) -> None:
        self.message, self.line = message, line


def _text(path: str) -> str:
    try:
        raw = read_regular(path, MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise CliError("usage", f"{path} is larger than {MAX_BYTES >> 20} MiB")
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CliError("usage", f"{path} is not UTF-8") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise CliError("usage", f"{path} cannot be read: {why}") from None


def _of_json(text: str) -> dict[str, str] | None:
    """None where it is no JSON: then it is YAML, which does not know JSON's tabs."""
    if text.lstrip()[:1] != "{":
        return None
    try:
        found = json.loads(
            text, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_Pairs
        )
    except (json.JSONDecodeError, RecursionError):
        return None
    values: dict[str, str] = {}
    for name, value in found:
        _add(values, name, str(value).lower() if isinstance(value, bool) else value, 0)
    return values


class _Pairs(list[Any]):
    """The pairs of an object, twice where a name stands twice."""


def _of_yaml(text: str) -> dict[str, str]:
    # By its events: nothing is nested here, and what is must not be read to its depth.
    values: dict[str, str] = {}
    name: yaml.Event | None = None
    try:
        for event in yaml.parse(text, Loader=yaml.CBaseLoader):
            if isinstance(event, _AROUND) or (name is None and isinstance(event, _END)):
                continue
            if not values and name is None and isinstance(event, yaml.SequenceStartEvent):
                raise _Wrong("is no map of names and values", _line(event))
            if name is None and isinstance(event, yaml.MappingStartEvent) and not values:
                continue
            if name is None:
                name = event
                continue
            _add(values, _scalar(name), _scalar(event), _line(name))
            name = None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        words = getattr(error, "problem", None) or "is no YAML"
        raise _Wrong(str(words), mark.line + 1 if mark else 0) from None
    if name is not None:
        raise _Wrong("is no map of names and values", _line(name))
    return values


_AROUND = (yaml.StreamStartEvent, yaml.StreamEndEvent, yaml.DocumentStartEvent)
_END = (yaml.MappingEndEvent, yaml.DocumentEndEvent)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def _scalar(event: yaml.Event) -> str | None:
    """The text as it is written; None for nothing, and for a list or a map."""
    if not isinstance(event, yaml.ScalarEvent):
        return None
    text = str(event.value)
    return None if text in {"", "~", "null"} and not event.style else text


def _add(values: dict[str, str], name: object, value: object, line: int) -> None:
    if not isinstance(name, str) or not name.isidentifier():
        raise _Wrong(f"{str(name)[:100]!r} is no name of a variable", line)
    if name in values:
        raise _Wrong(f"'{name}' stands twice", line)
    if not isinstance(value, str):
        raise _Wrong(f"'{name}' has no value, or one that is a list or a map", line)
    values[name] = value
