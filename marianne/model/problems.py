"""What pydantic found wrong, as problems with a place in the file and a hint."""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from marianne.model.document import Document, PathPart
from marianne.model.errors import MAX_PROBLEMS, Problem, ScoreError, did_you_mean, nearest
from marianne.model.fields import Section
from marianne.records import dataclass

M = TypeVar("M", bound=BaseModel)

_PLAIN = {
    "missing": "is required",
    "extra_forbidden": "unknown key",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "dict_type": "must be a map",
    "model_type": "must be a map",
    "list_type": "must be a list",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}

# What other tools call what is meant here, where the spelling gives no hint.
ELSEWHERE = {
    "depends_on": "needs",
    "dependencies": "needs",
    "depends": "needs",
    "after": "needs",
    "command": "run",
    "cmd": "run",
    "script": "run",
    "shell": "run",
    "checks": "validate",
    "assert": "validate",
    "foreach": "each",
    "with_items": "each",
    "replicas": "fan_out",
    "if": "skip_when",
    "when": "skip_when",
    "agent": "instrument",
    "steps": "sheets",
    "tasks": "sheets",
    "jobs": "sheets",
    "vars": "variables",
    "workdir": "workspace",
    "concurrency": "parallel",
}


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that does not fit the model: where in the data, and pydantic's name of its kind."""

    path: tuple[PathPart, ...]
    kind: str
    problem: Problem


def validate(model: type[M], document: Document) -> M:
    """The document as ``model``; ScoreError with everything that does not fit it."""
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        more = max(0, error.error_count() - MAX_PROBLEMS)
        found = problems_of(model, document, document.data, error)
        raise ScoreError(dict.fromkeys(wrong.problem for wrong in found), more) from None


def problems_of(
    model: type[BaseModel], document: Document, data: Any, error: ValidationError
) -> list[Wrong]:
    """What the model found wrong with ``data``, at most MAX_PROBLEMS, with places in the text.

    ``data`` is the document's, or the same with values replaced.
    """
    found: list[Wrong] = []
    misspelt: set[tuple[PathPart, ...]] = set()
    untyped: list[tuple[Wrong, tuple[PathPart, ...]]] = []
    for item in error.errors(include_url=False)[:MAX_PROBLEMS]:
        kind = item["type"]
        path = tuple(_real_path(data, item["loc"], missing=kind == "missing"))
        message = _PLAIN.get(kind) or _message(item["msg"])
        hint = _hint(model, path, item, document)
        problem = document.problem(path, message, hint, key=kind == "extra_forbidden")
        found.append(Wrong(path, kind, problem))
        if _types(model, path[:-1]):
            if kind == "extra_forbidden" and hint:
                misspelt.add(path[:-1])
            elif kind == "missing":
                untyped.append((found[-1], path[:-1]))
    # A rule whose one key is misspelt lacks its type as well, which would only confuse.
    confusing = [wrong for wrong, section in untyped if section in misspelt]
    return [wrong for wrong in found if wrong not in confusing]


def _hint(
    model: type[BaseModel], path: Sequence[PathPart], item: ErrorDetails, document: Document
) -> str | None:
    """What its author most likely meant."""
    kind, value = item["type"], item["input"]
    last = path[-1] if path else ""
    if kind == "extra_forbidden":
        return _other_key(model, path)
    if kind == "missing" and last == "type" and _types(model, path[:-1]):
        return f"one of {', '.join(_types(model, path[:-1]))}"
    if kind == "string_type" and isinstance(value, (int, float)):
        return _quoted(value, document.written(path))
    if kind == "string_type" and isinstance(value, dict) and len(value) == 1:
        return "put the text in quotes: it has a ': ' in it"
    if kind == "model_type" and isinstance(value, int) and last == "retry":
        return f"write {{max_retries: {value}}}"
    if kind == "list_type" and isinstance(value, (str, int)):
        return f"write [{value}]"
    if kind == "literal_error" and isinstance(value, str):
        return did_you_mean(value, str(item.get("ctx", {}).get("expected", "")).split("'"))
    if value is None and kind.endswith("_type"):
        return "nothing is written here: give a value or remove the key"
    if kind == "model_type" and isinstance(value, str):
        return "write keys and values, as 'name: …'"
    if kind.endswith(("_parsing", "_than", "_than_equal", "_from_float", "_type")):
        return f"it is '{str(value)[:40]}' here" if isinstance(value, (str, int, float)) else None
    return None


