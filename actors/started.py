"""What a start can come to: the two answers of `on_start`, and the acknowledgement made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from actors.reasons import ExitReason


class Ignore:
    """Return `Ignore()` from `on_start` to say: not now, and that is no failure."""


@dataclass(frozen=True, slots=True)
class Info:
    """Return `Info(value)` from `on_start` to hand `value` to the starter as `ref.info`."""

    value: Any


@dataclass(slots=True)
class Started:
    """The acknowledgement that a starter waits for."""

    outcome: Literal["ok", "ignore", "error"]
    reason: ExitReason
    info: Any = None
