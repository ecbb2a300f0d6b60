"""What is read of a list: its items, and what is wrong with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from marianne.run.listing import MAX_BYTES, MAX_CHARS, check, read_list
from marianne.run.tools import LISTER


def lister(place: Path, kind: str, text: str, most: int = 100) -> tuple[int, Any]:
    """The exit code, and what it printed: the list, or the error."""
    given = place / "given"
    given.write_text(text)
    work = place / "work"
    work.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-I", "-S", LISTER, kind, str(given), str(most)],
        cwd=work,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        return done.returncode, done.stderr.decode().strip()
    return 0, read_list(kind, done.stdout, most)


def files(place: Path, *names: str) -> None:
    for name in names:
        path = place / "work" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_pattern_gives_the_names_that_match_sorted(tmp_path: Path) -> None:
    files(tmp_path, "in/b.csv", "in/a b.csv", "in/.c.csv", "in/x.txt", "in/deep/d.csv")
    assert lister(tmp_path, "glob", "in/*.csv") == (
        0,
        {"items": ["in/a b.csv", "in/b.csv"], "prefix": "in/"},
    )
    found = lister(tmp_path, "glob", "in/**/*.csv")[1]
    assert found == {"items": ["in/a b.csv", "in/b.csv", "in/deep/d.csv"], "prefix": "in/"}


@pytest.mark.parametrize(
    ("pattern", "prefix"),
    [("*.csv", ""), ("a.csv", ""), ("in/a.csv", "in/"), ("i*/a.csv", ""), ("./in/*", "./in/")],
)
def test_the_prefix_is_the_directory_that_all_begin_with(
    tmp_path: Path, pattern: str, prefix: str
) -> None:
    files(tmp_path, "in/a.csv", "a.csv")
    code, found = lister(tmp_path, "glob", pattern)
    assert (code, found["prefix"], len(found["items"])) == (0, prefix, 1)


def test_no_match_is_an_empty_list(tmp_path: Path) -> None:
    assert lister(tmp_path, "glob", "none/*.csv") == (0, {"items": [], "prefix": "none/"})


def test_more_names_than_may_be_end_the_search(tmp_path: Path) -> None:
    files(tmp_path, *(f"in/{n}" for n in range(4)))
    code, said = lister(tmp_path, "glob", "in/*", most=3)
    assert (code, said) == (1, "more than 3 names match 'in/*'; max_items allows more")


def test_a_json_file_gives_its_list_and_the_types_of_its_items(tmp_path: Path) -> None:
    files(tmp_path, "list.json")
    (tmp_path / "work" / "list.json").write_text('["ä", 2, 1.5]')
    assert lister(tmp_path, "json", "list.json\n") == (0, {"items": ["ä", 2, 1.5], "prefix": ""})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "list.json: No such file or directory"),
        ("a pipe", "list.json: it is no regular file"),
        ("{}", "list.json holds no list, but a dict"),
        ("[1,", "list.json is no JSON: Expecting value"),
    ],
)
def test_a_file_without_a_list_is_told(tmp_path: Path, content: str | None, said: str) -> None:
    (tmp_path / "work").mkdir()
    if content == "a pipe":
        os.mkfifo(tmp_path / "work" / "list.json")
    elif content is not None:
        (tmp_path / "work" / "list.json").write_text(content)
    code, told = lister(tmp_path, "json", "list.json")
    assert code == 1
    assert said in told


def test_a_line_is_an_item_and_an_empty_line_none() -> None:
    assert read_list("command", b"a b\n\n  \nc", 9) == {"items": ["a b", "c"], "prefix": ""}
    assert read_list("command", b"", 9) == {"items": [], "prefix": ""}


def test_a_name_that_is_no_text_is_told(tmp_path: Path) -> None:
    """It was told after which characters of our own JSON."""
    files(tmp_path, "in/ä.csv", os.fsdecode(b"in/b\xe4r.csv"))
    code, told = lister(tmp_path, "glob", "in/*")
    assert (code, told.strip()) == (1, r"item 1 of the list is not UTF-8: in/b\xe4r.csv")
    (tmp_path / "work" / "list.json").write_text(r'["a", "\ud800"]')
    code, told = lister(tmp_path, "json", "list.json")
    assert (code, told.strip()) == (1, r"item 2 of the list is not UTF-8: '\ud800'")
    with pytest.raises(ValueError, match=r"^line 2 of the list is not UTF-8: b\\xe4r$"):
        read_list("command", b"ok\nb\xe4r\nlast", 9)


@pytest.mark.parametrize(
    ("items", "said"),
    [
        (["a"] * 4, "the list has 4 items; max_items allows 3"),
        (["a", "b", "a"], "'a' stands twice in the list: items 1 and 3"),
        ([1, "1"], "'1' stands twice"),
        (["a\tb"], "item 1 of the list has characters that cannot be shown: 'a\\tb'"),
        (["a\x1b[31m"], "item 1 of the list has characters that cannot be shown"),
        (["x" * (MAX_CHARS + 1)], "item 1 of the list is longer than 1,000 characters"),
        ([True], "item 1 of the list is no text and no number: True"),
        ([None], "item 1 of the list is no text and no number: None"),
        ([["a"]], "item 1 of the list is no text and no number: ['a']"),
        ([""], "item 1 of the list is empty"),
        ([float("inf")], "item 1 of the list is no number that can be kept"),
    ],
)
def test_a_list_of_which_no_sheets_can_be_made_is_told(items: list[Any], said: str) -> None:
    with pytest.raises(ValueError) as caught:
        check(items, 3)
    assert said in str(caught.value)


def test_a_list_travels_in_one_message() -> None:
    items = [f"{n}{'x' * 990}" for n in range(2 * MAX_BYTES // 1_000)]
    with pytest.raises(ValueError, match="the items are longer than 1 MiB together"):
        check(items, 10_000)
    with pytest.raises(ValueError, match="the list is longer than 1 MiB"):
        read_list("command", b"x" * (2 * MAX_BYTES + 1), 10)


def test_what_the_worker_makes_is_what_it_may_tell() -> None:
    from marianne.model.result import AttemptResult
    from marianne.run.acceptable import check as acceptable

    listed = read_list("glob", json.dumps({"items": ["a", 1], "prefix": "in/"}).encode(), 9)
    acceptable(AttemptResult(1, 1, "completed", 1.0, 2.0, listed=listed).to_map())
