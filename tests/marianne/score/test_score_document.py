"""YAML text to plain data, and the place of every value."""

from __future__ import annotations

import textwrap

import pytest

from marianne.model.document import Document, render_path
from marianne.model.errors import ScoreError
from marianne.score.load import config_hash


def data(text: str) -> object:
    return Document(textwrap.dedent(text)).data


def test_only_plain_types_come_out() -> None:
    assert data(
        "{a: 1, b: 1.5, c: yes, d: ~, e: 2026-01-31, f: 0x1F, g: [x], h: '1', i: 12:30}"
    ) == {
        "a": 1,
        "b": 1.5,
        "c": True,
        "d": None,
        "e": "2026-01-31",
        "f": 31,
        "g": ["x"],
        "h": "1",
        "i": 750,
    }


def test_keys_are_text_as_written_or_integers() -> None:
    assert data("{1: a, on: b, yes: c, 1.5: d, 2026-01-31: e, ~: f}") == {
        1: "a",
        "on": "b",
        "yes": "c",
        "1.5": "d",
        "2026-01-31": "e",
        "~": "f",
    }


def test_merge_keys_give_way_to_what_stands_beside_them() -> None:
    text = """
        a: &a {x: 1, y: 1}
        b: &b {y: 2, z: 2}
        c: {<<: [*a, *b], x: 0}
        d: {<<: *b, y: 9}
    """
    merged = data(text)
    assert isinstance(merged, dict)
    assert merged["c"] == {"x": 0, "y": 1, "z": 2}
    assert merged["d"] == {"y": 9, "z": 2}


def test_a_value_is_found_behind_a_merge() -> None:
    document = Document("a: &a {x: 1}\nb:\n  <<: *a\n  y: 2\n")
    assert document.locate(["b", "x"]) == (1, 11)
    assert document.locate(["b", "y"]) == (4, 6)
    assert document.locate(["b", "y"], key=True) == (4, 3)
    assert document.locate(["b", "absent"]) == (3, 3)


def test_the_lines_of_a_block_are_counted_from_its_head() -> None:
    document = Document("a:\n  b: |\n    one\n    two\n")
    assert document.text_line(["a", "b"], 2) == (4, 1)


def test_paths_are_written_as_people_write_them() -> None:
    assert render_path(["sheet", "dependencies", 2, 0]) == "sheet.dependencies[2][0]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", "the key 'a' stands here twice"),
        ("1: a\n0x1: b", "the key '1' stands here twice"),
        ("{[1]: a}", "a key must be plain text or a number"),
        ("a: 99999999999999999999", "is no int that can be used here"),
        ("a: !!binary aGk=", "the tag !!binary is not allowed"),
        ("a: !!set {x}", "the tag !!set is not allowed"),
        ("{<<: 1}", "'<<' takes a map"),
        ("a: *nowhere", "undefined alias"),
        ("a: 1\n---\nb: 2", "another document"),
        ("", "the file is empty"),
        ("# only a comment", "the file is empty"),
        ("a: \ud800", "no valid Unicode"),
        ("a: \x07", "control characters"),
    ],
)
def test_what_is_no_plain_data_is_refused(text: str, message: str) -> None:
    with pytest.raises(ScoreError, match=message):
        Document(text)


def test_a_few_aliases_are_no_bomb() -> None:
    assert data("a: &a [1, 2]\nb: [*a, *a]") == {"a": [1, 2], "b": [[1, 2], [1, 2]]}


def test_scores_that_say_the_same_have_one_hash() -> None:
    first = data("a: 1 # one\nb: {1: x, c: y}")
    second = data("b: {c: 'y', 1: x}\na: 1")
    assert config_hash(first) == config_hash(second)
    assert config_hash(first) != config_hash(data("a: 2\nb: {1: x, c: y}"))
    assert config_hash(first) != config_hash(first, "a template file")
