"""The short form: a list of named sheets becomes a plan."""

from __future__ import annotations

import pytest
from scorekit import load, needs, problems

from marianne.model.errors import ScoreError

PIPELINE = """
name: word-count
workspace: ./out
sheets:
  - name: fetch
    run: seq 1 9 > all.txt
  - name: count
    needs: [fetch]
    run: wc -l < all.txt > lines.txt
    retry: {max_retries: 2, base_delay_seconds: 1}
    timeout: 5m
    validate:
      - file_exists: lines.txt
      - command_succeeds: test -s lines.txt
"""


def test_sheets_are_numbered_in_the_order_of_the_list() -> None:
    plan = load(PIPELINE, base_dir="/scores")
    assert [(s.num, s.name, s.needs) for s in plan.sheets] == [(1, "fetch", ()), (2, "count", (1,))]
    assert plan.workspace == "/scores/out"


def test_a_sheet_without_needs_depends_on_nothing() -> None:
    plan = load("name: x\nsheets: [{name: a, run: 'true'}, {name: b, run: 'true'}]")
    assert needs(plan) == [(), ()]


def test_a_run_sheet_has_no_retries_and_no_time_limit_unless_asked() -> None:
    fetch, count = load(PIPELINE).sheets
    assert (fetch.retry.max_retries, fetch.timeout_seconds) == (0, None)
    assert (count.retry.max_retries, count.retry.base_delay, count.timeout_seconds) == (2, 1, 300)


def test_rules_are_written_as_one_key_maps() -> None:
    exists, command = load(PIPELINE).sheets[1].validations
    assert (exists.type, exists.path) == ("file_exists", "lines.txt")
    assert (command.type, command.command) == ("command_succeeds", "test -s lines.txt")


def test_each_makes_a_sheet_for_every_value() -> None:
    plan = load("""
        name: x
        sheets:
          - {name: split, run: "true"}
          - {name: sort, needs: [split], each: [a, b, 3], run: "sort {{ item }}"}
          - {name: check, needs: [sort], fan_out: 3, run: "true"}
          - {name: merge, needs: [check], run: "true"}
        """)
    assert [s.name for s in plan.sheets[1:4]] == ["sort-1", "sort-2", "sort-3"]
    assert [s.item for s in plan.sheets[1:4]] == ["a", "b", 3]
    assert needs(plan) == [(), (1,), (1,), (1,), (2,), (3,), (4,), (5, 6, 7)]


def test_a_variable_from_outside_wins_over_the_scores() -> None:
    text = "name: x\nvariables: {n: 1}\nsheets: [{name: a, run: 'echo {{ n }} {{ m }}'}]"
    plan = load(text, variables={"n": "7", "m": "8"})
    assert plan.sheets[0].prompt.variables == {"n": "7", "m": "8"}
    assert plan.warnings == ()


def test_a_variable_from_outside_that_nothing_uses_is_warned_of() -> None:
    plan = load(
        "name: x\nsheets: [{name: a, run: 'echo {{ who }}'}]", variables={"who": "w", "wo": ""}
    )
    assert plan.warnings == ("--var wo: nothing in the score is called so",)


def test_everything_wrong_is_told_at_once_with_its_place() -> None:
    assert problems("""\
        name: bad
        sheets:
          - name: a
            neds: [b]
            run: 5
            timeout: 5 parsecs
          - name: b
            run: echo
            validate: [{file_exist: x}]
        """) == [
        "4:5: sheets[0].neds: unknown key; did you mean 'needs'?",
        "5:10: sheets[0].run: must be text; put it in quotes: '5'",
        "6:14: sheets[0].timeout: '5 parsecs' is no duration: "
        "write seconds, or text like 90s, 5m or 1h30m",
        "9:17: sheets[1].validate[0].file_exist: unknown key; did you mean 'file_exists'?",
    ]


