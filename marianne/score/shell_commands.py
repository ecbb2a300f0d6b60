"""The pipelines of a shell script, and how each stands in it: enough to speak of them, no more."""

from __future__ import annotations

import re
from dataclasses import field

from marianne.records import dataclass
from marianne.score.shell_tokens import Token, UnsureError, tokens

MAX_DEPTH = 50
"""Groups within one another that are followed."""

_OPENS = {"if": "fi", "while": "done", "until": "done", "for": "done", "select": "done"}
_OPENS |= {"case": "esac", "{": "}", "(": ")"}
_CONDITIONS = frozenset({"if", "elif", "while", "until"})
_ENDS_CONDITION = frozenset({"then", "do"})
_ENDS_BRANCH = frozenset({";;", ";&", ";;&"})
_ENDS_LIST = frozenset({";", "&", "&&", "||", "\n"}) | _ENDS_BRANCH
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(\[[^]]*\])?\+?=")


@dataclass(slots=True)
class Command:
    """A part of a pipeline: the words of a simple command, without redirections and assignments
    before it; of a compound one, none. ``line`` is the first of ``text``."""

    text: str = ""
    line: int = 0
    words: list[str] = field(default_factory=list)
    redirects: list[tuple[str, str]] = field(default_factory=list)
    assignments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Pipeline:
    """Commands joined by ``|``, on the lines from ``line`` to ``last_line``.

    ``tested`` says that its failure ends nothing: a condition, `!`, something before `&&` or `||`,
    a background job, or inside of a group that is one. ``inside`` says that it stands in a
    function or a group: where that is called, or what comes after it, decides.
    """

    commands: list[Command]
    line: int
    last_line: int
    tested: bool = False
    inside: bool = False


def pipelines(text: str) -> list[Pipeline]:
    """All pipelines outside of `$( )`, inner ones first. Raises UnsureError."""
    return _Reader(text).read()


