"""Whether arguments fit a tool's schema, in words for whoever wrote them. Pure.

Of JSON Schema as much as our own tools say; a library for all of it would cost more than the whole
program's start.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from marianne.cli.errors import CliError
from marianne.mcp.messages import Map

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}
_ARTICLE = {"integer": "an integer", "array": "an array", "object": "an object"}


def check(tool: str, schema: Map, arguments: Map) -> None:
    """Raises CliError ``invalid_params`` that names each argument that does not fit."""
    found = list(_object(schema, arguments))
    if found:
        raise CliError("invalid_params", f"{tool}: {'; '.join(found)}")


def _object(schema: Map, value: Map) -> Iterator[str]:
    properties = schema["properties"]
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{name} is missing ({properties[name]['description']})"
    for name, given in value.items():
        if name not in properties:
            yield f"there is no argument {name!r}; there are {', '.join(properties) or 'none'}"
        else:
            yield from _value(name, properties[name], given)


def _value(name: str, schema: Map, value: Any) -> Iterator[str]:
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(_is(kind, value) for kind in kinds):
        named = " or ".join(_ARTICLE.get(kind, f"a {kind}") for kind in kinds)
        yield f"{name} is {named}, not {value!r:.60}"
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{name} is one of {', '.join(schema['enum'])}, not {value!r:.60}"
    elif isinstance(value, str):
        if len(value) < schema.get("minLength", 0):
            yield f"{name} is empty"
        elif not _is_text(value):
            yield f"{name} has a character that no text can have (NUL, half of a pair)"
    elif isinstance(value, int):
        low, high = schema.get("minimum", value), schema.get("maximum", value)
        if not low <= value <= high:
            yield f"{name} is from {low} to {high}, not {value}"
    elif isinstance(value, list):
        for number, item in enumerate(value, 1):
            yield from _value(f"{name}[{number}]", schema["items"], item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not _is_text(key):
                yield f"{name} has a name that no text can have"
            yield from _value(f"{name}.{key}", schema["additionalProperties"], item)


def _is_text(value: str) -> bool:
    """Whether a file, a program or the conductor can be given it."""
    try:
        return b"\0" not in value.encode("utf-8")
    except UnicodeEncodeError:
        return False


def _is(kind: str, value: Any) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
