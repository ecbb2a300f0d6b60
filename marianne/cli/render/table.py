"""Tables: columns as wide as what is in them, fitted to the terminal when there is one."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Sequence

from marianne.cli.render.fit import fitted
from marianne.cli.render.out import clean, paint, say
from marianne.records import dataclass


@dataclass(frozen=True, slots=True)
class Cell:
    """A text with the styles it is painted in."""

    text: str
    styles: tuple[str, ...] = ()


Row = Sequence[Cell | str | int | None]


def width_of(text: str) -> int:
    """Columns that a terminal gives the text; wide letters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def cut(text: str, width: int) -> str:
    """The text in at most ``width`` columns, with an ellipsis where it was cut."""
    if width_of(text) <= width:
        return text
    if width < 1:
        return ""
    kept = ""
    used = 1
    for c in text:
        used += width_of(c)
        if used > width:
            break
        kept += c
    return kept + "…"


def cut_middle(text: str, width: int) -> str:
    """As :func:`cut`, with what it begins and ends with: names differ at their ends."""
    if width_of(text) <= width or width < 5:
        return cut(text, width)
    tail = cut(text[::-1], (width - 1) // 2 + 1)[:-1][::-1]
    return cut(text, width - width_of(tail)) + tail


PADDED = 40
"""Columns that a cell is filled up to in a pipe: one of a thousand does not make all rows so long.
"""


def print_table(
    headings: Sequence[str],
    rows: Sequence[Row],
    *,
    right: Sequence[int] = (),
    names: Sequence[int] = (),
    spare: Sequence[int] = (),
    indent: str = "",
    wrap: bool = False,
) -> None:
    """Prints headings and rows. Columns named in ``right`` are set to the right.

    Columns that are empty in every row are left out. On a terminal each row is one line: the last
    column is cut, ``names`` in their middle, and what is to ``spare`` is left out where it does not
    fit (marianne.cli.render.fit); with ``wrap`` the last column goes on below itself instead, for
    its sentences are what is read. Into a pipe everything is printed whole, without colour.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    used = [i for i in range(len(headings)) if not cells or any(row[i].text for row in cells)]
    widths = {
        i: max([width_of(headings[i]), *(width_of(row[i].text) for row in cells)]) for i in used
    }
    on_terminal = bool(used) and sys.stdout.isatty()
    if on_terminal:
        widths = fitted(widths, columns() - len(indent), names, spare)
    head = [Cell(heading, ("bold",)) for heading in headings]
    if wrap and on_terminal:
        cells = [one for row in cells for one in _wrapped(row, used[-1], widths[used[-1]])]
    for row in [head, *cells]:
        parts = []
        for i, width in widths.items():
            text = row[i].text
            if on_terminal:
                text = (cut_middle if i in names else cut)(text, width)
            gap = " " * (min(width, width if on_terminal else PADDED) - width_of(text))
            painted = paint(text, *row[i].styles)
            parts.append(gap + painted if i in right else painted + gap)
        say((indent + "  ".join(parts)).rstrip())


def _wrapped(row: list[Cell], last: int, width: int) -> list[list[Cell]]:
    """The row, and rows below it that are empty but for what has no room in its ``last`` cell."""
    from textwrap import wrap  # late: nearly no verb asks

    first, *more = wrap(row[last].text, max(width, 10)) or [""]
    styles, blank = row[last].styles, [Cell("")] * len(row)
    below = [[*blank[:last], Cell(text, styles), *blank[last + 1 :]] for text in more]
    return [[*row[:last], Cell(first, styles), *row[last + 1 :]], *below]


def _cell(value: Cell | str | int | None) -> Cell:
    if isinstance(value, Cell):
        return Cell(clean(value.text), value.styles)
    return Cell("" if value is None else clean(str(value)))


def columns() -> int:
    """The width of the terminal, or what COLUMNS says it is; 80 where nobody knows.

    As ``shutil.get_terminal_size``, whose import is a twentieth of all that ``status`` does.
    """
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given) > 0:
        return int(given)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (OSError, ValueError):
        return 80