def _quoted(value: float, written: str | None) -> str:
    """How a text is written that YAML takes for something else, such as a name ``on``."""
    read = str(value).lower()
    if written is None or written == read:
        return f"put it in quotes: '{read}'"
    return f"YAML reads {written} as {read}: put it in quotes: '{written}'"


def _other_key(model: type[BaseModel], path: Sequence[PathPart]) -> str | None:
    """A known key for an unknown one: by its spelling, then by its meaning."""
    meant = meant_key(model, path)
    if meant is not None:
        return f"did you mean '{meant}'?"
    return "see 'marianne schema score' for the known keys" if len(path) == 1 else None


def meant_key(model: type[BaseModel], path: Sequence[PathPart]) -> str | None:
    """The known key that an unknown one stands for, most likely."""
    last, known = path[-1], known_keys(model, path[:-1])
    meant = nearest(last, known)
    if meant is None:
        elsewhere = ELSEWHERE.get(nearest(last, ELSEWHERE, 0.8) or "")
        meant = elsewhere if elsewhere in known else None
    return meant or nearest(last, _types(model, path[:-1]))


def _message(text: str) -> str:
    text = text.removeprefix("Value error, ")
    return (text[:1].lower() + text[1:]).replace("input should be ", "must be ")


def _real_path(data: Any, loc: Sequence[PathPart], *, missing: bool) -> list[PathPart]:
    """The location without pydantic's own marks: ``[key]`` and the names of union members."""
    path: list[PathPart] = []
    node = data
    for index, part in enumerate(loc):
        last = index == len(loc) - 1
        if isinstance(node, dict):
            if part in node:
                node = node[part]
            elif isinstance(part, str) and part.isdigit() and int(part) in node:
                node = node[int(part)]
                path.append(int(part))
                continue
            elif not (missing and last):
                continue
        elif isinstance(node, list) and isinstance(part, int) and part < len(node):
            node = node[part]
        else:
            continue
        path.append(part)
    return path


def known_keys(model: type[BaseModel], path: Sequence[PathPart]) -> list[str]:
    """The keys that the model knows at ``path``, as they are written in the file."""
    found = model_at(model, path)
    return [f.alias or name for name, f in found.model_fields.items()] if found else []


def model_at(model: type[BaseModel], path: Sequence[PathPart]) -> type[BaseModel] | None:
    """The model of the section at ``path``, None where there is none."""
    current: Any = model
    for part in path:
        if not _is_model(current):
            return None
        fields = {(field.alias or name): field for name, field in current.model_fields.items()}
        if part in fields:
            current = _inner(fields[str(part)].annotation)
    return current if _is_model(current) else None


def _types(model: type[BaseModel], path: Sequence[PathPart]) -> Sequence[str]:
    """What the section at ``path`` may be, if it is one of several."""
    found = model_at(model, path)
    return found.types if found is not None and issubclass(found, Section) else ()


def _is_model(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel)


def _inner(annotation: Any) -> Any:
    """The model inside an optional, a list or a map; the annotation itself without one."""
    origin = get_origin(annotation)
    if origin is None:
        return annotation
    if origin is Annotated:
        return _inner(get_args(annotation)[0])
    if origin in {Union, types.UnionType, list, dict, tuple}:
        for argument in reversed(get_args(annotation)):
            inner = _inner(argument)
            if _is_model(inner):
                return inner
    return annotation