@dataclass(slots=True)
class _Group:
    """A compound command that is open, and the pipeline that is read in it."""

    word: str = ""
    condition: bool = False
    pattern: bool = False
    function: bool = False
    commands: list[Command] = field(default_factory=list)
    command: Command | None = None
    start: Token | None = None
    negated: bool = False
    wants_in: bool = False
    before: int = 0
    """How many pipelines were found before the one that is read."""


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._groups = [_Group()]
        self._found: list[Pipeline] = []
        self._last: Token | None = None

    def read(self) -> list[Pipeline]:
        at = 0
        while at < len(self._tokens):
            at = self._take(at)
        self._end_pipeline("\n")
        if len(self._groups) > 1:
            raise UnsureError(len(self._text))
        return self._found

    def _take(self, at: int) -> int:
        token, group = self._tokens[at], self._groups[-1]
        word = token.text
        if group.pattern:
            return self._pattern(at)
        if token.kind == "newline" or (token.kind == "op" and word in _ENDS_LIST):
            if not (word == "\n" and group.command is None and group.commands):  # after a `|`
                self._end_pipeline(word)
            group.pattern = word in _ENDS_BRANCH
            if group.pattern and group.word != "case":
                raise UnsureError(token.start)
            return at + 1
        if token.kind == "op" and word in ("|", "|&"):
            self._end_command(token)
            return at + 1
        if token.kind == "redirect":
            return self._redirect(at)
        if group.command is None and self._reserved(at):
            return at + 1
        if token.kind == "op" and word == "(" and self._is_function(at):
            group.command = None
            self._open("function")
            self._groups[-1].function = True
            return at + 2
        if token.kind == "op":
            if word == "(" and group.command is None:
                self._begin(token)
                self._open("(")
                return at + 1
            if word == ")" and group.word == "(":
                self._close(token)
                return at + 1
            raise UnsureError(token.start)
        return self._plain(at)

    def _plain(self, at: int) -> int:
        token, group = self._tokens[at], self._groups[-1]
        if group.word == "case" and group.wants_in and token.text == "in":
            group.command = group.start = None
            group.wants_in, group.pattern = False, True
            return at + 1
        command = self._begin(token)
        if token.kind == "arithmetic" or token.text != "[[" or command.words:
            if not command.words and _ASSIGNMENT.match(token.text):
                command.assignments.append(token.text)
            else:
                command.words.append(token.text)
            self._last = token
            return at + 1
        while at < len(self._tokens):
            self._last = self._tokens[at]
            command.words.append(self._last.text)
            at += 1
            if self._last.text == "]]":
                return at
        raise UnsureError(group.start.start if group.start else 0)

    def _redirect(self, at: int) -> int:
        command = self._begin(self._tokens[at])
        value = self._tokens[at + 1] if at + 1 < len(self._tokens) else None
        if value is None or value.kind != "word":
            raise UnsureError(at)
        command.redirects.append((self._tokens[at].text.lstrip("0123456789"), value.text))
        self._last = value
        return at + 2

    def _reserved(self, at: int) -> bool:
        """Takes a word that groups commands, where one can stand."""
        token, group = self._tokens[at], self._groups[-1]
        word = token.text
        if token.kind != "word":
            return False
        if word in ("!", "time"):
            group.negated = group.negated or word == "!"
            group.start = group.start or token
        elif word in _OPENS:
            self._begin(token)
            self._open(word)
            if word in ("for", "select", "case"):
                self._groups[-1].wants_in = True
                self._groups[-1].command = Command(line=token.line)
        elif word in _ENDS_CONDITION:
            group.condition = False
        elif word == "elif":
            group.condition = True
        elif word == "else":
            pass
        elif word in ("fi", "done", "esac", "}"):
            if _OPENS.get(group.word) != word:
                raise UnsureError(token.start)
            self._close(token)
        elif word in ("function", "coproc"):
            raise UnsureError(token.start)
        else:
            return False
        return True

    def _is_function(self, at: int) -> bool:
        group = self._groups[-1]
        closes = at + 1 < len(self._tokens) and self._tokens[at + 1].text == ")"
        return closes and group.command is not None and len(group.command.words) == 1

    def _pattern(self, at: int) -> int:
        """Past a pattern of a `case`, up to its parenthesis; its end closes the `case`."""
        token, group = self._tokens[at], self._groups[-1]
        if token.text == "esac":
            self._close(token)
        elif token.kind == "op" and token.text == ")":
            group.pattern = False
        return at + 1

    def _begin(self, token: Token) -> Command:
        group = self._groups[-1]
        if group.command is None:
            group.command = Command(line=token.line, text=str(token.start))
        if group.start is None:
            group.start = token
        self._last = token
        return group.command

    def _open(self, word: str) -> None:
        if len(self._groups) > MAX_DEPTH:
            raise UnsureError(0)
        self._groups.append(_Group(word, condition=word in _CONDITIONS, before=len(self._found)))

    def _close(self, token: Token) -> None:
        self._end_pipeline("\n")
        self._groups.pop()
        self._last = token
        above = self._groups[-1]
        if above.function:  # its body has ended
            self._groups.pop()

    def _end_command(self, token: Token) -> None:
        group = self._groups[-1]
        command = group.command
        if command is None:
            raise UnsureError(token.start)
        if command.text:
            assert self._last is not None
            command.text = self._text[int(command.text) : self._last.end]
        group.commands.append(command)
        group.command = None

    def _end_pipeline(self, by: str) -> None:
        group = self._groups[-1]
        if group.command is not None and group.wants_in:  # the words of a `for` or a `case`
            if group.word == "case":
                raise UnsureError(0)
            group.command = group.start = None
            group.wants_in = False
            return
        if group.command is not None:
            assert self._last is not None
            self._end_command(self._last)
        if group.commands:
            assert self._last is not None
            around = self._groups[1:]
            tested = group.negated or by in ("&&", "||", "&")
            if tested:
                for inner in self._found[group.before :]:
                    inner.tested = True
            self._found.append(
                Pipeline(
                    group.commands,
                    group.start.line if group.start else group.commands[0].line,
                    self._last.line + self._last.text.count("\n"),
                    tested=tested or any(each.condition for each in self._groups),
                    inside=any(each.word in ("{", "(", "function") for each in around),
                )
            )
        group.commands, group.command, group.start = [], None, None
        group.negated = False
        group.before = len(self._found)
