"""Touching what others wrote (callbacks, the texts of exceptions): it may raise anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def raised_by(callback: Callable[..., object], *args: Any) -> BaseException | None:
    """Calls it and returns what it raised; also a SystemExit, which would end a bystander."""
    try:
        callback(*args)
    except BaseException as error:  # noqa: BLE001
        return error
    return None


def shown(value: object, text: Callable[[Any], str] = repr) -> str:
    """`text(value)`, or that it has none."""
    try:
        return text(value)
    except BaseException:  # noqa: BLE001
        return f"<{type(value).__name__} that cannot be shown>"
