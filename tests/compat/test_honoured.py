"""Pace, cost, rate limits and instruments that fail, as a score's author wrote them."""

from __future__ import annotations

import json
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from compatkit import HEAD, Run, Score, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _starts(found: Any) -> list[float]:
    return sorted(_seconds(sheet["started_at"]) for sheet in found["sheets"])


def _events(marianne: Run, job: str, name: str) -> list[Any]:
    lines = marianne("events", job, "--json").stdout.splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == name]


def test_a_stagger_keeps_starts_apart(score: Score) -> None:
    found = score.play(
        """
        name: x
        parallel: {stagger_delay_ms: 300}
        sheets: [{name: a, fan_out: 4, run: "true"}]
        """
    )
    # 0.3 between two grants; a start may be late, and the next one is not later for it.
    assert all(second - first >= 0.2 for first, second in pairwise(_starts(found)))


def test_a_pause_comes_between_sheets(score: Score) -> None:
    found = score.play(
        """
        name: x
        instrument: cli
        pause_between_sheets_seconds: 1
        sheet: {size: 1, total_items: 2}
        prompt: {template: "true"}
        """
    )
    first, second = found["sheets"]
    assert _seconds(second["started_at"]) - _seconds(first["finished_at"]) >= 0.95


def test_tokens_and_cost_are_summed_into_the_job(score: Score) -> None:
    score.agent("dear", executable=None)
    found = score.play(
        """
        name: x
        instrument: dear
        instrument_config: {cli_extra_args: [--dear]}
        sheet: {size: 1, total_items: 3}
        prompt: {template: hello}
        """
    )
    assert found["usage"] == {"input_tokens": 3000, "output_tokens": 300, "cost_usd": 2.25}
    told = _events(score.marianne, score.job, "job.cost_update")
    assert [event["data"]["cost_usd"] for event in told] == [0.75, 1.5, 2.25]


COSTLY = """
name: x
instrument: dear
sheet: {size: 1, total_items: 4}
prompt: {template: hello}
cost_limits: {max_cost_per_job: 2.0, warn_at_percent: 50,
              cost_per_1k_input_tokens: 0.9, cost_per_1k_output_tokens: 1}
"""


def test_a_job_over_its_cost_limit_is_paused_and_goes_on_when_a_person_says_so(
    score: Score,
) -> None:
    score.agent("dear")
    score.submit(COSTLY)
    paused = until(lambda: (s := score.status())["status"] == "paused" and s)
    assert paused["reason"] == "cost"
    assert paused["progress"]["completed"] == 3
    assert paused["usage"]["cost_usd"] == 3.0
    told = _events(score.marianne, score.job, "job.cost_update")
    warnings = [event["data"].get("warning") for event in told]
    assert warnings == ["50 % of 2 spent", None, None]
    assert score.marianne("resume", score.job).returncode == 0
    assert score.wait()["progress"]["completed"] == 4


def test_a_sheet_over_its_cost_limit_fails(score: Score) -> None:
    score.agent("dear")
    found = score.play(
        f"""{HEAD}
instrument: dear
instrument_config: {{cli_extra_args: [--dear]}}
cost_limits: {{max_cost_per_sheet: 0.5}}
prompt: {{template: hello}}
""",
        code=1,
    )
    assert found["sheets"][0]["error"]["category"] == "cost"


def test_a_rate_limit_waits_as_often_as_the_score_says(score: Score) -> None:
    score.agent("busy")
    score.agent("idle")
    found = score.play(
        f"""{HEAD}
instrument: busy
instrument_fallbacks: [idle]
rate_limit: {{max_waits: 1}}
prompt:
  template: |
    DO test $MARIANNE_ATTEMPT -gt 2 && exit; echo "rate limit, retry after 1s" >&2; exit 1
"""
    )
    sheet = found["sheets"][0]
    assert (sheet["attempt"], sheet["instrument"]) == (3, "idle")


def test_a_rate_limit_that_names_no_time_waits_as_long_as_the_score_says(score: Score) -> None:
    score.agent("slow")
    score.submit(
        f"""{HEAD}
instrument: slow
rate_limit: {{wait_minutes: 7}}
prompt: {{template: "DO echo rate limit >&2; exit 1"}}
"""
    )
    event = until(lambda: _events(score.marianne, score.job, "sheet.rate_limited"))[0]
    assert event["data"]["wait"] == 420
    score.marianne("cancel", score.job, "--yes")


def test_a_fallback_has_fresh_retries_and_its_own_model(score: Score) -> None:
    score.agent("first")
    score.agent("second", "default_model: its-own\n")
    found = score.play(
        f"""{HEAD}
instrument: first
instrument_config: {{model: large}}
instrument_fallbacks: [second]
retry: {{max_retries: 1, base_delay_seconds: 0.1, jitter: false}}
prompt: {{template: "DO test {{{{ instrument_name }}}} = second && test $MARIANNE_ATTEMPT = 4"}}
"""
    )
    sheet = found["sheets"][0]
    assert (sheet["attempt"], sheet["instrument"], sheet["model"]) == (4, "second", "its-own")


