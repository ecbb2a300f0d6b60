"""Reading a document all of whose problems are told at once.

A model stops at the first layer of what is wrong: a section with a wrong value is not looked at as
a whole, and nothing behind the model at all. So what is wrong is told, replaced by something
harmless, and the document is read again. What a replacement makes wrong is not told.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import field
from typing import Any, Generic, Literal, TypeVar, get_origin

from pydantic import BaseModel, ValidationError

from marianne.model.document import Document, PathPart
from marianne.model.errors import MAX_PROBLEMS, Problem
from marianne.model.fields import Section
from marianne.model.problems import Wrong, meant_key, model_at, problems_of
from marianne.records import dataclass

M = TypeVar("M", bound=BaseModel)

ROUNDS = 8
"""Layers that are looked at: each replaces what the one before found."""

Path = tuple[PathPart, ...]


@dataclass(slots=True)
class Reading(Generic[M]):
    """A document as its model, and what is wrong with it.

    ``value`` is None where too much is wrong to go on. ``unsure`` are the places of values that
    were replaced in it: what is found wrong there, or because of them, means nothing.
    """

    value: M | None = None
    problems: dict[Problem, None] = field(default_factory=dict)
    more: int = 0
    unsure: set[Path] = field(default_factory=set)


def read(model: type[M], document: Document) -> Reading[M]:
    """The document as the model reads it, with whatever does not fit replaced."""
    reading: Reading[M] = Reading()
    puzzling: set[Path] = set()
    data = document.data
    for _ in range(ROUNDS):
        try:
            reading.value = model.model_validate(data)
            break
        except ValidationError as error:
            count = error.error_count()
            found = problems_of(model, document, data, error)
        new = [one for one in found if not _follows(one, reading.unsure, puzzling)]
        reading.problems |= dict.fromkeys(one.problem for one in new)
        reading.more += max(0, count - MAX_PROBLEMS)
        if count > MAX_PROBLEMS:
            break
        if data is document.data:
            data = copy.deepcopy(data)
        for one in found:
            # What another one has taken away need not be replaced, and is seen again if it is not.
            with suppress(KeyError, IndexError, TypeError):
                _mend(model, document, data, one, reading.unsure)
            if one.kind == "extra_forbidden" and one.path in reading.unsure:
                puzzling.add(one.path[:-1])
    return reading


def within(path: Sequence[PathPart], places: Iterable[Path]) -> bool:
    """Whether the path is one of the places, or inside of one."""
    whole = tuple(path)
    return any(whole[: len(place)] == place for place in places)


def _follows(wrong: Wrong, unsure: set[Path], puzzling: set[Path]) -> bool:
    """Whether this may be so only because of what was replaced: it is there, or speaks of it, or
    of a section in which a key means nobody knows what."""
    return (
        within(wrong.path, unsure)
        or wrong.path in puzzling
        or any(
            place[:-1] == wrong.path and str(place[-1]) in wrong.problem.message for place in unsure
        )
    )


def _mend(
    model: type[BaseModel], document: Document, data: Any, wrong: Wrong, unsure: set[Path]
) -> None:
    path, kind = wrong.path, wrong.kind
    if not path:
        raise KeyError(path)
    parent = _at(data, path[:-1])
    key: Any = path[-1]
    if kind == "extra_forbidden":
        value = parent.pop(key)
        meant = meant_key(model, path)
        if meant is not None and meant not in parent:
            parent[meant] = value
            document.meant[*path[:-1], meant] = key
        else:
            unsure.add(path)
    elif kind == "missing":
        _supply(model, data, path, parent, unsure)
    elif kind == "string_type" and isinstance(parent[key], (int, float)):
        parent[key] = str(parent[key])
        unsure.add(path)
    elif kind == "list_type" and isinstance(parent[key], (int, str)):
        parent[key] = [parent[key]]
        unsure.add(path)
    else:
        _remove(model, data, path, unsure)


def _supply(model: type[BaseModel], data: Any, path: Path, parent: Any, unsure: set[Path]) -> None:
    """Something for a key that is required."""
    found = model_at(model, path[:-1])
    name = str(path[-1])
    annotation = found.model_fields[name].annotation if found is not None else str
    if get_origin(annotation) is Literal and len(path) > 1:
        _remove(model, data, path[:-1], unsure)  # what it is decides what else it needs
        return
    unsure.add(path)
    if annotation is str:
        parent[name] = f"unnamed-{len(unsure)}"
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        parent[name] = {}
    else:
        parent[name] = 1


def _remove(model: type[BaseModel], data: Any, path: Path, unsure: set[Path]) -> None:
    """Without the value; in a list something takes its place, or the list goes."""
    parent, key = _at(data, path[:-1]), path[-1]
    if not isinstance(parent, list):
        del parent[key]
        unsure.add(path)
        return
    assert isinstance(key, int)
    section = model_at(model, path)
    if section is None or not issubclass(section, Section) or not section.stand_in:
        _remove(model, data, path[:-1], unsure)
        return
    old = parent[key]
    if not isinstance(old, dict):
        unsure.add(path)
        old = {}
    kept = {name: old[name] for name in section.kept if name in old}
    parent[key] = {**kept, **section.stand_in}
    names = {*old, *section.kept, *section.stand_in}
    unsure.update((*path, name) for name in names - kept.keys())


def _at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data
