"""What an instrument is given."""

from __future__ import annotations

import pytest
from scorekit import load, reference

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
