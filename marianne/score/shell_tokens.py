"""A shell script cut into words and operators, as bash cuts it.

For those who look at scripts and run nothing. What is not followed (extended patterns, a `case`
inside of `$( )`) raises UnsureError: better silent than wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NoReturn

from marianne.records import dataclass


class UnsureError(Exception):
    """The script has something that is not followed here."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the script from ``start`` to ``end``; ``line`` is 1-based.

    ``kind`` is ``word``, ``op`` (what separates or groups commands), ``redirect``, ``arithmetic``
    (``(( … ))``) or ``newline``.
    """

    kind: str
    text: str
    start: int
    end: int
    line: int


_BLANK = re.compile(r"(?:[ \t]|\\\n)+")
_COMMENT = re.compile(r"#[^\n]*")
_REDIRECT = re.compile(r"\d*(?:<<<|<<-|<<|<>|<&|>>|>&|>\||<(?!\()|>(?!\())|&>>?|\{\w+\}(?=[<>])")
_OPERATOR = re.compile(r";;&|;;|;&|&&|\|\||\|&|[;&|()]")
_PLAIN = re.compile(r"[^\s\\'\"`$;&|()<>{}#!?*+@=\[\]]+")
_END = re.compile(r"[\s;&|<>)]")
_DELIMITER = re.compile(r"['\"\\]")


MAX_SCRIPT, MAX_ARITHMETIC = 200_000, 500
"""Characters of a script, and of a ``(( ))`` in it, that are followed."""


def tokens(text: str) -> list[Token]:
    """The tokens of a whole script. Raises UnsureError."""
    if len(text) > MAX_SCRIPT:
        raise UnsureError(MAX_SCRIPT)
    try:
        return list(_Cutter(text).cut())
    except RecursionError:
        raise UnsureError(0) from None


class _Cutter:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line, self._counted = 1, 0
        self._documents: list[tuple[str, bool]] = []

    def cut(self) -> Iterator[Token]:
        text = self._text
        takes_document: str | None = None
        while self._at < len(text):
            blank = _BLANK.match(text, self._at)
            if blank:
                self._at = blank.end()
                continue
            start, char = self._at, text[self._at]
            if char == "#":
                comment = _COMMENT.match(text, start)
                assert comment is not None
                self._at = comment.end()
                continue
            if char == "\n":
                self._at += 1
                yield self._token("newline", start)
                self._skip_documents()
                continue
            redirect = _REDIRECT.match(text, start)
            if redirect:
                self._at = redirect.end()
                yield self._token("redirect", start)
                kind = redirect[0].lstrip("0123456789")
                takes_document = kind if kind in _HERE else None
                continue
            if text.startswith("((", start):
                end = self._arithmetic(start)
                if end is not None:
                    self._at = end
                    yield self._token("arithmetic", start)
                    continue
            operator = _OPERATOR.match(text, start)
            if operator:
                self._at = operator.end()
                yield self._token("op", start)
                continue
            self._word()
            word = self._token("word", start)
            if takes_document is not None:
                plain = _DELIMITER.sub("", word.text)
                self._documents.append((plain, takes_document.endswith("-")))
                takes_document = None
            yield word

    def _token(self, kind: str, start: int) -> Token:
        self._line += self._text.count("\n", self._counted, start)
        self._counted = start
        return Token(kind, self._text[start : self._at], start, self._at, self._line)

    def _unsure(self) -> NoReturn:
        raise UnsureError(self._at)

    def _skip_documents(self) -> None:
        """Past the bodies of the here-documents that begin on the line before."""
        for delimiter, tabs in self._documents:
            while True:
                if self._at >= len(self._text):
                    self._unsure()
                end = self._text.find("\n", self._at)
                line = self._text[self._at : end if end >= 0 else len(self._text)]
                self._at = end + 1 if end >= 0 else len(self._text)
                if (line.lstrip("\t") if tabs else line) == delimiter:
                    break
        self._documents = []

    def _word(self) -> None:
        """Past a word: everything up to a blank or an operator that no quote holds together."""
        text, begin = self._text, self._at
        while self._at < len(text):
            plain = _PLAIN.match(text, self._at)
            if plain:
                self._at = plain.end()
                continue
            char = text[self._at]
            if char in "<>" and text.startswith("(", self._at + 1):
                self._at += 2
                self._nested(")")
            elif _END.match(char):
                return
            elif char == "(":
                before = text[begin : self._at]
                if before.endswith("=") and re.fullmatch(r"[A-Za-z_]\w*(\[.*\])?\+?=", before):
                    self._at += 1
                    self._nested(")")
                elif re.fullmatch(r"[\w.:-]+", before):
                    return  # a function's name
                else:
                    self._unsure()
            else:
                self._part()

    def _part(self) -> None:
        """Past one character, or what it opens."""
        text, char = self._text, self._text[self._at]
        if char == "\\":
            self._at = min(len(text), self._at + 2)
        elif char == "'":
            self._until("'")
        elif char == '"':
            self._quoted()
        elif char == "`":
            self._until("`", escapes=True)
        elif char == "$":
            self._dollar()
        else:
            self._at += 1

    def _dollar(self) -> None:
        text = self._text
        self._at += 1
        if text.startswith("'", self._at):
            self._until("'", escapes=True)
        elif text.startswith("((", self._at):
            end = self._arithmetic(self._at)
            if end is None:
                self._at += 1
                self._nested(")")
            else:
                self._at = end
        elif text.startswith("(", self._at):
            self._at += 1
            self._nested(")")
        elif text.startswith("{", self._at):
            self._at += 1
            self._braces()

    def _until(self, quote: str, *, escapes: bool = False) -> None:
        """Past a quote that nothing but ``quote`` ends; we stand on the one that opens it."""
        self._at += 1
        while self._at < len(self._text):
            char = self._text[self._at]
            self._at += 2 if escapes and char == "\\" else 1
            if char == quote:
                return
        self._unsure()

    def _quoted(self) -> None:
        self._at += 1
        while self._at < len(self._text):
            char = self._text[self._at]
            if char == '"':
                self._at += 1
                return
            if char in "\\`$":
                self._part()
            else:
                self._at += 1
        self._unsure()

    def _braces(self) -> None:
        """Past the rest of a ``${ }``."""
        while self._at < len(self._text):
            if self._text[self._at] == "}":
                self._at += 1
                return
            self._part()
        self._unsure()

    def _nested(self, close: str) -> None:
        """Past commands up to the parenthesis that closes them."""
        inner = _Cutter(self._text)
        inner._at = self._at
        depth = 1
        for token in inner.cut():
            if token.kind == "word" and token.text in ("case", "esac"):
                self._unsure()
            if token.kind == "op" and token.text == "(":
                depth += 1
            elif token.kind == "op" and token.text == close:
                depth -= 1
                if depth == 0:
                    self._at = token.end
                    return
        self._unsure()

    def _arithmetic(self, start: int) -> int | None:
        """Where a ``((`` is closed by ``))``; None where it is none."""
        depth, at = 0, start
        while at < len(self._text):
            if at - start > MAX_ARITHMETIC:
                self._unsure()
            char = self._text[at]
            if char == "(":
                depth += 1
            elif char == ")":
                depth -= 1
                if depth == 1:
                    return at + 2 if self._text.startswith("))", at) else None
            elif char == "'" or (char == "\n" and depth < 2):
                return None
            at += 1
        return None


_HERE = ("<<", "<<-")
