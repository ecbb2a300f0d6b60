"""What an instrument is given."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scorekit import load, reference

from marianne.score.placeholders import fill, placeholder_names
from marianne.score.prompt import render_prompt, should_skip
from marianne.score.template import TemplateError, render


def short(run: str, **fields: str) -> str:
    extra = "".join(f"\n    {key}: {value}" for key, value in fields.items())
    return f"name: x\nworkspace: /w\nsheets:\n  - name: a\n    run: {run}{extra}"


def test_a_script_is_rendered_and_nothing_is_added() -> None:
    plan = load(short("'echo {{ workspace }} ${#list[@]} {x} {# not a comment #}'"))
    text = render_prompt(plan, plan.sheets[0])
    assert text == "echo /w ${#list[@]} {x} {# not a comment #}"


def test_a_template_changes_nothing_for_the_next_one() -> None:
    names = {"seen": [1]}
    text = "{% set _ = seen.append(2) %}{{ seen | length }}"
    assert [render(text, names) for _ in range(2)] == ["2", "2"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ ().__class__.__bases__ }}", "not allowed"),
        ("{{ x.__init__.__globals__ }}", "not allowed"),
        ("{{ 'a' * 1000000000 }}", "not allowed"),
        ("{{ 9 ** 9 ** 9 }}", "not allowed"),
        ("{% include '/etc/passwd' %}", "cannot include"),
        ("{% for i in range(10**9) %}{% endfor %}", "Range too big"),
        ("{{ nope }}", "'nope' is undefined"),
        ("{{ lipsum(9999) }}", "'lipsum' is undefined"),
        ("{{ '%099999d' % 1 }}", "not allowed"),
        (
            "{% for i in range(9999) %}{% for i in range(9999) %}xx{% endfor %}{% endfor %}",
            "more than",
        ),
        ("{% if %}", "template syntax"),
    ],
)
def test_a_template_cannot_leave_its_sandbox(text: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        render(text, {"x": "text"})


def test_a_template_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marianne.score.template.MAX_SECONDS", 0.01)
    text = "{% for i in range(99999) %}{% for i in range(99999) %}{{ '' }}{% endfor %}{% endfor %}"
    with pytest.raises(TemplateError, match="takes longer than"):
        render(text, {})


def test_the_line_of_an_error_in_a_template_is_known() -> None:
    with pytest.raises(TemplateError) as caught:
        render("a\nb {{ 1 }}\n{{ missing }}\n", {})
    assert (caught.value.line, caught.value.undefined) == (3, "missing")


def test_earlier_outputs_are_seen_within_the_window_by_their_end() -> None:
    plan = load(
        reference(
            "{size: 1, total_items: 3}",
            """
            cross_sheet: {auto_capture_stdout: true, lookback_sheets: 1, max_output_chars: 3}
            prompt:
              template: "{{ previous_outputs }}{{ previous_outputs[1] }}"
            """,
        )
    )
    text = render_prompt(plan, plan.sheets[2], outputs={1: "one", 2: "second"})
    assert text == "{2: 'ond'}"


def test_a_skip_expression_sees_the_earlier_sheets() -> None:
    plan = load(reference("{size: 1, total_items: 2, skip_when: {2: 'sheets[1].exit_code == 0'}}"))
    assert should_skip(plan, plan.sheets[1], {1: {"exit_code": 0}})
    assert not should_skip(plan, plan.sheets[1], {1: {"exit_code": 1}})
    assert not should_skip(plan, plan.sheets[1], {})


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("{% if previous_outputs[2] is defined %}{{ previous_outputs[2] }}{% endif %}", "two"),
        ("{% if previous_outputs[1] is defined %}x{% endif %}", ""),
        ("{{ previous_outputs[1] | default('none yet') }}", "none yet"),
        ("{{ previous_outputs[2] | default('none yet') }}", "two"),
        ("{{ previous_outputs[1] is undefined }}", "True"),
        ("{{ previous_outputs.get(1) }} {{ 1 in previous_outputs }}", "None False"),
        ("{{ previous_files['a.md'] | default('no file') }}", "no file"),
        ("{{ previous_files['a.md'] is defined }}", "False"),
        ("{{ config.depth | default(3) }} {{ config.depth is defined }}", "3 False"),
        # Without a question it is empty text, with all that can be done to text.
        ("[{{ previous_outputs[1] }}{{ previous_outputs[1].strip()[:9] | upper }}]", "[]"),
        ("{{ previous_outputs[1] | length }} {{ previous_outputs[1] | int(7) }}", "0 7"),
        ("{{ previous_outputs[1] + 'a' }}{{ 'a' + previous_outputs[1] ~ 'b' }}", "aab"),
        ("{{ 'x' in previous_outputs[1] }} {{ previous_outputs[1] == '' }}", "False True"),
        ("{% for line in previous_outputs[1].splitlines() %}x{% endfor %}", ""),
        ("{{ previous_outputs[1] | tojson }} {{ previous_outputs[1] | truncate(5) }}", '"" '),
        ("{% if previous_outputs[1] %}x{% else %}y{% endif %}", "y"),
    ],
)
def test_what_is_not_there_is_undefined_to_jinja_and_else_empty_text(
    text: str, rendered: str
) -> None:
    plan = load(
        reference(
            "{size: 1, total_items: 3}",
            """
            cross_sheet: {auto_capture_stdout: true}
            prompt: {variables: {config: {x: 1}}, template: x}
            """,
        )
    )
    sheet = replace(plan.sheets[2], prompt=replace(plan.sheets[2].prompt, template=text))
    assert render_prompt(plan, sheet, outputs={2: "two"}) == rendered


def test_a_skip_expression_may_ask_what_is_known_of_a_sheet() -> None:
    expression = "{2: 'sheets[1].{} is defined'}"
    for field, state, skips in (
        ("exit_code", {"exit_code": 0}, True),
        ("exit_code", {}, True),
        ("mood", {}, False),
    ):
        plan = load(
            reference(f"{{size: 1, total_items: 2, skip_when: {expression.replace('{}', field)}}}")
        )
        assert should_skip(plan, plan.sheets[1], {1: state}) is skips


def test_a_variable_of_the_scores_own_wins_over_a_built_in_and_is_warned_of() -> None:
    plan = load("""
        name: x
        workspace: /w
        variables: {project_root: /other, mine: 1}
        sheets:
          - name: a
            run: echo {{ project_root }} {{ workspace }} {{ stage }} {{ previous_outputs }}
            variables: {stage: last, previous_outputs: mine}
            validate: [{file_exists: "{project_root}/{stage}"}]
          - {name: b, run: 'echo {{ project_root }} {{ stage }}'}
        """)
    texts = [render_prompt(plan, sheet) for sheet in plan.sheets]
    assert texts == ["echo /other /w last mine", "echo /other 2"]
    names = placeholder_names(plan, plan.sheets[0])
    assert fill(plan.sheets[0].validations[0].path or "", names) == "/other/last"
    assert [w for w in plan.warnings if "built-in" in w] == [
        f"<stdin>:{line}: the variable '{name}' replaces the built-in of that name in templates, "
        "conditions excepted"
        for line, name in ((4, "project_root"), (8, "stage"), (8, "previous_outputs"))
    ]


def test_a_variable_of_the_command_line_wins_too_and_is_warned_of() -> None:
    plan = load(short("'echo {{ project_root }}'"), variables={"project_root": "/given"})
    assert render_prompt(plan, plan.sheets[0]) == "echo /given"
    assert [w for w in plan.warnings if "built-in" in w] == [
        "--var project_root replaces the built-in of that name in templates, conditions excepted"
    ]


def test_a_reference_score_that_names_its_project_root_gets_it() -> None:
    plan = load(
        reference(
            "{size: 1, total_items: 1}",
            "prompt: {variables: {project_root: /x}, template: 'in {{ project_root }}'}",
        )
    )
    assert "in /x" in render_prompt(plan, plan.sheets[0])
    assert any("'project_root' replaces the built-in" in warning for warning in plan.warnings)


@pytest.mark.parametrize(
    ("variables", "skip_when", "said"),
    [
        (
            "{job: x}",
            "job == 'x'",
            ["'job' replaces the built-in of that name in skip expressions"],
        ),
        (
            "{sheets: [1]}",
            "sheets[0] == 1",
            ["'sheets' replaces the built-in of that name in skip"],
        ),
        ("{job: x, sheets: y}", None, []),
        ("{today: never}", None, ["'today' replaces the built-in of that name in rules"]),
    ],
)
def test_a_built_in_of_skip_expressions_or_rules_that_is_shadowed_is_warned_of(
    variables: str, skip_when: str | None, said: list[str]
) -> None:
    skip = f', skip_when: "{skip_when}"' if skip_when else ""
    short_form = f"variables: {variables}\nsheets: [{{name: a, run: 'true'{skip}}}]\n"
    section = f'{{2: "{skip_when}"}}' if skip_when else "{}"
    long_form = (
        f"sheet: {{size: 1, total_items: 2, skip_when: {section}}}\n"
        f"prompt: {{template: x, variables: {variables}}}\n"
    )
    for form in (short_form, long_form):
        plan = load(f"name: x\ninstrument: cli\n{form}")
        told = [warning for warning in plan.warnings if "built-in" in warning]
        assert [words in warning for words, warning in zip(said, told, strict=True)] == [
            True for _ in said
        ]
        assert all(warning.startswith("<stdin>:") for warning in told)
        assert should_skip(plan, plan.sheets[-1], {1: {}}) is (skip_when is not None)


def test_a_thinking_method_of_the_conductor_is_for_prompts_that_name_none() -> None:
    own = "prompt: {template: x, thinking_method: MINE}"
    for text, found in (
        (reference("{size: 1, total_items: 1}"), "THEIRS"),
        (reference("{size: 1, total_items: 1}", own), "MINE"),
        (short("'true'"), None),
        ("name: x\ninstrument: claude-code\nsheets: [{name: a, prompt: p}]\n", "THEIRS"),
    ):
        [sheet] = load(text, thinking_method="THEIRS").sheets
        assert sheet.prompt.thinking_method == found
        [sheet] = load(text).sheets
        assert sheet.prompt.thinking_method != "THEIRS"
