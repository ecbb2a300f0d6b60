"""Rendering of templates: Jinja2, sandboxed and strict, cached by text.

Text whose only template syntax is ``{{ name }}`` is filled in without Jinja2, which is neither
imported nor asked to compile: most scripts are such, and a score of 10,000 of them must load in
under two seconds. The result is the same (a property test holds the two together).
"""

from __future__ import annotations

import copy
import re
import shlex
import time
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from marianne.score.limits import NO_MEMORY

if TYPE_CHECKING:
    from jinja2 import Environment, Template, nodes

MAX_RENDERED = 16 * 2**20
MAX_SECONDS = 5
_SIMPLE = re.compile(r"(?<!\{)\{\{ *([A-Za-z_][A-Za-z0-9_]*) *(\| *q *)?\}\}")
_NEWLINES = re.compile(r"\r\n|\r")
# Not names to Jinja2, whatever the variables are called.
_KEYWORDS = frozenset(
    {"true", "false", "none", "True", "False", "None", "not", "and", "or", "in", "is", "if"}
    | {"else", "loop", "self", "super", "caller", "varargs", "kwargs"}
)


class TemplateError(Exception):
    """A template that cannot be rendered. ``line`` is 1-based within the template.

    ``undefined`` is the name that was not defined, when that is what is wrong.
    """

    def __init__(self, message: str, line: int = 1, undefined: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.undefined = undefined


def render(text: str, variables: Mapping[str, Any], *, script: bool = False) -> str:
    """The template filled in; TemplateError for bad syntax, undefined names, unsafe access.

    With ``script``, ``{#`` is no comment, since ``${#array[@]}`` is bash. Lists and maps among
    the variables are copied, so that a template cannot change them for the next one.
    """
    plain = _render_simple(text, variables, script)
    if plain is not None:
        return plain
    private = {
        name: copy.deepcopy(value) if type(value) in {dict, list} else value
        for name, value in variables.items()
    }
    try:
        return _collect(_compiled(text, script).generate(private))
    except TemplateError:
        raise
    except Exception as error:  # noqa: BLE001 - a template can raise anything; it is its fault
        raise _explain(error) from None


def _collect(pieces: Iterator[str]) -> str:
    """The pieces joined, as long as they are not too many or too slow: loops can be nested."""
    parts: list[str] = []
    size = 0
    began = time.thread_time()
    for piece in pieces:
        parts.append(piece)
        size += len(piece)
        if size > MAX_RENDERED:
            raise TemplateError(f"renders to more than {MAX_RENDERED:,} characters")
        if len(parts) % 1024 == 0 and time.thread_time() - began > MAX_SECONDS:
            raise TemplateError(f"takes longer than {MAX_SECONDS} seconds to render")
    return "".join(parts)


def evaluate(expression: str, variables: Mapping[str, Any]) -> Any:
    """The value of a sandboxed expression, as in ``skip_when``; TemplateError as for render.

    ``is None`` and ``is not None`` are read as Jinja2's ``is none``.
    """
    try:
        compiled = _expression(re.sub(r"\bis (not )?None\b", r"is \1none", expression))
        value = compiled(**variables)
        # An undefined result is an error here as everywhere: asking for its truth raises.
        bool(value)
    except Exception as error:  # noqa: BLE001 - as in render
        raise _explain(error) from None
    return value


def _render_simple(text: str, variables: Mapping[str, Any], script: bool) -> str | None:
    """The text with its ``{{ name }}`` filled in, or None when it takes Jinja2 to say."""
    if "{" not in text:
        return _NEWLINES.sub("\n", text) if "\r" in text else text
    rest = _SIMPLE.sub("", text)
    if "{{" in rest or "{%" in rest or ("{#" in rest and not script):
        return None
    if "{{" not in text:
        return _NEWLINES.sub("\n", text) if "\r" in text else text
    names = _SIMPLE.findall(text)
    if any(name not in variables or name in _KEYWORDS for name, _ in names):
        return None
    values = {
        (name, quoted): shell_quoted(variables[name]) if quoted else str(variables[name])
        for name, quoted in set(names)
    }
    return _SIMPLE.sub(lambda match: values[match[1], match[2] or ""], _NEWLINES.sub("\n", text))


def simple_names(text: str) -> list[tuple[str, bool]] | None:
    """The names in a script that has no other templates, and whether each is quoted; else None."""
    rest = _SIMPLE.sub("", text)
    if "{{" in rest or "{%" in rest:
        return None
    return [(name, bool(quoted)) for name, quoted in _SIMPLE.findall(text)]


def shell_quoted(value: Any) -> str:
    """The filter ``q``: the value as one word of a POSIX shell, a list as one word for each."""
    if isinstance(value, (list, tuple)):
        return " ".join(shlex.quote(str(item)) for item in value)
    return shlex.quote(str(value))


def parsed(text: str, *, script: bool = True) -> nodes.Template:
    """The tree of a template. Raises Jinja2's errors."""
    return _environment(script).parse(text)


@lru_cache(maxsize=512)
def _compiled(text: str, script: bool) -> Template:
    environment = _environment(script)
    return environment.from_string(text)


@lru_cache(maxsize=128)
def _expression(text: str) -> Any:
    return _environment(script=False).compile_expression(text, undefined_to_none=False)


@lru_cache(maxsize=2)
def _environment(script: bool) -> Environment:
    from marianne.score.sandbox import Sandbox

    # NUL cannot stand in YAML text, so these comment marks can never be met.
    marks = {"comment_start_string": "\0{#", "comment_end_string": "#}\0"} if script else {}
    return Sandbox(filters={"q": shell_quoted}, **marks)


def _explain(error: Exception) -> TemplateError:
    """What went wrong, with the line of the template."""
    from jinja2 import TemplateSyntaxError, UndefinedError
    from jinja2.exceptions import SecurityError

    line = 1
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in {"<template>", "<unknown>"}:
            line = trace.tb_lineno
        trace = trace.tb_next
    text = str(error) or type(error).__name__
    if isinstance(error, UndefinedError):
        match = re.fullmatch(r"'([^']+)' is undefined", text)
        return TemplateError(text, line, match[1] if match else None)
    if isinstance(error, TemplateSyntaxError):
        return TemplateError(f"template syntax: {error.message}", error.lineno)
    if isinstance(error, SecurityError):
        return TemplateError(f"not allowed in a template: {text}", line)
    if isinstance(error, NO_MEMORY):
        return TemplateError("the template needs more memory than there is", line)
    if isinstance(error, RecursionError):
        return TemplateError("the template nests too deeply", line)
    if "no loader" in text:
        return TemplateError("a template cannot include or import others", line)
    return TemplateError(f"{type(error).__name__}: {text}", line)
