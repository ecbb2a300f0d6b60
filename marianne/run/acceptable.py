"""What may stand in the result of an attempt: checked where one comes in, and nowhere else.

Parts of a result are what a program printed, and a result crosses two edges: from the worker's
attempt into its spool, and from the link into the conductor. Behind them it is packed, stored,
summed up and shown, and none of that may fail on a value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from marianne.model.result import AttemptResult

OUTCOMES = frozenset({"completed", "failed", "skipped", "interrupted"})

MOST = 2**63 - 1
"""What the database keeps as a whole number."""

LATEST = 253_402_300_799.0
"""The last second of the year 9999, which is the last that a date can be made of."""

TEXT_CHARS = 64 * 1024
LISTED = 10_000
"""Checks, or processes that were left, of one attempt."""

MOST_ITEMS = 100_000
"""Items of a list."""


class UnacceptableError(ValueError):
    """Says which field has which fault."""


Check = Callable[[Any], bool]


def number(value: Any) -> bool:
    """A whole number that can be kept."""
    return type(value) is int and -MOST <= value <= MOST


def count(value: Any) -> bool:
    """A whole number from 0."""
    return type(value) is int and 0 <= value <= MOST


def amount(value: Any) -> bool:
    """A finite number from 0."""
    return type(value) in (int, float) and 0 <= value <= MOST


def moment(value: Any) -> bool:
    """Seconds since the epoch that are a date."""
    return type(value) in (int, float) and 0 <= value <= LATEST


def text(value: Any) -> bool:
    """Text that can be sent and stored, of a bounded length."""
    return type(value) is str and len(value) <= TEXT_CHARS and _utf8(value)


def tidy(value: str | None) -> str | None:
    """The nearest acceptable text: file names and programs may hold bytes that are no UTF-8."""
    if value is None or text(value):
        return value
    return value[:TEXT_CHARS].encode("utf-8", "backslashreplace").decode()[:TEXT_CHARS]


def _utf8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _validations(value: Any) -> bool:
    return _few(value) and all(
        type(one) is dict
        and one.keys() == {"type", "passed", "detail"}
        and text(one["type"])
        and one["passed"] in (True, False, None)
        and text(one["detail"])
        for one in value
    )


def texts(value: Any) -> bool:
    """A list of texts."""
    return _few(value) and all(map(text, value))


def _few(value: Any) -> bool:
    return type(value) in (list, tuple) and len(value) <= LISTED


def _usage(value: Any) -> bool:
    return type(value) is dict and all(
        text(name) and (text(found) or _finite(found)) for name, found in value.items()
    )


def _listed(value: Any) -> bool:
    return (
        type(value) is dict
        and value.keys() == {"items", "prefix"}
        and text(value["prefix"])
        and type(value["items"]) in (list, tuple)
        and len(value["items"]) <= MOST_ITEMS
        and all(text(item) or _finite(item) for item in value["items"])
    )


def _finite(value: Any) -> bool:
    return number(value) or (type(value) is float and math.isfinite(value))


CHECKS: dict[str, tuple[Check, bool]] = {
    "num": (lambda value: count(value) and value > 0, False),
    "attempt": (lambda value: count(value) and value > 0, False),
    "outcome": (lambda value: type(value) is str and value in OUTCOMES, False),
    "started_at": (moment, False),
    "finished_at": (moment, False),
    "serial": (count, False),
    "exit_code": (number, True),
    "signal": (number, True),
    "category": (text, True),
    "code": (text, True),
    "message": (text, True),
    "validations": (_validations, False),
    "left_running": (lambda value: _few(value) and all(map(count, value)), False),
    "retry_after": (amount, True),
    "peak_memory_mb": (amount, False),
    "cpu_seconds": (amount, False),
    "still": (amount, False),
    "output_bytes": (count, False),
    "usage": (_usage, False),
    "listed": (_listed, True),
    "node": (text, True),
    "walls": (texts, False),
}
"""For each field: what it must be, and whether it may be None."""

_NOT_KNOWN: tuple[Check, bool] = (lambda value: True, False)

NEEDED = ("num", "attempt", "outcome", "started_at", "finished_at")


def check(data: Mapping[str, Any]) -> None:
    """Raises UnacceptableError for a result (as AttemptResult.to_map) that nobody could use.

    Fields that are not known here are a newer worker's, and not looked at.
    """
    if type(data) is not dict:
        raise UnacceptableError(f"a result is a map, not {type(data).__name__}")
    for name in NEEDED:
        if name not in data:
            raise UnacceptableError(f"{name} is missing")
    for name, value in data.items():
        good, optional = CHECKS.get(name, _NOT_KNOWN)
        if not (optional and value is None) and not good(value):
            raise UnacceptableError(f"{name} cannot be {value!r:.80}")


def acceptable(data: dict[str, Any]) -> dict[str, Any]:
    """The result as it is, or a failed one in its place that says what was wrong with it.

    Raises UnacceptableError when not even its sheet, attempt, times and serial can be read.
    """
    try:
        check(data)
    except UnacceptableError as error:
        if type(data) is not dict:
            raise
        head = {name: data.get(name) for name in ("num", "attempt", "started_at", "finished_at")}
        why = f"what it reported cannot be kept: {error}"
        failed = AttemptResult(
            **head,  # type: ignore[arg-type]  # checked below
            outcome="failed",
            serial=data.get("serial", 0),
            category="internal",
            message=why.encode("ascii", "backslashreplace").decode(),
        ).to_map()
        check(failed)
        return failed
    return data
