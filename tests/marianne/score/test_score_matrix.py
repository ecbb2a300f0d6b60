"""A matrix: which combinations there are, what their sheets are called, what they know."""

from __future__ import annotations

import pytest
from scorekit import load, needs, problems

from marianne.score.matrix import combinations, labels
from marianne.score.pack import pack_plan, unpack_plan
from marianne.score.placeholders import placeholder_names
from marianne.score.prompt import render_prompt


def test_every_value_goes_with_every_other_in_the_order_of_the_text() -> None:
    found = combinations({"os": ["linux", "mac"], "python": ["3.11", "3.13"]}, [], [])
    assert [tuple(one.values()) for one in found] == [
        ("linux", "3.11"),
        ("linux", "3.13"),
        ("mac", "3.11"),
        ("mac", "3.13"),
    ]


def test_what_has_all_the_values_of_an_exclude_is_left_out() -> None:
    keys = {"os": ["linux", "mac"], "python": ["3.11", "3.13"]}
    assert len(combinations(keys, [], [{"os": "mac"}])) == 2
    assert len(combinations(keys, [], [{"os": "mac", "python": "3.11"}])) == 3
    assert len(combinations(keys, [], [{"os": "mac", "python": "3.9"}])) == 4


def test_includes_are_those_of_the_manual_of_github_actions() -> None:
    """The example of its page on matrices: what is added may be overwritten by a later one, what
    is written is not, and a combination that an include has made is extended by no other."""
    found = combinations(
        {"fruit": ["apple", "pear"], "animal": ["cat", "dog"]},
        [
            {"color": "green"},
            {"color": "pink", "animal": "cat"},
            {"fruit": "apple", "shape": "circle"},
            {"fruit": "banana"},
            {"fruit": "banana", "animal": "cat"},
        ],
        [],
    )
    assert found == [
        {"fruit": "apple", "animal": "cat", "color": "pink", "shape": "circle"},
        {"fruit": "apple", "animal": "dog", "color": "green", "shape": "circle"},
        {"fruit": "pear", "animal": "cat", "color": "pink"},
        {"fruit": "pear", "animal": "dog", "color": "green"},
        {"fruit": "banana"},
        {"fruit": "banana", "animal": "cat"},
    ]


def test_excludes_come_before_includes() -> None:
    found = combinations({"os": ["linux", "mac"]}, [{"os": "mac", "slow": 1}], [{"os": "mac"}])
    assert found == [{"os": "linux"}, {"os": "mac", "slow": 1}]


def test_labels_are_values_and_name_their_keys_where_two_would_be_the_same() -> None:
    assert labels([{"a": "x", "b": 1}, {"a": "y", "b": 1}]) == ["x-1", "y-1"]
    assert labels([{"a": "x-y", "b": "z"}, {"a": "x", "b": "y-z"}]) == ["a=x-y,b=z", "a=x,b=y-z"]
    twice = labels([{"a": "x", "b": "y"}, {"a": "x,b=y"}, {"a": "x", "b": "y"}])
    assert len(set(twice)) == 3


SCORE = """
    name: x
    variables: {os: other, tool: pytest}
    sheets:
      - name: build
        matrix: {os: [linux, mac]}
        run: echo {{ os }}
      - name: test
        needs: [build]
        matrix:
          python: ["3.11", "3.13"]
          os: [linux, mac]
          exclude: [{python: "3.11", os: mac}]
          include: [{python: "3.13", flags: -X dev}, {python: "3.14", os: linux, flags: -q}]
        run: "{{ tool }} {{ python }} {{ os }} {{ flags | default('') }} {{ item.os }}"
        validate:
          - {file_exists: "{python}.{os}"}
          - {file_exists: first, condition: instance == 1}
      - name: all
        needs: [test]
        run: "true"
"""


def test_a_sheet_is_named_by_its_values_and_has_them_as_names() -> None:
    plan = load(SCORE)
    assert [sheet.name for sheet in plan.sheets] == [
        "build[linux]",
        "build[mac]",
        "test[3.11-linux]",
        "test[3.13-linux--X dev]",
        "test[3.13-mac--X dev]",
        "test[3.14-linux--q]",
        "all",
    ]
    assert render_prompt(plan, plan.sheet(5)) == "pytest 3.13 mac -X dev mac"
    assert placeholder_names(plan, plan.sheet(6))["python"] == "3.14"
    assert [len(sheet.validations) for sheet in plan.sheets[2:6]] == [2, 1, 1, 1]
    assert unpack_plan(pack_plan(plan)) == plan


def test_needs_go_by_the_numbers_on_both_sides() -> None:
    plan = load(SCORE)
    assert needs(plan)[2:] == [(1, 2)] * 4 + [(3, 4, 5, 6)]


def test_one_combination_has_its_values_in_its_name_too() -> None:
    plan = load("name: x\nsheets: [{name: a, matrix: {os: [linux]}, run: 'true'}]")
    assert plan.sheet(1).name == "a[linux]"


def test_a_matrix_may_consist_of_includes_alone() -> None:
    plan = load(
        "name: x\nsheets: [{name: a, run: 'echo {{ v }}',"
        " matrix: {include: [{v: 1}, {v: 2}], exclude: []}}]"
    )
    assert [sheet.name for sheet in plan.sheets] == ["a[1]", "a[2]"]


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        ("{os: linux}", "matrix.os: must be a list; write [linux]"),
        ("{os: []}", "matrix.os: must not be empty"),
        ("{os: [[a]]}", "matrix.os[0]: a value is text or a number here"),
        ("{os: [yes]}", "matrix.os[0]: true and false (also yes, no, on, off)"),
        ("{}", "matrix: a matrix has keys with lists of values, or 'include'"),
        ("{exclude: [{a: b}]}", "matrix: a matrix has keys with lists of values, or 'include'"),
        ("{my-os: [a]}", "matrix: 'my-os' is no name of a variable"),
        ("{item: [a]}", "matrix: 'item' is a built-in name"),
        ("{os: [a], include: [{a-b: 1}]}", "matrix: 'a-b' is no name of a variable"),
        ("{os: [a], include: [a]}", "matrix.include[0]: must be a map"),
        ("{os: [a], exclude: [{so: a}]}", "matrix.exclude[0].so: no key of the matrix is called"),
        ("{os: [a], exclude: [{os: a}]}", "matrix: no combination is left: all are excluded"),
        (f"{{a: {list(range(400))}, b: {list(range(400))}}}", "has 160,000 combinations"),
    ],
)
def test_a_matrix_that_cannot_be_meant_is_an_error(matrix: str, said: str) -> None:
    found = problems(f"name: x\nsheets: [{{name: a, run: 'true', matrix: {matrix}}}]")
    assert any(said in line for line in found), found


def test_one_word_says_how_many_sheets_an_entry_is() -> None:
    found = problems("name: x\nsheets: [{name: a, run: 'true', matrix: {a: [1]}, each: [b]}]")
    assert any("has each and matrix: one of them says" in line for line in found), found
