"""Putting a configuration together from its sources, and saying what is wrong with which.

Imported only when a source exists: most conductors run on the defaults.
"""

from __future__ import annotations

import json
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from marianne.daemon.config import variable_of
from marianne.daemon.config.inert import AS_IT_IS, reason
from marianne.daemon.config.model import DaemonConfig
from marianne.daemon.config.secret import SECRETIVE
from marianne.daemon.config.sections import LONGEST_SECONDS, MOST
from marianne.daemon.shared.exceptions import ConfigError, ConfigProblem
from marianne.model.document import Document, render_path
from marianne.model.errors import ScoreError, did_you_mean
from marianne.model.problems import known_keys, model_at
from marianne.records import dataclass
from marianne.regular_file import read_regular

MAX_BYTES = 2**20

_Path = tuple[str | int, ...]

_WRONG_TYPE = {
    "missing": "is required",
    "extra_forbidden": "unknown key",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "path_type": "must be a path",
    "model_type": "must be a map of settings",
    "dict_type": "must be a map",
    "list_type": "must be a list",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}


@dataclass(frozen=True, slots=True)
class Layer:
    """What one source sets; a later layer wins. ``document`` is the file that it came from.

    A file's and a profile's values are nested, those of the environment and of flags are by
    dotted name.
    """

    origin: str
    values: Mapping[str, Any]
    document: Document | None = None


@dataclass(slots=True)
class Setters:
    """Which layer set the value at each path."""

    by_path: dict[_Path, Layer] = field(default_factory=dict)

    def at(self, path: Sequence[str | int]) -> Layer | None:
        """The layer that set the value at ``path``, or last set something in it or around it."""
        whole = tuple(path)
        inside = [p for p in self.by_path if p[: len(whole)] == whole]
        if inside:
            return self.by_path[inside[-1]]
        around = [p for p in self.by_path if whole[: len(p)] == p]
        return self.by_path[max(around, key=len)] if around else None


