"""No class is asked more than a person can hold in mind at once."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from functools import cached_property
from types import ModuleType

import pytest

from actors import Actor

OURS = ("actors", "ipc", "marianne")
MOST = 25

# Each with the reason why it may be asked more.
LARGER = {
    "marianne.daemon.manager.JobManager": "the documented face, which only delegates",
}


def _modules() -> Iterator[ModuleType]:
    for package in map(importlib.import_module, OURS):
        yield package
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith(".__main__"):
                yield importlib.import_module(found.name)


def _asked(kind: type) -> set[str]:
    """The public methods and properties of a class, with those of our classes above it. What
    every actor is asked is counted at Actor alone."""
    known = set(Actor.__mro__) - {kind}
    return {
        name
        for base in kind.__mro__
        if base.__module__.split(".")[0] in OURS and base not in known
        for name, value in vars(base).items()
        if not name.startswith("_")
        and (inspect.isroutine(value) or isinstance(value, property | cached_property))
    }


class _Many:
    a = b = c = d = lambda self: None

    @property
    def e(self) -> int:
        return 1

    _hidden = f = 5


def test_functions_and_properties_are_counted_and_plain_values_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_Many, "__module__", "marianne.many")
    below = type("Below", (_Many,), {"own": staticmethod(lambda: None), "__module__": "ipc.below"})
    assert _asked(_Many) == set("abcde")
    assert _asked(below) == {*"abcde", "own"}
    assert "send_after" in _asked(Actor)
    assert _asked(type("One", (Actor,), {"tell_me": lambda self: None})) <= {"tell_me"}


@pytest.mark.slow
def test_no_class_has_more_than_25_public_methods() -> None:
    large = {
        f"{kind.__module__}.{kind.__qualname__}": len(asked)
        for module in _modules()
        for kind in vars(module).values()
        if inspect.isclass(kind) and kind.__module__ == module.__name__
        if len(asked := _asked(kind)) > MOST
    }
    assert not {name: number for name, number in large.items() if name not in LARGER}
    assert not set(LARGER) - set(large), "these are small by now: take them off the list"
