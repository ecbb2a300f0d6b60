"""Arguments that do not fit are told by name, with what was expected; those that fit pass."""

from __future__ import annotations

from typing import Any

import pytest

from marianne.cli.errors import CliError
from marianne.mcp import changing, seeing
from marianne.mcp.arguments import check
from marianne.mcp.tool import bad_cursor, fitting, plain, row_cursor

TOOLS = {tool.name: tool for tool in (*seeing.TOOLS, *changing.TOOLS)}


def _said(tool: str, **arguments: Any) -> str:
    with pytest.raises(CliError) as caught:
        check(tool, TOOLS[tool].schema, arguments)
    assert caught.value.code == "invalid_params"
    return caught.value.message


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("output", {}, "output: job is missing (A job's id"),
        ("output", {"job": ""}, "job is empty"),
        ("output", {"job": 3}, "job is a string, not 3"),
        ("output", {"job": "a", "sheet": True}, "sheet is a string or an integer, not True"),
        ("output", {"job": "a", "limit": 2}, "limit is from 64 to 100000, not 2"),
        ("output", {"job": "a", "stream": "x"}, "stream is one of out, err, prompt, not 'x'"),
        ("status", {"jobs": "a"}, "there is no argument 'jobs'; there are job, limit, cursor"),
        ("list", {"all": "yes"}, "all is a boolean, not 'yes'"),
        ("list", {"statuses": "done"}, "statuses is an array, not 'done'"),
        ("list", {"statuses": ["running", "done"]}, "statuses[2] is one of queued, pending,"),
        ("wait", {"job": "a", "seconds": 301}, "seconds is from 0 to 300, not 301"),
        ("run", {"variables": {"a": []}}, "variables.a is a string or an integer or a number"),
        ("run", {"variables": [1]}, "variables is an object, not [1]"),
    ],
)
def test_each_argument_that_does_not_fit_is_named(
    tool: str, arguments: dict[str, Any], words: str
) -> None:
    assert words in _said(tool, **arguments)


def test_all_that_is_wrong_is_told_at_once() -> None:
    said = _said("output", limit=1, what=1)
    assert "job is missing" in said
    assert "limit is from" in said
    assert "no argument 'what'" in said


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("status", {}),
        ("status", {"job": "a", "limit": 500, "cursor": "51"}),
        ("list", {"all": True, "statuses": ["failed"]}),
        ("output", {"job": "a", "sheet": 3, "stream": "err", "attempt": 1, "tail": False}),
        ("output", {"job": "a", "sheet": "build"}),
        ("run", {"text": "x", "variables": {"a": 1, "b": "c", "d": False, "e": 0.5}}),
        ("retry", {"job": "a", "sheets": [1, "build"]}),
    ],
)
def test_what_fits_passes(tool: str, arguments: dict[str, Any]) -> None:
    check(tool, TOOLS[tool].schema, arguments)


def test_every_tool_says_whether_it_changes_anything() -> None:
    for tool in seeing.TOOLS:
        assert tool.to_map()["annotations"]["readOnlyHint"] is True
    for tool in changing.TOOLS:
        assert tool.to_map()["annotations"]["readOnlyHint"] is False
    assert TOOLS["cancel"].to_map()["annotations"]["destructiveHint"] is True


def test_every_argument_is_described_and_every_schema_is_closed() -> None:
    for tool in TOOLS.values():
        told = tool.to_map()["inputSchema"]
        assert told["additionalProperties"] is False
        assert all(one["description"] for one in told["properties"].values())
        assert set(told.get("required", ())) <= set(told["properties"])


def test_values_of_variables_become_what_a_person_would_write() -> None:
    assert plain({"a": True, "b": 3, "c": 0.5, "d": "x"}) == {
        "a": "true",
        "b": "3",
        "c": "0.5",
        "d": "x",
    }


def test_an_answer_has_as_many_rows_as_fit_and_at_least_one() -> None:
    assert fitting([]) == 0
    assert fitting(["x"] * 7) == 7
    assert fitting(["x" * 60_000] * 7) == 1
    assert fitting(["x" * 200_000] * 7) == 1


@pytest.mark.parametrize("given", ["", "-1", "x", "٣", "9" * 30])
def test_a_cursor_that_no_answer_had_is_refused(given: str) -> None:
    with pytest.raises(CliError, match="is no cursor"):
        row_cursor({"cursor": given}, 1)
    assert bad_cursor(given).hint


def test_a_cursor_of_an_answer_is_a_number() -> None:
    assert row_cursor({}, 1) == 1
    assert row_cursor({"cursor": "51"}, 1) == 51