def read(file: Path) -> Layer:
    """The layer of a configuration file. ConfigError if it cannot be read or is no map."""
    source = str(file)
    try:
        raw = read_regular(source, MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise ConfigError([ConfigProblem(source, f"larger than {MAX_BYTES:,} bytes")])
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError([ConfigProblem(source, "is not written in UTF-8")]) from None
    except OSError as error:
        hint = "name a file that you can read, or leave it out to run on the defaults"
        problem = ConfigProblem(source, f"cannot be read: {error.strerror}", hint=hint)
        raise ConfigError([problem]) from None
    if all(not line.strip() or line.lstrip().startswith("#") for line in text.splitlines()):
        return Layer("file", {})
    try:
        document = Document(text, source)
    except ScoreError as error:
        raise ConfigError(
            ConfigProblem(source, p.message, p.path, p.line, p.column, _reworded(p.hint))
            for p in error.problems
        ) from None
    if document.data is None:
        return Layer("file", {})
    if not isinstance(document.data, dict):
        line, column = document.locate(())
        problem = ConfigProblem(source, "must be a map of settings", "", line, column, _SCHEMA)
        raise ConfigError([problem])
    return Layer("file", document.data, document)


def profile(name: str, profiles: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The values of a profile. ConfigError for a name that is none."""
    if name in profiles:
        return profiles[name]
    hint = did_you_mean(name, profiles)
    message = f"no profile '{name}'; there are {', '.join(sorted(profiles))}"
    raise ConfigError([ConfigProblem("profile", message, hint=hint)])


def merge(layers: Sequence[Layer]) -> tuple[DaemonConfig, Setters]:
    """The configuration of all layers, the last one first. ConfigError with all that is wrong."""
    merged: dict[Any, Any] = {}
    setters = Setters()
    for layer in layers:
        for path, value in _paths(layer):
            if _put(merged, path, value):
                setters.by_path.pop(path, None)
                setters.by_path[path] = layer
    try:
        return DaemonConfig.model_validate(merged), setters
    except ValidationError as error:
        found = [_problem(item, setters) for item in error.errors(include_url=False)]
        raise ConfigError(sorted(found, key=lambda p: (p.source, p.line, p.column))) from None


def origin(name: str, setters: Setters) -> str:
    """Where the value of this dotted name comes from."""
    path = tuple(name.split("."))
    inside = [p for p in setters.by_path if p[: len(path)] == path]
    return setters.by_path[inside[-1]].origin if inside else "default"


def notes(config: DaemonConfig, setters: Setters) -> tuple[str, ...]:
    """One line for each setting, of a person's own, that changes nothing: where it stands, why."""
    found: dict[str, str] = {}
    values = dict(config.values())
    for path, layer in setters.by_path.items():
        dotted = render_path(path)
        inert = reason(dotted)
        so_anyway = dotted in AS_IT_IS and values.get(dotted) == AS_IT_IS[dotted]
        if inert is None or so_anyway or layer.origin == "profile":
            continue
        name, why = inert
        place = _source(dotted, layer)
        if layer.document is not None:
            line, _ = layer.document.locate(name.split("."), key=True)
            place = f"{layer.document.file}:{line}"
        found.setdefault(name, f"{place}: {name}: accepted, no effect ({why})")
    return tuple(found.values())


_SCHEMA = "'marianne schema config' prints the known keys"


def _reworded(hint: str | None) -> str | None:
    return hint.replace("a score", "a configuration") if hint else None


def _paths(layer: Layer) -> Iterator[tuple[_Path, Any]]:
    """Every value of a layer by its path."""
    if layer.origin in ("env", "flag"):
        for name, value in layer.values.items():
            yield (
                tuple(name.split(".")),
                _typed(name, value) if layer.origin == "env" else value,
            )
    else:
        yield from _leaves(layer.values, ())


def _leaves(values: Mapping[Any, Any], prefix: _Path) -> Iterator[tuple[_Path, Any]]:
    for key, value in values.items():
        path = (*prefix, key)
        if value is None and model_at(DaemonConfig, path) is not None:
            continue  # a section whose settings are all commented out
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, path)
        else:
            yield path, value


def _put(merged: dict[Any, Any], path: _Path, value: Any) -> bool:
    """Sets a value; False where something that is no map is in the way, which is wrong anyway."""
    node = merged
    for part in path[:-1]:
        node = node.setdefault(part, {})
        if not isinstance(node, dict):
            return False
    if isinstance(value, Mapping) and not value and isinstance(node.get(path[-1]), dict):
        return False
    node[path[-1]] = value
    return True


def _typed(name: str, text: str) -> Any:
    """A variable's text as the field takes it: JSON for all but text and paths."""
    info = _field(tuple(name.split(".")))
    if info is None or _takes_text(info.annotation):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _takes_text(annotation: Any) -> bool:
    kind = get_origin(annotation)
    if kind is Annotated:
        return _takes_text(get_args(annotation)[0])
    if kind in (Union, types.UnionType):
        return any(map(_takes_text, get_args(annotation)))
    return kind is Literal or annotation in (str, Path)


def _field(path: _Path) -> FieldInfo | None:
    model = model_at(DaemonConfig, path[:-1])
    return model.model_fields.get(str(path[-1])) if model and path else None


def _problem(item: ErrorDetails, setters: Setters) -> ConfigProblem:
    """One thing that pydantic found, at the place where it was set."""
    path: _Path = tuple(part for part in item["loc"] if part != "[key]")
    unknown = item["type"] == "extra_forbidden"
    name = render_path(path)
    hint = _hint(path, item)
    layer = setters.at(path)
    message = _expected(path, item)
    if layer is None or layer.document is None:
        return ConfigProblem(_source(name, layer), message, name, hint=hint)
    line, column = layer.document.locate(path, key=unknown)
    return ConfigProblem(layer.document.file, message, name, line, column, hint)


def _source(name: str, layer: Layer | None) -> str:
    if layer is None:
        return "configuration"
    if layer.origin == "env":
        return f"environment variable {variable_of(name)}"
    return layer.origin


def _expected(path: _Path, item: ErrorDetails) -> str:
    """What was expected and what is there instead."""
    kind, value = item["type"], item["input"]
    if kind in ("extra_forbidden", "missing"):
        return _WRONG_TYPE[kind]
    if kind == "value_error":
        text = item["msg"].removeprefix("Value error, ")
        return text + _not(path, value) if isinstance(value, (str, int)) else text
    if kind == "literal_error":
        return f"must be {item.get('ctx', {}).get('expected', '')}{_not(path, value)}"
    bounds = _bounds(path, too_much=kind.startswith("less"))
    text = _WRONG_TYPE.get(kind, "")
    if kind.startswith(("greater", "less")) and bounds:
        text = f"must be {bounds}"
    elif bounds and text.endswith("number"):
        text = f"{text} {bounds}" if bounds.startswith("from") else f"{text}, {bounds}"
    if not text:
        text = item["msg"][:1].lower() + item["msg"][1:]
    return text if kind.endswith("too_short") else text + _not(path, value)


def _bounds(path: _Path, *, too_much: bool = False) -> str:
    """``from 1 to 50``, ``at least 5``: what the field's own limits say.

    Limits of everything, which nobody means to reach, are only named to whoever did (``too_much``).
    """
    info = _field(path)
    found: dict[str, Any] = {}
    for part in info.metadata if info else ():
        for word in ("ge", "gt", "le", "lt"):
            limit = getattr(part, word, None)
            if limit is not None and (too_much or limit not in (MOST, LONGEST_SECONDS)):
                found[word] = oct(limit) if path[-1] == "permissions" else f"{limit:,}"
    if "ge" in found and "le" in found:
        return f"from {found['ge']} to {found['le']}"
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    return " and ".join(f"{words[word]} {limit}" for word, limit in found.items())


def _hint(path: _Path, item: ErrorDetails) -> str | None:
    kind, value = item["type"], item["input"]
    if kind == "extra_forbidden":
        return _near(path) or _SCHEMA
    if kind == "literal_error" and isinstance(value, str):
        return did_you_mean(value, str(item.get("ctx", {}).get("expected", "")).split("'"))
    if path and path[-1] == "permissions" and isinstance(value, int):
        return f"write 0o{value}, it is octal" if set(str(value)) <= set("01234567") else None
    if value is None and kind.endswith("_type"):
        return "nothing is written here: give a value or remove the key"
    return None


def _near(path: _Path) -> str | None:
    """A known key for an unknown one: beside it, else in another section."""
    hint = did_you_mean(path[-1], known_keys(DaemonConfig, path[:-1]))
    if hint is None:
        for name, section in _sections(DaemonConfig, ""):
            if path[-1] in section.model_fields:
                where = f"in '{name}'" if name else "at the top, in no section"
                return f"'{path[-1]}' belongs {where}"
    return hint


def _sections(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, type[BaseModel]]]:
    yield prefix, model
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _sections(info.annotation, f"{prefix}.{name}".lstrip("."))


def _not(path: _Path, value: Any) -> str:
    """What is there instead, where it can be no secret."""
    if path and path[0] in SECRETIVE:
        return ""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return f", not {text if len(text) <= 60 else f'{text[:57]}...'}"