@pytest.mark.parametrize(
    ("written", "read"),
    [("on", "true"), ("Yes", "true"), ("off", "false"), ("1.10", "1.1"), ("012", "10")],
)
def test_a_name_that_yaml_takes_for_something_else_is_explained(written: str, read: str) -> None:
    said = f"must be text; YAML reads {written} as {read}: put it in quotes: '{written}'"
    assert problems(f"name: {written}\nsheets: [{{name: a, run: echo}}]") == [f"1:7: name: {said}"]
    assert problems(f"name: x\nsheets: [{{name: {written}, run: echo}}]") == [
        f"2:17: sheets[0].name: {said}"
    ]


def test_names_needs_and_templates_are_checked_together() -> None:
    found = problems("""\
        name: bad
        sheets:
          - name: a
            needs: [b, zz]
            run: |
              echo hi
              echo {{ nme }}
          - name: b
            needs: [a]
            instrument: clii
            prompt: hello
          - name: b
            run: "{% for %}"
        """)
    assert [line.split(";")[0] for line in found] == [
        "4:12: sheets[0].needs: circular dependency: a -> b -> a",
        "4:16: sheets[0].needs[1]: no sheet is called 'zz'",
        "7:1: sheets[0].run: 'nme' is undefined",
        "10:17: sheets[1].instrument: no instrument is called 'clii'",
        "12:11: sheets[2].name: two sheets are called 'b'",
        "13:10: sheets[2].run: template syntax: Expected an expression, "
        "got 'end of statement block'",
    ]
    assert "did you mean 'cli'" in found[3]


def test_words_of_other_tools_are_understood_in_hints() -> None:
    found = problems("""\
        name: bad
        sheets:
          - name: a
            depends_on: [b]
            command: make
            retry: 2
            each: [yes, {}]
        """)
    assert [line.split("; ")[-1] for line in found] == [
        "did you mean 'needs'?",
        "4:18: sheets[0].depends_on[0]: no sheet is called 'b'",
        "did you mean 'run'?",
        "write {max_retries: 2}",
        "7:12: sheets[0].each[0]: true and false (also yes, no, on, off) "
        "must be put in quotes here",
        "7:17: sheets[0].each[1]: a value is text or a number here",
    ]


# -- whatever comes of it ------------------------------------------------------------------------


def needs_of(sheets: str) -> dict[str, tuple[int, ...]]:
    plan = load(f"name: x\nsheets:\n{sheets}")
    return {sheet.name: sheet.needs for sheet in plan.sheets}


def test_a_cleanup_without_needs_waits_for_all_that_say_no_when() -> None:
    sheets = """
  - {name: tidy, when: always, run: 'true'}
  - {name: a, run: 'true', fan_out: 2}
  - {name: alarm, when: failed, run: 'true', fan_out: 2}
  - {name: b, needs: [a], run: 'true', fan_out: 2}
  - {name: mourn, needs: [alarm], run: 'true'}
  - {name: wipe, needs: [tidy], run: 'true'}
"""
    found = needs_of(sheets)
    assert found["tidy"] == (2, 3, 6, 7)
    assert found["alarm-1"] == found["alarm-2"] == (2, 3, 6, 7), "each waits for all of them"
    assert found["b-1"] == (2,)


@pytest.mark.parametrize(
    ("sheet", "said"),
    [
        ("when: sometimes", "sheets[0].when"),
        ("after_cancel: true", "after_cancel needs 'when: always' or 'when: failed'"),
        ("env: {1A: x}", "a name in 'env' is made of letters"),
        ("env: {MARIANNE_OWNER: x}", "this name is set by Marianne"),
        ("env: {A: yes}", "put true, false, yes, no in quotes"),
        ("env: {A: '{{ nosuch }}'}", "sheets[0].env.A: 'nosuch' is undefined"),
        ("cwd: '{{ nosuch }}'", "sheets[0].cwd: 'nosuch' is undefined"),
    ],
)
def test_what_cannot_be_meant_of_a_sheet_is_refused_where_it_stands(sheet: str, said: str) -> None:
    with pytest.raises(ScoreError) as error:
        load(f"name: x\nsheets:\n  - {{name: a, run: 'true', {sheet}}}\n")
    assert said in str(error.value)
