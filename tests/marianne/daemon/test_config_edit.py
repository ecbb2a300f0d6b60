"""One setting is changed in the text of a configuration, and nothing else in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from marianne.daemon.config.edit import NotEditableError, put, scalar


@pytest.mark.parametrize(
    ("text", "name", "written", "after"),
    [
        ("", "a", "1", "a: 1\n"),
        ("# only words\n", "a.b", "x", "# only words\na:\n  b: x\n"),
        ("a: 1 # one\nb: 2", "a", "3", "a: 3 # one\nb: 2"),
        ("a: 1\nb: 2", "c", "true", "a: 1\nb: 2\nc: true\n"),
        ("s:\n    a: 1\nb: 2\n", "s.c", "5", "s:\n    c: 5\n    a: 1\nb: 2\n"),
        ("s: {a: 1}\n", "s.a", "2", "s: {a: 2}\n"),
        ("s: {}\n", "s.a", "2", "s: {a: 2}\n"),
        ("s: {a: 1}\n", "s.t.u", "2", "s: {t: {u: 2}, a: 1}\n"),
        ("s:\n# nothing yet\nb: 2\n", "s.a", "1", "s:\n  a: 1\n# nothing yet\nb: 2\n"),
        ("s:", "s.a", "1", "s:\n  a: 1\n"),
        ("a:\nb: 2\n", "a", "1", "a: 1\nb: 2\n"),
        ("l: [x, y]\n", "l", "[z]", "l: [z]\n"),
        ("a: 1\n", "a", "'yes'", "a: 'yes'\n"),
        ("a: 1\n", "a", '"x # y"', 'a: "x # y"\n'),
    ],
)
def test_the_rest_stays_as_it_is(text: str, name: str, written: str, after: str) -> None:
    assert put(text, name, written) == after


@pytest.mark.parametrize(
    ("text", "name"),
    [("{a: 1}", "b"), ("- a", "b"), ("l:\n  - x\n", "l"), ("a: |\n  text\n", "a"), ("a: 1", "a.b")],
)
def test_what_needs_a_hand_is_refused(text: str, name: str) -> None:
    with pytest.raises(NotEditableError):
        put(text, name, "1")


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("5", "5"),
        (" 5 ", "5"),
        ("0.5", "0.5"),
        ("true", "true"),
        ("0o600", "0o600"),
        ("debug", "debug"),
        ("/var/run/x.pid", "/var/run/x.pid"),
        ("[success, failure]", "[success, failure]"),
        ("", "null"),
        ("null", "null"),
        ("two words", '"two words"'),
        ("a: b: c", '"a: b: c"'),
        ("x # y", '"x # y"'),
        ("\u0004", '"\\u0004"'),
    ],
)
def test_what_was_typed_is_one_value(typed: str, written: str) -> None:
    assert scalar(typed) == written


NAMES = st.sampled_from(["a", "b", "s.a", "s.b", "s.t.u", "v.w"])
VALUES = st.one_of(st.integers(), st.booleans(), st.text("ab #:'\"\n-[{", max_size=8))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(NAMES, VALUES), max_size=6))
def test_what_was_put_is_what_is_read(puts: list[tuple[str, Any]]) -> None:
    text = "# head\n"
    for name, value in puts:
        text = put(text, name, json.dumps(value))
    read = yaml.safe_load(text) or {}
    for name, value in dict(puts).items():
        found = read
        for part in name.split("."):
            found = found[part]
        assert found == value
    assert text.startswith("# head\n")
