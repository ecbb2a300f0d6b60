"""What a program wrote, as a terminal may show it: text and colours, nothing that drives it."""

from __future__ import annotations

import codecs
import re

_COLOUR = re.compile(r"\x1b\[[0-9;:]{0,40}m")
_BEGUN = re.compile(r"(\r|\x1b(\[[0-9;:]{0,40})?)\Z")
_LAYOUT = frozenset("\n\t")


def harmless(text: str) -> str:
    """The text with colours, lines and tabs; every other control character is shown as one that
    cannot be. Titles, cursor movements, clipboards and answers to questions are all made of them.
    """
    if text.isprintable():
        return text
    parts, at = [], 0
    for colour in _COLOUR.finditer(text):
        parts += [_shown(text[at : colour.start()]), colour[0]]
        at = colour.end()
    return "".join((*parts, _shown(text[at:])))


def _shown(text: str) -> str:
    text = text.replace("\r\n", "\n")
    return "".join(
        c if c.isprintable() or c in _LAYOUT else "\N{REPLACEMENT CHARACTER}" for c in text
    )


class Pieces:
    """A stream of bytes that comes in pieces, cut anywhere: within a letter or a colour too."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def add(self, data: bytes, *, last: bool = False) -> str:
        """What can be shown by now."""
        text = self._held + self._decoder.decode(data, last)
        begun = None if last else _BEGUN.search(text)
        self._held = text[begun.start() :] if begun else ""
        return harmless(text[: len(text) - len(self._held)])
