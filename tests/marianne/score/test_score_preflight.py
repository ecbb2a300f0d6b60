"""A prompt that is too long is told before anything runs, at its place."""

from __future__ import annotations

from scorekit import load, problems

from marianne.score.preflight import PromptLimits

LONG = "word " * 3_000
SCORE = f"""
name: x
instrument: cli
sheets:
  - name: a
    prompt: {LONG}
  - name: b
    run: echo {LONG}
"""


def test_a_prompt_over_the_error_threshold_is_refused_where_it_stands() -> None:
    assert problems(SCORE, prompts=PromptLimits(5, 10)) == [
        "6:13: sheets[0].prompt: the prompt has about 3,749 tokens, "
        "preflight.token_error_threshold is 10; shorten it, or set another limit in conductor.yaml"
    ]


def test_a_prompt_over_the_warning_threshold_runs_and_is_warned_of() -> None:
    [warning] = load(SCORE, prompts=PromptLimits(3_000, 100_000)).warnings
    assert warning == (
        "<stdin>:6: the prompt has about 3,749 tokens, preflight.token_warning_threshold is 3,000"
    )


def test_without_limits_a_prompt_may_be_of_any_length() -> None:
    assert load(SCORE, prompts=PromptLimits(0, 0)).warnings == ()


def test_what_counts_is_the_rendered_text_and_not_the_template() -> None:
    text = f"{{% if stage == 9 %}}{LONG}{{% endif %}}short"
    score = f"name: x\ninstrument: cli\nsheets:\n  - name: a\n    prompt: '{text}'\n"
    assert load(score, prompts=PromptLimits(5, 10)).warnings == ()
    repeated = "name: x\ninstrument: cli\nsheets: [{name: a, prompt: \"{{ 'word ' * 3000 }}\"}]\n"
    assert len(problems(repeated, prompts=PromptLimits(5, 10))) == 1


def test_an_estimate_is_a_quarter_of_the_characters() -> None:
    limits = PromptLimits(10, 20)
    assert [limits.refusal(79), limits.remark(39)] == [None, None]
    assert limits.refusal(80) is not None
    assert limits.remark(40) is not None
