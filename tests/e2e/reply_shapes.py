"""Whether an answer is what its type says: each key there, no other, each value of its type."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import (
    Any,
    Literal,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from actors.inspect import TreeNode
from marianne.daemon.api import handlers
from marianne.replies import (
    changes,
    conductor,
    executors,
    groups,
    job,
    metrics,
    reports,
    schedules,
)

NAMES = {
    name: kind
    for module in (job, changes, reports, conductor, executors, groups, schedules, metrics)
    for name, kind in vars(module).items()
    if is_typeddict(kind)
} | {"TreeNode": TreeNode}


def reply_type(method: str) -> Any:
    """What the handler's annotation says that it answers, at once or later."""
    annotation = handlers.find(method).handle.__annotations__["return"]
    return eval(
        annotation.split("Future[", 1)[1][:-1] if "Future[" in annotation else annotation, NAMES
    )


class Shapes:
    """``seen`` are the keys that any answer had, as ``Type.key``."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def problems(self, value: Any, kind: Any, where: str) -> list[str]:
        """What of the value is not as its type says; empty: nothing."""
        origin, args = get_origin(kind), get_args(kind)
        if kind is Any:
            return []
        if origin in (Union, types.UnionType):
            return self._one_of(value, args, where)
        if origin is Literal:
            return [] if value in args else [f"{where}: {value!r} is none of {args}"]
        if origin in (list, dict):
            return self._each(value, origin, args[-1], where)
        if is_typeddict(origin or kind):
            return self._keys(value, kind, where)
        fits = type(value) is kind or (kind is float and type(value) is int)
        fits = fits or (value is None and kind is type(None))
        return [] if fits else [f"{where}: {value!r:.40} is no {kind}"]

    def _one_of(self, value: Any, kinds: tuple[Any, ...], where: str) -> list[str]:
        found: list[str] = []
        for kind in kinds:
            alone = Shapes()
            found = alone.problems(value, kind, where)
            if not found:
                self.seen |= alone.seen
                break
        return found

    def _each(self, value: Any, outer: type, inner: Any, where: str) -> list[str]:
        if type(value) is not outer:
            return [f"{where}: {value!r:.40} is no {outer}"]
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [one for key, item in items for one in self.problems(item, inner, f"{where}.{key}")]

    def _keys(self, value: Any, kind: Any, where: str) -> list[str]:
        if type(value) is not dict:
            return [f"{where}: {value!r:.40} is no {kind}"]
        keys = dict(keys_of(kind))
        found = [f"{where}: has {key}, which its type does not know" for key in value.keys() - keys]
        for key, (hint, needed) in keys.items():
            if key in value:
                self.seen.add(f"{(get_origin(kind) or kind).__name__}.{key}")
                found += self.problems(value[key], hint, f"{where}.{key}")
            elif needed:
                found.append(f"{where}: has no {key}")
        return found


def keys_of(kind: Any) -> Iterator[tuple[str, tuple[Any, bool]]]:
    """The keys of a TypedDict, each with its type and whether it must be there."""
    for key, hint in get_type_hints(get_origin(kind) or kind, include_extras=True).items():
        needed = get_origin(hint) is not NotRequired
        hint = hint if needed else get_args(hint)[0]  # noqa: PLW2901
        given = getattr(hint, "__parameters__", ())
        yield key, (hint[get_args(kind)] if given else hint, needed)


def reachable(kind: Any) -> set[str]:
    """Every key of the TypedDicts that an answer of this type may have, as ``Type.key``."""
    found: set[str] = set()
    todo = [kind]
    while todo:
        one = todo.pop()
        todo += get_args(one)
        plain = get_origin(one) or one
        if is_typeddict(plain):
            for key, (hint, _) in keys_of(one):
                if f"{plain.__name__}.{key}" not in found:
                    found.add(f"{plain.__name__}.{key}")
                    todo.append(hint)
    return found
