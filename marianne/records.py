"""``dataclass`` for modules that every start imports: nothing is compiled until it is called.

The standard decorator compiles three to six methods of each class while its module is imported:
of a conductor's start that was a fifth, for a hundred classes of which most are used later or
never. This one has the standard one find the fields; ``__init__`` is compiled at the first call,
and the other methods are the same few for all classes. What the fields say, and what
``dataclasses`` itself offers for an object (``replace``, ``fields``, ``asdict``), is as ever.

Not here: ``order``, ``kw_only``, ``InitVar``, and a signature that can be inspected before the
first object is made. Who needs one of these takes the standard decorator.
"""

from __future__ import annotations

import dataclasses
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

__all__ = ["compile_all", "dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls=None, /, *, eq=True, frozen=False, slots=False):
        """The class with the methods of a data class; the arguments are the standard ones."""
        if cls is None:
            return lambda cls: _made(cls, eq, frozen, slots)
        return _made(cls, eq, frozen, slots)


def _made(cls: type, eq: bool, frozen: bool, slots: bool) -> type:
    written = set(vars(cls))  # what its author wrote stays
    cls = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
    methods: dict[str, Any] = {"__init__": _first_init(cls), "__repr__": _repr}
    if eq:
        methods |= _comparing(cls, frozen)
    if frozen:
        methods |= {"__setattr__": _refuse_set, "__delattr__": _refuse_delete}
    if frozen and slots:
        # Else a copy or an unpickled object would be filled in by the assignments refused here.
        methods |= {"__getstate__": _state, "__setstate__": _restore}
    for name, method in methods.items():
        if name not in written:
            setattr(cls, name, method)
    if "__init__" not in written:
        _waiting.append(cls)
    return cls


_waiting: list[Any] = []
"""Classes that may have no ``__init__`` of their own yet."""


def compile_all() -> None:
    """Compiles what there is: for a process whose forks would each do it again."""
    while _waiting:
        cls = _waiting.pop()
        cls.__init__ = _compiled_init(cls)


def _first_init(cls: type) -> Any:
    """An ``__init__`` that has the class's own one take its place."""

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        init = cls.__init__ = _compiled_init(cls)  # type: ignore[misc]
        init(self, *args, **kwargs)

    return __init__


def _compiled_init(cls: Any) -> Any:
    scope: dict[str, Any] = {"_set": object.__setattr__, "_made_here": _MADE_HERE}
    given, lines = ["self"], []
    frozen = cls.__setattr__ is _refuse_set
    for field in dataclasses.fields(cls):
        name = value = field.name
        if field.default_factory is not dataclasses.MISSING:
            scope[f"_make_{name}"] = field.default_factory
            value = f"_make_{name}()"
            if field.init:
                given.append(f"{name}=_made_here")
                value = f"{value} if {name} is _made_here else {name}"
        elif field.default is not dataclasses.MISSING:
            scope[f"_default_{name}"] = field.default
            if field.init:
                given.append(f"{name}=_default_{name}")
            else:
                value = f"_default_{name}"
        elif field.init:
            given.append(name)
        else:
            continue  # __post_init__ or its owner sets it
        lines.append(f"_set(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    exec(f"def __init__({', '.join(given)}):\n " + "\n ".join(lines or ["pass"]), scope)
    init = scope["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__module__ = cls.__module__
    return init


_MADE_HERE = object()
"""Stands for an argument that was not given, where each object gets a new one."""


def _comparing(cls: Any, frozen: bool) -> dict[str, Any]:
    """Equality over the fields that count, of objects of the same class; a hash if it is frozen."""
    names = [field.name for field in dataclasses.fields(cls) if field.compare]
    values: Any = attrgetter(*names) if names else lambda _: ()

    def __eq__(self: Any, other: Any) -> Any:  # noqa: N807
        if other.__class__ is self.__class__:
            return values(self) == values(other)
        return NotImplemented

    def __hash__(self: Any) -> int:  # noqa: N807
        return hash(values(self))

    return {"__eq__": __eq__, "__hash__": __hash__ if frozen else None}


@recursive_repr()
def _repr(self: Any) -> str:
    shown = [f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self) if f.repr]
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


def _refuse_set(self: Any, name: str, _value: Any) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_delete(self: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)
