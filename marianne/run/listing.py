"""An attempt of a sheet that makes a list: what its program printed, read and judged.

The list goes with the attempt's result, and so into the spool before anybody is told.
"""

from __future__ import annotations

import json
import math
from typing import Any

from marianne.regular_file import read_regular
from marianne.run.attempt import LOOK_AGAIN_SECONDS, Attempt
from marianne.run.attempt_state import State
from marianne.run.complain import complain
from marianne.run.spawn import PASSING
from marianne.run.tools import Reading

MAX_CHARS = 1_000
"""Of an item."""

MAX_BYTES = 1 << 20
"""Of all the items together: a list travels in one message."""

CATEGORY = "list"


class ListAttempt(Attempt):
    """It completes with its list, or fails with what is wrong with it."""

    def _succeeded(self, reading: Reading) -> None:
        if self.state is State.DONE:
            return
        source = self._shop.plan.lists[self.num]
        try:
            raw = read_regular(self._files.out, 2 * MAX_BYTES + 1)
        except OSError as error:
            if error.errno not in PASSING:
                why = f"What the list printed cannot be read: {error.strerror}"
                self._give("failed", reading.failed(CATEGORY, why))
                return
            complain(f"sheet {self._label}: {error}; looked at again")
            self._shop.loop.call_later(LOOK_AGAIN_SECONDS, lambda: self._succeeded(reading))
            return
        try:
            self._listed = read_list(source.kind, raw, source.max_items)
        except ValueError as error:
            self._give("failed", reading.failed(CATEGORY, str(error)))
            return
        self._give("completed", reading)


def read_list(kind: str, raw: bytes, most: int) -> dict[str, Any]:
    """What was printed as ``items`` and the ``prefix`` of their names; ValueError says what is
    wrong with it. Lines without anything are no items."""
    if len(raw) > 2 * MAX_BYTES:
        raise ValueError(f"the list is longer than {MAX_BYTES >> 20} MiB")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        place = raw.count(b"\n", 0, error.start)
        line = raw.split(b"\n")[place].decode("utf-8", "backslashreplace")
        raise ValueError(f"line {place + 1} of the list is not UTF-8: {line[:100]}") from None
    prefix = ""
    if kind == "command":
        items: list[Any] = [line for line in text.split("\n") if line.strip()]
    else:
        found = json.loads(text)
        items, prefix = found["items"], found["prefix"]
    check(items, most)
    return {"items": items, "prefix": prefix}


def check(items: list[Any], most: int) -> None:
    """Raises ValueError for a list of which no sheets can be made."""
    if len(items) > most:
        raise ValueError(f"the list has {len(items):,} items; max_items allows {most:,}")
    places: dict[str, int] = {}
    size = 0
    for place, item in enumerate(items, 1):
        text = _text(item, place)
        if text in places:
            raise ValueError(
                f"{_shown(text)} stands twice in the list: items {places[text]} and {place}"
            )
        places[text] = place
        size += len(text.encode())
    if size > MAX_BYTES:
        raise ValueError(f"the items are longer than {MAX_BYTES >> 20} MiB together")


def _text(item: Any, place: int) -> str:
    if isinstance(item, bool) or not isinstance(item, (str, int, float)):
        raise ValueError(f"item {place} of the list is no text and no number: {_shown(item)}")
    if isinstance(item, float) and not math.isfinite(item):
        raise ValueError(f"item {place} of the list is no number that can be kept: {item}")
    text = str(item)
    if not text.strip():
        raise ValueError(f"item {place} of the list is empty")
    if len(text) > MAX_CHARS:
        raise ValueError(f"item {place} of the list is longer than {MAX_CHARS:,} characters")
    if not text.isprintable():
        raise ValueError(
            f"item {place} of the list has characters that cannot be shown: {_shown(text)}"
        )
    return text


def _shown(item: Any) -> str:
    return repr(item)[:100]
