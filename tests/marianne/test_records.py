"""marianne.records makes what dataclasses makes, later."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
from typing import Any

import pytest

from marianne.daemon.boot.conductor import PRELOAD
from marianne.records import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    """Frozen, as most are."""

    x: int
    y: int = 2
    tags: list[str] = dataclasses.field(default_factory=list, compare=False)
    secret: str = dataclasses.field(default="s", repr=False)


@dataclass(slots=True)
class Open:
    """One that changes, with a field that its owner sets and one that is made after the others."""

    given: int
    later: str = dataclasses.field(init=False)
    made: list[int] = dataclasses.field(init=False, default_factory=list)
    double: int = dataclasses.field(init=False, default=0)

    def __post_init__(self) -> None:
        self.double = 2 * self.given


@dataclass(frozen=True)
class Named(Point):
    """A child, without slots, that says itself how it looks."""

    name: str = "n"

    def __repr__(self) -> str:
        return self.name


@dataclass(slots=True, eq=False)
class Alone:
    """Only equal to itself."""

    n: int


def standard(cls: Any, **options: Any) -> Any:
    """The same fields under the standard decorator."""
    fields = [(f.name, f.type, copy.copy(f)) for f in dataclasses.fields(cls)]
    return dataclasses.make_dataclass(cls.__name__, fields, **options)


@pytest.mark.parametrize("args", [(1,), (1, 3), (1, 3, ["a"]), (1, 3, ["a"], "t")])
def test_an_object_looks_and_compares_as_one_of_the_standard_decorator(args: Any) -> None:
    plain = standard(Point, frozen=True, slots=True)
    ours, theirs = Point(*args), plain(*args)
    assert repr(ours) == repr(theirs)
    assert dataclasses.astuple(ours) == dataclasses.astuple(theirs)
    assert (hash(ours) == hash(Point(1, 2))) == (hash(theirs) == hash(plain(1, 2)))
    assert (ours == Point(1)) == (theirs == plain(1))
    assert ours != theirs


def test_names_stand_for_places_and_each_object_gets_a_list_of_its_own() -> None:
    one, other = Point(y=1, x=0), Point(0, 1)
    assert one == other
    assert one.tags is not other.tags


@pytest.mark.parametrize(("args", "names"), [((), {}), ((1, 2, [], "", 5), {}), ((1,), {"z": 1})])
def test_wrong_arguments_are_refused_in_the_words_of_python(args: Any, names: Any) -> None:
    with pytest.raises(TypeError) as theirs:
        standard(Point, frozen=True)(*args, **names)
    for _ in range(2):  # the first call, which compiles, and one after it
        with pytest.raises(TypeError) as ours:
            Point(*args, **names)
        assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize("kind", [Point, Named])
def test_a_frozen_one_refuses_every_change(kind: Any) -> None:
    one = kind(1)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'x'"):
        one.x = 2
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'y'"):
        del one.y
    assert one == kind(1)


@pytest.mark.parametrize("one", [Point(1, tags=["a"]), Named(1, name="m")])
def test_it_is_copied_pickled_and_replaced(one: Any) -> None:
    for same in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert dataclasses.astuple(same) == dataclasses.astuple(one)
        assert type(same) is type(one)
    assert dataclasses.replace(one, x=5).x == 5


def test_what_stands_in_no_argument_is_set_by_the_class() -> None:
    one = Open(4)
    assert (one.double, one.made) == (8, [])
    assert not hasattr(one, "later")
    one.later = "set"
    assert pickle.loads(pickle.dumps(one)) == one
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)


def test_what_the_author_wrote_stays_and_a_parent_is_another_class() -> None:
    assert repr(Named(1, name="m")) == "m"
    assert Named(1) != Point(1)
    assert dataclasses.astuple(Named(1, 2, [], "", "m")) == (1, 2, [], "", "m")


def test_without_equality_each_is_its_own() -> None:
    one = Alone(1)
    assert one in [one]
    assert one != Alone(1)
    assert len({one, Alone(1)}) == 2


def test_one_that_holds_itself_can_be_shown() -> None:
    one = Point(1)
    one.tags.append(one)  # type: ignore[arg-type]
    assert repr(one) == "Point(x=1, y=2, tags=[...])"


def test_nothing_is_compiled_before_the_first_object_or_the_word() -> None:
    # A process of its own: the decorator and its compiler are the very thing that is watched.
    code = """
import builtins
from marianne.records import compile_all, dataclass
compiled = []
run = builtins.exec
builtins.exec = lambda text, *scopes: (compiled.append(text), run(text, *scopes))
@dataclass(frozen=True, slots=True)
class One:
    n: int
@dataclass(slots=True)
class Other:
    n: int
@dataclass
class Own:
    n: int
    def __init__(self):
        self.n = 1
counts = [len(compiled)]
One(1), One(2)
counts.append(len(compiled))
compile_all()
counts.append(len(compiled))
Other(1), One(3), Own()
print(*counts, len(compiled))
"""
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert said.stdout.split() == ["0", "1", "3", "3"]


@pytest.mark.slow
def test_the_forkserver_compiles_for_all_its_children_once_it_has_everything() -> None:
    assert PRELOAD[-1] == "marianne.run.zygote"
    code = f"""
import {", ".join(PRELOAD)}
from marianne import records
print(len(records._waiting))
"""
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert said.stdout == "0\n"
