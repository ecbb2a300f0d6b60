"""A sheet is shown as it will be executed; what only a run can know is marked, never guessed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from scorekit import load

from marianne.instruments.command import allowed_environment, build_command
from marianne.model.plan import Plan
from marianne.score.preview import PROMPT_FILE, preview_plan, preview_sheet
from marianne.score.prompt import render_prompt

HEAD = """
name: look
workspace: /w
cross_sheet: {auto_capture_stdout: true, capture_files: ["*.md"]}
variables: {year: 2026}
sheets:
  - {name: a, run: echo}
"""


def second(text: str, more: str = "") -> Any:
    """The preview of a script that needs the first sheet."""
    script = "\n      ".join(text.splitlines())
    plan = load(f"{HEAD}  - name: b\n    needs: [a]\n    run: |\n      {script}\n{more}")
    return preview_sheet(plan, plan.sheets[1])


def test_a_script_is_shown_as_it_is_started() -> None:
    plan = load(f"{HEAD}  - {{name: b, needs: [a], timeout: 5m, run: 'echo {{{{ year }}}} >f'}}\n")
    sheet = plan.sheets[1]
    shown = preview_sheet(plan, sheet)
    text = render_prompt(plan, sheet)
    command = build_command(sheet.instrument, text, PROMPT_FILE, 300.0, "/w")
    assert (shown["prompt"], shown["rendered"], shown["at_run"]) == ("echo 2026 >f", True, [])
    assert shown["command"] == list(command.argv)
    assert (shown["stdin"], shown["working_directory"]) == (None, "/w")
    assert (shown["variables"], shown["timeout_seconds"]) == ({"year": 2026}, 300.0)
    assert (shown["needs"], shown["instrument"]) == ([1], "shell")
    assert shown["environment"] == {"MARIANNE_SHEET": "2", "MARIANNE_ATTEMPT": "1"}


def test_an_agent_is_shown_with_the_whole_of_its_prompt(tmp_path: Path) -> None:
    (tmp_path / ".marianne" / "instruments").mkdir(parents=True)
    profile = """
        name: scribe
        cli:
          command:
            {executable: cat, model_flag: --model, env: {MODE: fast, TOKEN: "${SECRET}"},
             required_env: [SECRET]}
    """
    (tmp_path / ".marianne" / "instruments" / "scribe.yaml").write_text(profile)
    text = """
        name: look
        workspace: /w
        instrument: scribe
        inject: [{file: notes.md, as: skill}]
        sheets:
          - name: a
            model: large
            instrument_config: {working_directory: sub}
            prompt: hello
            validate: [{file_exists: f}]
    """
    plan = load(text, str(tmp_path))
    (shown,) = preview_plan(plan)["sheets"]
    given = render_prompt(plan, plan.sheets[0], injected={"skill": "⟨skill from notes.md⟩"})
    assert shown["prompt"] == given
    assert shown["at_run"] == ["skill from notes.md"]
    assert shown["command"] == ["cat", "--model", "large"]
    assert (shown["stdin"], shown["working_directory"]) == ("⟨the text⟩", "/w/sub")
    assert shown["environment"]["MODE"] == "fast"
    assert shown["environment"]["TOKEN"] == "${SECRET}", "what it stands for is nobody's business"
    assert shown["environment_passed"] == ["SECRET"]
    assert [check["what"] for check in shown["validations"]] == ["the file f exists"]


def test_the_environment_that_is_shown_is_the_one_that_is_added() -> None:
    plan = load(HEAD)
    (shown,) = preview_plan(plan)["sheets"]
    command = build_command(plan.sheets[0].instrument, "", "", None, "/w")
    assert allowed_environment(command, {"A": "b"}) == {"A": "b"}
    assert preview_plan(plan)["environment"]["MARIANNE_WORKSPACE"] == "/w"
    assert "A" not in shown["environment"]


@pytest.mark.parametrize(
    ("text", "shown", "at_run"),
    [
        (
            "echo {{ previous_outputs[1] | q }}",
            "echo '⟨the output of sheet 1, a⟩'",
            ["the output of sheet 1, a"],
        ),
        (
            "x {{ previous_outputs[1] | trim }}{{ 'y' ~ previous_files['n.md'] }}",
            "x ⟨the output of sheet 1, a⟩y⟨the file n.md⟩",
            ["the output of sheet 1, a", "the file n.md"],
        ),
        (
            "{% for n in [1] %}{{ previous_outputs[n] }}{% endfor %}",
            "⟨the output of sheet 1, a⟩",
            ["the output of sheet 1, a"],
        ),
        (
            "{% if stage == 1 %}{% if previous_outputs[1] == 'x' %}a{% endif %}{% endif %}b",
            "b",
            [],
        ),
        ("echo {{ previous_outputs[7] }}", "echo ", []),
        ("echo {{ skipped_upstream }}", "echo []", []),
    ],
)
def test_what_a_run_will_know_is_marked_and_not_guessed(
    text: str, shown: str | None, at_run: list[str]
) -> None:
    found = second(text)
    assert (found["prompt"].strip(), found["rendered"]) == (shown.strip(), True)
    assert found["at_run"] == at_run


@pytest.mark.parametrize(
    "text",
    [
        "echo {{ previous_outputs | length }}",
        "echo {{ previous_outputs }}",
        "{% if previous_outputs[1] == 'x' %}a{% endif %}",
        "{% if 1 in previous_outputs %}a{% endif %}",
        "{% if previous_outputs[1] is defined and previous_outputs[1] %}a{% endif %}",
        "{{ previous_outputs[1] | length }}",
        "{{ previous_outputs[1] | int }}",
        "{{ previous_outputs[1] | wordcount }}",
        "{{ previous_outputs[1] ~ 'x' | upper }}{{ (previous_outputs[1] ~ 'x') | upper }}",
        "{{ previous_outputs[1].strip() }}",
        "{% set x = previous_outputs[1] %}{{ x * 2 }}",
        "{% for n, text in previous_outputs.items() %}{{ n }}{% endfor %}",
        "{% for f in previous_files %}cat {{ f }}{% endfor %}",
        "{{ '%5s' | format(previous_outputs[1]) }}",
        "{{ [previous_outputs[1]] | sort }}{{ previous_outputs[1] < 'x' }}",
    ],
)
def test_what_a_run_will_decide_is_not_guessed(text: str) -> None:
    found = second(text)
    assert (found["prompt"].strip(), found["rendered"]) == (text, False)
    assert found["at_run"][0].endswith("decides what the text is")


def test_what_may_be_skipped_is_known_at_run() -> None:
    head = HEAD.replace("run: echo}", "run: echo, skip_when_command: {command: 'true'}}")
    plan = load(head + "  - {name: b, needs: [a], run: 'echo {{ skipped_upstream }}'}\n")
    shown = preview_sheet(plan, plan.sheets[1])
    assert shown["at_run"] == ["the numbers of those of its needs that are skipped"]


def test_sheets_before_the_first_do_not_run_and_leave_nothing() -> None:
    plan = load(HEAD + "  - {name: b, needs: [a], run: 'echo {{ previous_outputs[1] }}'}\n")
    before, after = preview_plan(plan, left_out={1})["sheets"]
    assert (before["runs"], after["runs"]) == (False, True)
    assert (after["prompt"], after["at_run"]) == ("echo [SKIPPED]", [])


def test_what_fits_into_no_answer_is_counted() -> None:
    plan = load("name: many\nsheets: [{name: a, fan_out: 50, run: echo}]\n")
    shown = preview_plan(plan, limit=5_000)
    assert 0 < len(shown["sheets"]) < 50
    assert len(shown["sheets"]) + shown["more"] == 50


def test_every_sheet_of_the_examples_can_be_shown() -> None:
    folder = Path(__file__).parents[3] / "examples"
    for path in sorted(folder.glob("*.yaml")):
        plan: Plan = load(path.read_text(), os.fspath(folder))
        for sheet in preview_plan(plan)["sheets"]:
            assert sheet["rendered"] or "for number, said in" in sheet["prompt"], path
