"""Typed parameters: what a run may be given, and what it is told when it was given something
else."""

from __future__ import annotations

from typing import Any

import pytest
from scorekit import load, problems

from marianne.model.plan import Plan
from marianne.score.pack import pack_plan, unpack_plan
from marianne.score.prompt import render_prompt

SCORE = """
    name: x
    params:
      n: int
      mode: [fast, slow, 3]
      rate: {type: float, default: 1}
      dry: {type: bool, default: false}
      input: {type: path, default: data/in.csv}
      label: {type: str, required: false, description: a word}
    variables: {greeting: hello}
    sheets:
      - {name: a, run: 'echo {{ n + 1 }} {{ mode }} {{ rate }} {{ dry }} {{ input }} {{ label }}'}
"""
FITTING = {"n": "3", "mode": "fast"}


def given(**variables: str) -> Plan:
    return load(SCORE, variables={**FITTING, **variables}, base_dir="/scores")


def wrong(**variables: str) -> list[str]:
    return problems(SCORE, variables={**FITTING, **variables}, base_dir="/scores")


def test_a_value_is_of_its_type_in_templates() -> None:
    plan = given(rate="2.5", dry="yes", input="/data/b.csv", label="1.10")
    assert render_prompt(plan, plan.sheet(1)) == "echo 4 fast 2.5 True /data/b.csv 1.10"


def test_what_is_not_given_is_its_default_a_path_beside_the_score() -> None:
    plan = given(mode="3")
    assert render_prompt(plan, plan.sheet(1)) == "echo 4 3 1.0 False /scores/data/in.csv None"
    assert plan.params["mode"]["value"] == 3  # a choice is what the score wrote


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("n", "x", "must be a whole number"),
        ("n", "1.0", "must be a whole number"),
        ("n", "1_000", "must be a whole number"),
        ("n", "9" * 16, "must be a whole number"),
        ("rate", "nan", "must be a number"),
        ("dry", "maybe", "must be true or false"),
        ("input", "", "must be a path"),
        ("mode", "fsat", "must be one of fast, slow, 3 (did you mean 'fast'?)"),
    ],
)
def test_a_value_of_another_type_is_told_where_the_parameter_stands(
    name: str, text: str, said: str
) -> None:
    (line,) = wrong(**{name: text})
    assert f": params.{name}: --var {name}={text[:100]}: {said}" in line


def test_a_parameter_that_must_be_given_names_how() -> None:
    (line,) = problems(SCORE, variables={"mode": "fast"})
    assert line == "4:6: params.n: 'n' is not given; add --var n=3"


def test_a_name_that_is_no_parameter_is_an_error_that_lists_them() -> None:
    (line,) = wrong(mood="fast")
    assert line.startswith(
        "3:1: params: --var mood: no parameter is called so; did you mean 'mode'?"
    )
    assert line.endswith("the score has: n, mode, rate, dry, input, label")


def test_a_variable_of_the_score_may_still_be_given_as_text() -> None:
    plan = given(greeting="3")
    assert plan.variables["greeting"] == "3"


def test_without_params_every_value_stays_a_text() -> None:
    plan = load("name: x\nsheets: [{name: a, run: 'echo {{ n * 2 }}'}]", variables={"n": "3"})
    assert render_prompt(plan, plan.sheet(1)) == "echo 33"
    assert plan.params == {}


def test_the_reference_form_has_them_too() -> None:
    text = (
        "name: x\ninstrument: cli\nparams: {n: int}\n"
        "sheet: {size: 1, total_items: 1}\nprompt: {template: '{{ n + 1 }}'}"
    )
    plan = load(text, variables={"n": "1"})
    assert render_prompt(plan, plan.sheet(1)) == "2"


def test_a_sheets_variable_wins_over_a_default_and_not_over_what_is_given() -> None:
    text = """
        name: x
        params: {n: {type: int, default: 1}}
        sheets: [{name: a, run: 'echo {{ n }}', variables: {n: 2}}]
    """
    for variables, said in (({}, "echo 2"), ({"n": "3"}, "echo 3")):
        plan = load(text, variables=variables)
        assert render_prompt(plan, plan.sheet(1)) == said


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ("n: integer", "a type is one of str, int, float, bool, path, or a list of choices"),
        ("n: [yes, fast]", "a choice is text or a number"),
        ("n: []", "must not be empty"),
        ("n: {type: int, default: x}", "the default 'x' is not a whole number"),
        ("n: {type: str, default: 1.10}", "the default 1.1 is not text (put it in quotes)"),
        ("n: {type: [a, b], default: c}", "the default 'c' is not one of a, b"),
        ("n: {type: int, default: 1, required: true}", "it cannot be required as well"),
        ("a-b: int", "'a-b' is no name of a variable"),
        ("n: {type: int, defualt: 3}", "unknown key; did you mean 'default'?"),
        ("n: {type: int, default: [1]}", "a default is text, a number of at most 15 digits"),
        ("v: {type: int, default: 1}", "'v' is one of params already"),
    ],
)
def test_a_declaration_that_cannot_be_meant_is_an_error(declared: str, said: str) -> None:
    text = (
        f"name: x\nvariables: {{v: 1}}\nparams: {{{declared}}}\nsheets: [{{name: a, run: 'true'}}]"
    )
    found = problems(text, variables={"n": "1"} if declared.startswith("n: {type: int, d") else {})
    assert any(said in line for line in found), found


def test_other_errors_are_told_beside_a_wrong_value() -> None:
    found = problems(
        "name: x\nparams: {n: int}\nsheets: [{name: a, run: 'echo {{ n }} {{ m }}'}]",
        variables={"n": "x"},
    )
    assert len(found) == 2
    assert "'m' is undefined" in found[1]


def test_what_is_shown_of_them_outlives_packing() -> None:
    plan = given()
    shown: dict[str, Any] = unpack_plan(pack_plan(plan)).params
    assert shown == plan.params
    assert shown["n"] == {
        "type": "int",
        "value": 3,
        "given": True,
        "default": None,
        "required": True,
        "description": None,
    }
