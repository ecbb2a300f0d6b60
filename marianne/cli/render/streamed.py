"""Lines of several sheets on one output, each behind the name of its sheet."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final

from marianne.cli.render.out import clean, paint, write_text
from marianne.cli.render.table import columns, cut, cut_middle, width_of
from marianne.cli.render.terminal import harmless

NAME_MOST: Final = 24
"""Columns of a name on a terminal."""

_COLOURS: Final = ("cyan", "yellow", "green", "magenta", "blue")
_SIGNS: Final = {"out": "|", "err": "!"}
_RESET: Final = "\x1b[0m"


class Streamed:
    """Writes to standard output: a terminal gets text and colours, nothing that drives it; a file
    or a pipe the bytes as they are. ``names`` are those of the sheets."""

    def __init__(self, names: Mapping[int, str]) -> None:
        self._terminal = sys.stdout.isatty()
        self._names: Mapping[int, str] = {}
        self._width = 0
        self._head = False
        self.name(names)

    def name(self, names: Mapping[int, str]) -> None:
        """The job has these sheets now."""
        self._names = names
        widest = max((width_of(clean(name)) for name in names.values()), default=0)
        self._width = min(NAME_MOST, widest)

    def line(self, num: int, stream: str, data: bytes) -> None:
        """A line of a sheet's; ``stream``: ``out`` or ``err``."""
        name, sign = clean(self._names.get(num) or str(num)), _SIGNS[stream]
        if not self._terminal:
            sys.stdout.flush()
            sys.stdout.buffer.write(f"{name} {sign} ".encode(errors="replace") + data + b"\n")
            return
        self.lift()
        name = cut_middle(name, self._width)
        name += " " * (self._width - width_of(name))
        text = harmless(data.removesuffix(b"\r").decode("utf-8", "replace"))
        end = _RESET if "\x1b" in text else ""
        before = paint(f"{name} {sign} ", _COLOURS[num % len(_COLOURS)])
        write_text(sys.stdout, f"{before}{text}{end}\n")

    def head(self, text: str) -> None:
        """On a terminal: shows a line below all that is printed, until something else is."""
        if not self._terminal:
            sys.stdout.buffer.flush()
            return
        self.lift()
        write_text(sys.stdout, paint(cut(clean(text), columns() - 1), "bold"))
        self._head = True
        sys.stdout.flush()

    def lift(self) -> None:
        """Takes the line below away: something is printed."""
        if self._head:
            sys.stdout.write("\r\x1b[K")
            self._head = False
