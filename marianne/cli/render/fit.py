"""How wide the columns of a table are where they do not all fit. Pure.

The last column, which is text, gets what the others leave; names are cut before it has too little
to be of use; then columns that can be spared are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

GAP = 2
"""Between two columns."""

LAST_LEAST = 24
"""What the last column keeps while others can give."""

NAME_LEAST = 14
"""What names are cut to before columns are left out."""

NOTHING_LESS = 8

Widths = Mapping[int, int]


def fitted(
    widths: Widths, total: int, names: Collection[int] = (), spare: Sequence[int] = ()
) -> dict[int, int]:
    """The columns that are shown, with their widths: together at most ``total``, if that can be.

    ``widths`` are those that they would have, by column and in order. ``names`` may be cut,
    ``spare`` be left out, the first of them first.
    """
    if _sum(widths) <= total:
        return dict(widths)
    spared = [column for column in spare if column in widths][: len(widths) - 1]
    for count in range(len(spared) + 1):
        kept = {column: width for column, width in widths.items() if column not in spared[:count]}
        found = _shrunk(kept, total, names, NAME_LEAST, LAST_LEAST)
        if found is not None:
            return found
    for last_least in (LAST_LEAST, 2 * NOTHING_LESS, NOTHING_LESS):
        found = _shrunk(kept, total, names, NOTHING_LESS, last_least)
        if found is not None:
            return found
    return _forced(kept, total)


def _sum(widths: Widths) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)


def _shrunk(
    widths: Widths, total: int, names: Collection[int], least: int, last_least: int
) -> dict[int, int] | None:
    """With names cut as little as will do; None where ``least`` is too much for them."""
    last = max(widths)
    cut = [column for column in names if column in widths and column != last]
    others = {column: width for column, width in widths.items() if column not in cut}
    others[last] = min(widths[last], last_least)
    room = total - _sum(others) - GAP * len(cut)
    cap = _cap([widths[column] for column in cut], room)
    if (cap < least and any(widths[column] > cap for column in cut)) or room < 0:
        return None
    found = {c: min(width, cap) if c in cut else width for c, width in widths.items()}
    found[last] = 0
    found[last] = min(widths[last], total - _sum(found))
    return found


def _cap(widths: Sequence[int], room: int) -> int:
    """The greatest width to which all of these can be cut so that they have room."""
    left, cap = room, 0
    for place, width in enumerate(sorted(widths)):
        cap = max(0, left) // (len(widths) - place)
        if width > cap:
            return cap
        left -= width
    return max(widths, default=cap)


def _forced(widths: Widths, total: int) -> dict[int, int]:
    """The others as they are; the last one keeps a little, and the row is too long."""
    last = max(widths)
    before = _sum({**widths, last: 0})
    return {**widths, last: min(widths[last], max(NOTHING_LESS, total - before))}
