"""What a start can come to: the two answers of `on_start`, and the acknowledgement made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from actors.reasons import ExitReason


class Ignore:
    """Return `Ignore()` from `on_start` to say: not now, and that is no failure."""


class Info(NamedTuple):
    """Return `Info(value)` from `on_start` to hand `value` to the starter as `ref.info`."""

    value: Any


class Started(NamedTuple):
    """The acknowledgement that a starter waits for."""

    outcome: Literal["ok", "ignore", "error"]
    reason: ExitReason
    info: Any = None
