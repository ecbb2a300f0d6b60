"""Placeholders and conditions: the small languages inside rules."""

from __future__ import annotations

import pytest
from scorekit import load, problems, reference

from marianne.score.condition import applies, parse
from marianne.score.placeholders import fill, fill_command, placeholder_names
from marianne.score.variables import BUILTIN_NAMES, builtin_variables

NAMES = {"workspace": "/w s", "instance": 3, "item": "a b", "many": [1], "none": None}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{workspace}/x", "/w s/x"),
        ("{{ workspace }}/x", "/w s/x"),
        ("part-{instance:02d}.md", "part-03.md"),
        (r"\d{4} {unknown} {} {0} {a b}", r"\d{4} {unknown} {} {0} {a b}"),
        ("${instance} ${workspace}", "${instance} ${workspace}"),
        ("awk '{print $1}' {many} {none}", "awk '{print $1}' {many} {none}"),
        ("{instance:nonsense}", "{instance:nonsense}"),
    ],
)
def test_only_known_names_are_replaced(text: str, filled: str) -> None:
    assert fill(text, NAMES) == filled


def test_values_are_quoted_in_commands() -> None:
    assert fill_command("cat {workspace}/{item} {instance}", NAMES) == "cat '/w s'/'a b' 3"
    assert fill_command("echo {x}", {"x": "$(rm -rf /); '"}) == "echo '$(rm -rf /); '\"'\"''"


def test_a_value_is_not_filled_again() -> None:
    assert fill("{a}", {"a": "{b}", "b": "x"}) == "{b}"


def test_today_and_a_built_in_can_be_variables_of_the_score() -> None:
    plan = load(reference("{size: 1, total_items: 1}"))
    assert len(fill("{today}", placeholder_names(plan, plan.sheets[0]))) == 10
    plan = load(
        reference(
            "{size: 1, total_items: 1}",
            "prompt: {template: x, variables: {today: monday, workspace: mine}}",
        )
    )
    names = placeholder_names(plan, plan.sheets[0])
    assert fill("{today} {workspace}", names) == "monday mine"


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (None, True),
        ("", True),
        ("stage == 2", True),
        ("stage==2", True),
        ("stage != 2", False),
        ("stage >= 2 and instance < 4", True),
        ("stage > 2", False),
        ("stage <= 1", False),
        ("stage == 2 and instance == 1", False),
        ("stage == -2", False),
        ("unknown == 1", True),
        ("unknown == 1 and stage == 1", False),
        ("name == 1", True),
        ("stage == two", True),
        ("stage == 1 or stage == 2", True),
        ("stage is 2", True),
    ],
)
def test_conditions(condition: str | None, holds: bool) -> None:
    assert applies(condition, {"stage": 2, "instance": 3, "name": "x"}) is holds


def test_what_is_no_condition_is_told_apart() -> None:
    assert parse("stage == 1 or stage == 2") is None
    terms = parse("stage == 1 and x<2")
    assert terms is not None
    assert [(name, number) for name, _, number in terms] == [("stage", 1), ("x", 2)]


def test_a_condition_that_can_never_tell_is_warned_of() -> None:
    plan = load(
        reference(
            "{size: 1, total_items: 1}",
            """
            validations:
              - {type: file_exists, path: a, condition: stagge == 1}
              - {type: file_exists, path: b, condition: stage in 1}
            """,
        )
    )
    assert "'stagge' is unknown" in plan.warnings[0]
    assert "did you mean 'stage'?" in plan.warnings[0]
    assert "'stage in 1' cannot be read" in plan.warnings[1]


def test_an_unknown_name_in_a_path_is_warned_of() -> None:
    plan = load("""
        name: x
        sheets:
          - {name: a, each: [1], run: "true", validate: [{file_exists: "{itm}/{item}/{today}"}]}
        """)
    assert plan.warnings == (
        "line 4: '{itm}' in a path is unknown: it stays as it is (did you mean 'item'?)",
    )
    assert set(builtin_variables(plan, plan.sheets[0])) == set(BUILTIN_NAMES)


def test_templates_in_paths_are_checked() -> None:
    found = problems("""
        name: x
        instrument: cli
        cross_sheet: {capture_files: ["{{ wrkspace }}/*.md"]}
        inject: [{file: "{{ nowhere }}"}]
        sheets: [{name: a, prompt: x}]
        """)
    assert "a capture_files pattern, '{{ wrkspace }}/*.md': 'wrkspace' is undefined" in found[1]
    assert "did you mean 'workspace'?" in found[1]
    assert "an injected path, '{{ nowhere }}': 'nowhere' is undefined" in found[0]
