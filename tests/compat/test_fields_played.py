"""Single fields whose effect is seen only when a score is played."""

from __future__ import annotations

import json

import pytest
from compatkit import HEAD, Score

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_checks_are_repeated_bounded_and_run_where_the_rule_says(score: Score) -> None:
    (score.place / "elsewhere").mkdir()
    (score.place / "elsewhere" / "there").touch()
    found = score.play(
        f"""
        name: x
        sheets:
          - name: again
            run: "true"
            validate:
              - command_succeeds: echo >> looks; test $(wc -l < looks) = 3
                retry_count: 2
                retry_delay_ms: 400
          - name: bounded
            run: "true"
            validate: [{{command_succeeds: sleep 60, timeout: 1s}}]
          - name: elsewhere
            run: "true"
            validate: [{{command_succeeds: test -e there,
                         working_directory: {score.place}/elsewhere}}]
        """,
        code=1,
    )
    again, bounded, elsewhere = found["sheets"]
    assert again["status"] == "completed"
    assert again["duration_seconds"] >= 0.8
    assert bounded["status"] == "failed"
    assert 1 <= bounded["duration_seconds"] < 10
    assert elsewhere["status"] == "completed"


def test_without_parallel_one_sheet_runs_at_a_time(score: Score) -> None:
    score.play(
        """
        name: x
        parallel: {enabled: false}
        sheets: [{name: a, fan_out: 3, run: mkdir lock; sleep 0.2; rmdir lock}]
        """
    )


def test_so_many_completion_attempts_are_made_after_their_delay(score: Score) -> None:
    score.agent("half")
    found = score.play(
        f"""{HEAD}
instrument: half
retry: {{max_retries: 0, max_completion_attempts: 2, completion_delay_seconds: 0.25}}
prompt: {{template: DO touch a}}
validations:
  - {{type: file_exists, path: a}}
  - {{type: file_exists, path: b, retry_count: 0}}
""",
        code=1,
    )
    assert found["sheets"][0]["attempt"] == 3
    lines = score.marianne("events", score.job, "--json").stdout.splitlines()
    retried = [event["data"] for event in map(json.loads, lines) if "retrying" in event["event"]]
    assert [(data["how"], data["delay"]) for data in retried] == [("completion", 0.25)] * 2


def test_a_skip_command_is_bounded_and_says_why(score: Score) -> None:
    found = score.play(
        """
        name: x
        sheets:
          - {name: slow, run: "true", skip_when_command: {command: sleep 60, timeout_seconds: 1}}
          - {name: gone, run: "false",
             skip_when_command: {command: "true", description: the harvest is in}}
        """
    )
    slow, gone = found["sheets"]
    assert slow["status"] == "completed"
    assert slow["duration_seconds"] < 10
    assert gone["status"] == "skipped"
    assert gone["error"]["message"] == "the harvest is in"


def test_earlier_outputs_are_seen_in_their_window_and_length(score: Score) -> None:
    score.agent("talker")
    score.play(
        """
        name: x
        instrument: talker
        cross_sheet: {auto_capture_stdout: true, lookback_sheets: 2, max_output_chars: 4}
        sheet: {size: 1, total_items: 4}
        prompt:
          template: |
            SAY abcdef{{ sheet_num }}
            {{ previous_outputs }}
        """
    )
    assert "{2: 'def2', 3: 'def3'}" in score.prompt(4)


def test_an_instruments_settings_are_those_of_its_command_line(score: Score) -> None:
    score.agent("here")
    (score.place / "sub").mkdir()
    found = score.play(
        f"""{HEAD}
instrument: mine
instruments: {{mine: {{profile: here, config: {{working_directory: {score.place}/sub}}}}}}
instrument_config: {{model: large, cli_extra_args: [--dear]}}
prompt: {{template: "DO touch made"}}
"""
    )
    assert (score.place / "sub" / "made").exists()
    assert found["sheets"][0]["model"] == "large"
    assert found["usage"]["cost_usd"] == 0.75


def test_time_limits_can_be_written_by_sheet(score: Score) -> None:
    found = score.play(
        """
        name: x
        instrument: cli
        retry: {max_retries: 0}
        instrument_config: {timeout_seconds: 50, timeout_overrides: {2: 1}}
        sheet: {size: 1, total_items: 2}
        prompt: {template: "sleep {{ 0.1 if stage == 1 else 40 }}"}
        """,
        code=1,
    )
    assert found["sheets"][0]["status"] == "completed"
    assert found["sheets"][1]["error"]["category"] == "timeout"
    assert 1 <= found["sheets"][1]["duration_seconds"] < 10
