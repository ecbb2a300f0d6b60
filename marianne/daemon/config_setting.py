"""What a configuration is declared with: sections of settings, as plain classes.

Most conductors start on the defaults, and those need no checking: a start imports no pydantic.
Values that somebody gives are checked by the model that :mod:`marianne.daemon.config_models` makes
of a section: its fields, limits and descriptions are those that are declared here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Self

REQUIRED: Any = ...
"""In the place of a default: there is none."""


class Setting:
    """One field: its default (or what makes it), and all that its model is told about it."""

    __slots__ = ("default", "factory", "section", "told")

    def __init__(
        self,
        default: Any,
        factory: Callable[[], Any] | None,
        section: type[Section] | None,
        told: dict[str, Any],
    ) -> None:
        self.default = default
        self.factory = factory
        self.section = section
        self.told = told

    def value(self) -> Any:
        """What the field holds when nobody sets it."""
        return self.factory() if self.factory else self.default


def setting(
    default: Any = REQUIRED, *, factory: Callable[[], Any] | None = None, **told: Any
) -> Any:
    """A field. ``told`` is what pydantic's ``Field`` takes: limits and the description."""
    return Setting(default, factory, None, told)


def section(kind: type[Section]) -> Any:
    """A field that is a section, on its defaults when nothing in it is set."""
    return Setting(REQUIRED, kind, kind, {})


class Section:  # noqa: PLW1641 - it may hold lists, which have no hash
    """Settings that belong together; nothing changes after loading.

    Made without values it holds the defaults. Values are checked, with those of inner sections as
    maps or as sections; raises pydantic's ``ValidationError``. ``settings`` are the fields by name,
    ``complete`` says that each of them has a default.
    """

    settings: ClassVar[dict[str, Setting]] = {}
    complete: ClassVar[bool] = True

    def __init_subclass__(cls) -> None:
        cls.settings = {k: v for k, v in vars(cls).items() if isinstance(v, Setting)}
        cls.complete = all(field.value() is not REQUIRED for field in cls.settings.values())

    def __init__(self, **values: Any) -> None:
        if values or not self.complete:
            from marianne.daemon.config_models import checked

            values = checked(type(self), values)
        else:
            values = {name: field.value() for name, field in self.settings.items()}
        vars(self).update(values)

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """A section of a value for every field, which are right: they are not checked."""
        made = cls.__new__(cls)
        vars(made).update(values)
        return made

    def check(self) -> None:
        """What must hold between fields; raises ValueError."""

    def replace(self, **values: Any) -> Self:
        """The same with other values, which are right: they are not checked."""
        return self.of({**vars(self), **values})

    def values(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Every value by its dotted name, those of inner sections in their place."""
        for name, field in self.settings.items():
            value = getattr(self, name)
            if field.section:
                yield from value.values(f"{prefix}{name}.")
            else:
                yield prefix + name, value

    @classmethod
    def names(cls, prefix: str = "") -> Iterator[str]:
        """The dotted names of all fields that hold a value and no section."""
        for name, field in cls.settings.items():
            if field.section:
                yield from field.section.names(f"{prefix}{name}.")
            else:
                yield prefix + name

    def __setattr__(self, name: str, _value: object) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} does not change after loading")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({told})"
