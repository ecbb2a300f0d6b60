"""A map as lines: a name and its value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marianne.cli.render.out import clean, paint, say


def print_facts(facts: Mapping[str, Any]) -> None:
    """One line a field, in the order given; yes and no for booleans."""
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        say(f"{paint(f'{name:<{width}}', 'dim')}  {clean(text_of(value))}")


def text_of(value: Any) -> str:
    """A value as a person writes it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    if isinstance(value, list | tuple):
        return ", ".join(map(text_of, value)) or "-"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={text_of(inner)}" for key, inner in value.items()) or "-"
    return str(value)