def test_refused_credentials_are_not_tried_again(score: Score) -> None:
    score.agent("first")
    found = score.play(
        f"""{HEAD}
instrument: first
retry: {{max_retries: 3, base_delay_seconds: 0.1}}
prompt: {{template: "DO echo no login >&2; exit 1"}}
""",
        code=1,
    )
    sheet = found["sheets"][0]
    assert (sheet["attempt"], sheet["error"]["category"]) == (1, "auth")


def test_words_in_its_work_do_not_limit_an_agent(score: Score) -> None:
    score.agent("writer")
    found = score.play(
        f"{HEAD}instrument: writer\nprompt: {{template: SAY rate limit quota no login}}\n"
    )
    assert found["sheets"][0]["attempt"] == 1


def test_a_sheet_that_nothing_can_play_fails_the_job_before_its_first_sheet(score: Score) -> None:
    score.agent("ghost", executable="no-such-program-x")
    text = """
    name: x
    sheets:
      - {name: a, run: touch started}
      - {name: b, needs: [a], prompt: boo, instrument: ghost, fallbacks: [anthropic_api]}
      - {name: c, needs: [b], run: "true"}
    """
    found = score.play(text, code=1)
    assert [sheet["status"] for sheet in found["sheets"]] == ["cancelled", "failed", "skipped"]
    assert "no-such-program-x" in found["error"]
    assert not (score.workspace / "started").exists()


def test_a_program_that_was_installed_since_is_found_by_a_retry(score: Score) -> None:
    program = score.place / "late-program"
    score.agent("late", executable=str(program))
    score.play(f"{HEAD}instrument: late\nprompt: {{template: SAY hello}}\n", code=1)
    (score.place / "agent.py").rename(program)
    assert score.marianne("retry", score.job).returncode == 0
    assert score.wait()["status"] == "completed"


def test_an_instrument_that_is_not_there_costs_no_attempt(score: Score) -> None:
    score.agent("ghost", executable="no-such-program-x")
    score.agent("here")
    found = score.play(
        f"{HEAD}instrument: ghost\ninstrument_fallbacks: [here]\nprompt: {{template: hello}}\n"
    )
    sheet = found["sheets"][0]
    assert (sheet["attempt"], sheet["instrument"]) == (1, "here")


def test_a_silent_agent_is_ended_where_the_score_wants_it(score: Score) -> None:
    found = score.play(
        f"""{HEAD}
instrument: cli
retry: {{max_retries: 0}}
stale_detection: {{enabled: true, idle_timeout_seconds: 1}}
prompt: {{template: "sleep 60"}}
""",
        code=1,
    )
    sheet = found["sheets"][0]
    assert 1 <= sheet["duration_seconds"] < 20
    assert sheet["error"]["category"] == "idle"


def test_retries_wait_longer_and_longer_up_to_their_bound(score: Score) -> None:
    found = score.play(
        f"""{HEAD}
instrument: cli
prompt: {{template: "date +%s.%N >> times; test $(wc -l < times) = 4"}}
retry: {{max_retries: 3, base_delay_seconds: 0.2, exponential_base: 5, max_delay_seconds: 1.5,
         jitter: false}}
"""
    )
    assert found["sheets"][0]["attempt"] == 4
    told = _events(score.marianne, score.job, "sheet.retrying")
    assert [event["data"]["delay"] for event in told] == [0.2, 1.0, 1.5]
    times = [float(line) for line in (score.workspace / "times").read_text().split()]
    waits = [second - first for first, second in pairwise(times)]
    assert all(wait >= least for wait, least in zip(waits, (0.2, 1.0, 1.5), strict=True))


def test_a_partial_pass_is_asked_to_finish_only_what_is_missing(score: Score) -> None:
    score.agent("builder")
    found = score.play(
        f"""{HEAD}
instrument: builder
retry: {{max_retries: 0, max_completion_attempts: 2, completion_delay_seconds: 0.2,
         completion_threshold_percent: 40}}
prompt: {{template: "DO touch a; [ $MARIANNE_ATTEMPT = 1 ] || touch b"}}
validations:
  - {{type: file_exists, path: a}}
  - {{type: file_exists, path: b, retry_count: 0}}
"""
    )
    assert found["sheets"][0]["attempt"] == 2
    again = score.prompt(1)
    assert "Finish what is missing" in again
    assert "file_exists" in again.partition("Finish what is missing")[2]
    assert "Finish what is missing" not in score.prompt(1, attempt=1)


def test_below_the_threshold_it_is_a_plain_failure(score: Score) -> None:
    score.agent("builder")
    found = score.play(
        f"""{HEAD}
instrument: builder
retry: {{max_retries: 0, completion_threshold_percent: 60}}
prompt: {{template: "DO touch a"}}
validations:
  - {{type: file_exists, path: a}}
  - {{type: file_exists, path: b, retry_count: 0}}
""",
        code=1,
    )
    assert found["sheets"][0]["attempt"] == 1
