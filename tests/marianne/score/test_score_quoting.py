"""What an earlier sheet or a person wrote is data in a script only where it is quoted."""

from __future__ import annotations

import subprocess

import pytest
from scorekit import load

from marianne.score.prompt import render_prompt
from marianne.score.quoting import unquoted
from marianne.score.template import render

EVIL = "$(touch /tmp/x); `id` 'a' \"b\" \\ \n*"


def score(run: str, more: str = "") -> str:
    script = "\n      ".join(run.splitlines())
    return (
        f"name: x\nworkspace: /w\ncross_sheet: {{auto_capture_stdout: true}}\n{more}sheets:\n"
        f"  - name: a\n    run: echo\n  - name: b\n    needs: [a]\n    run: |\n      {script}\n"
    )


@pytest.mark.parametrize(
    "text", ["{{ v | q }}", "{{ v|q }}", "{{ [v][0] | q }}", "{% if 1 %}{{v|q}}{% endif %}"]
)
@pytest.mark.parametrize("value", [EVIL, "", "-n", 7, "é"])
def test_q_makes_one_word_of_anything(text: str, value: object) -> None:
    script = "printf '%s' " + render(text, {"v": value}, script=True)
    said = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout == str(value)


def test_q_makes_a_word_of_each_entry_of_a_list() -> None:
    script = "printf '<%s>' " + render("{{ v | q }}", {"v": ["a b", "c;d"]}, script=True)
    said = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout == "<a b><c;d>"


@pytest.mark.parametrize(
    "run",
    [
        'echo "{{ previous_outputs[1] }}"',
        "echo {{ previous_outputs[1] | trim }}",
        "{% for line in previous_outputs[1].splitlines() %}{{ line }}\n{% endfor %}",
        "{% set x = previous_outputs[1] %}{% set y = x ~ 'a' %}echo {{ y }}",
        "echo {{ 'a' if 1 else previous_outputs[1] }}",
        "{% for n, text in previous_outputs.items() %}{{ text }}{% endfor %}",
    ],
)
def test_earlier_output_that_is_not_quoted_is_warned_of(run: str) -> None:
    [warning] = load(score(run)).warnings
    assert warning.startswith("sheet 'b': previous_outputs stands unquoted")
    assert "| q" in warning


@pytest.mark.parametrize(
    "run",
    [
        "echo {{ previous_outputs[1] | q }}",
        "echo {{ previous_outputs[1] | trim | q }}",
        "echo {{ previous_outputs[1] | length }}",
        "{% if 'x' in previous_outputs[1] %}echo yes{% endif %}",
        "{% for line in previous_outputs[1].splitlines() %}echo {{ line | q }}\n{% endfor %}",
        "echo {{ 'x' in previous_outputs[1] }} {{ sheet_num }} {{ workspace }}",
    ],
)
def test_what_is_quoted_or_only_asked_about_is_not(run: str) -> None:
    assert load(score(run)).warnings == ()


def test_a_variable_is_warned_of_where_its_value_acts() -> None:
    more = "variables: {plain: 'a b', acts: 'a; b', listed: [a, 'b$c']}\n"
    run = "echo {{ plain }} {{ acts }} {{ listed }} {{ acts | q }}"
    warnings = load(score(run, more)).warnings
    assert ["acts" in warnings[0], "listed" in warnings[1], len(warnings)] == [True, True, 2]
    assert load(score(run, more), variables={"acts": "x", "listed": "y"}).warnings == ()


VALUES = """variables: {two: a b, dollar: 'a$b', pipe: 'a|b', quote: "it's", options: -x -y}\n"""


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("cat {{ two }}", "two stands unquoted in a script, and its value has blanks"),
        ("x={{ two }}", "several words"),
        ("true > {{ two }}", "several words"),
        ("cp {{ options }} {{ two }} /tmp", "write {{ two | q }}"),
        ("{% if 1 %}cat {{ two }}{% endif %}", "several words"),
        ("if [ {{ two }} = x ]; then :; fi", "several words"),
        ('echo "{{ dollar }}"', 'in double quotes in a script, where $, `, " or \\'),
        ("echo '{{ quote }}'", "in single quotes in a script, where ' in its value"),
        ("echo {{ pipe }}", "characters that a shell acts upon"),
        ('echo "$(grep {{ pipe }} f)"', "characters that a shell acts upon"),
        ("cat <<E\n{{ dollar }}\nE\n", "characters that a shell acts upon"),
    ],
)
def test_it_is_said_what_the_shell_does_to_a_value(run: str, words: str) -> None:
    [warning] = load(score(run, VALUES)).warnings
    assert words in warning
    assert "| q }}" in warning


@pytest.mark.parametrize(
    "run",
    [
        "cat \"{{ two }}\" '{{ two }}' {{ two | q }}",
        'x="{{ two }}"; grep "{{ pipe }}" f; grep \'{{ dollar }}\' f',
        "echo {{ two }}; printf '%s' {{ two }}; eval {{ two }}",
        "gcc {{ options }} a.c",
        "{{ two }} c",
        "for f in {{ two }}; do echo; done",
        "true # {{ two }}",
        "cat <<E\n{{ two }}\nE\n",
        "ls !({{ two }})",
        "[[ {{ two }} ]]",
    ],
)
def test_where_it_is_one_word_or_meant_as_more_nothing_is_said(run: str) -> None:
    assert load(score(run, VALUES)).warnings == ()


def test_a_value_of_each_and_a_place_are_values_too() -> None:
    text = (
        "name: x\nworkspace: /my work\nsheets:\n  - {name: a, each: [a b, c], run: 'wc {{ item }}'}"
    )
    (warning,) = load(text).warnings
    assert warning.startswith("sheet 'a-1': the variable item stands unquoted")
    (warning,) = load(text.replace("{{ item }}", "{{ workspace }}/f"), variables={}).warnings[:1]
    assert "the variable workspace" in warning


def test_a_list_makes_a_word_of_each_entry_and_is_no_reason_to_warn() -> None:
    more = "variables: {files: [a b, c]}\n"
    assert load(score("cat {{ files | q }}", more)).warnings == ()


def test_a_prompt_is_no_script() -> None:
    text = (
        "name: x\nworkspace: /w\ncross_sheet: {auto_capture_stdout: true}\nsheets:\n"
        "  - {name: a, run: echo}\n"
        "  - {name: b, needs: [a], instrument: cli, prompt: '{{ previous_outputs[1] }}'}\n"
    )
    assert not any("unquoted" in warning for warning in load(text).warnings)


def test_a_quoted_output_reaches_the_script_as_data() -> None:
    plan = load(score("printf '%s' {{ previous_outputs[1] | q }}"))
    text = render_prompt(plan, plan.sheets[1], outputs={1: EVIL})
    said = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=True)
    assert said.stdout == EVIL


def test_names_are_found_without_jinja_too() -> None:
    assert unquoted("{{ a }} {{ b | q }} {{c|q}} {{d}}") == {"a", "d"}
