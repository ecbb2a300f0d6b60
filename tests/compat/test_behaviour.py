"""What a score's author wrote is honoured by what runs: limits, retries, stages, fallbacks."""

from __future__ import annotations

import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from compatkit import Run, play

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

HEAD = "name: x\nsheet: {size: 1, total_items: 1}\n"


@pytest.fixture
def run(marianne: Run, tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    """Writes a score and plays it; returns the first sheet, or the whole status."""

    def call(text: str, *, code: int = 0, whole: bool = False) -> Any:
        score = tmp_path / "score.yaml"
        score.write_text(textwrap.dedent(text))
        name = f"{request.node.name.removeprefix('test_')[:50]}"
        found = play(marianne, score, tmp_path / name, code=code)
        return found if whole else found["sheets"][0]

    return call


def test_a_time_limit_ends_a_sheet(run: Any) -> None:
    sheet = run(
        f"{HEAD}instrument: cli\ninstrument_config: {{timeout_seconds: 2}}\n"
        "retry: {max_retries: 0}\nprompt: {template: sleep 60}\n",
        code=1,
    )
    assert 2 <= sheet["duration_seconds"] < 3
    assert sheet["error"]["category"] == "timeout"


def test_a_silent_sheet_is_ended(run: Any) -> None:
    sheet = run(
        """
        name: x
        sheets: [{name: a, run: echo hello; sleep 60, idle_timeout: 1s}]
        """,
        code=1,
    )
    assert 1 <= sheet["duration_seconds"] < 3
    assert sheet["error"]["category"] == "idle"


def test_one_retry_makes_two_attempts_with_its_delay(run: Any, tmp_path: Path) -> None:
    sheet = run(
        f"{HEAD}instrument: cli\nprompt: {{template: date +%s.%N >> {tmp_path}/times; exit 3}}\n"
        "retry: {max_retries: 1, base_delay_seconds: 1, jitter: false}\n",
        code=1,
    )
    first, second = map(float, (tmp_path / "times").read_text().split())
    assert (sheet["attempt"], sheet["exit_code"]) == (2, 3)
    assert 0.9 < second - first < 2.5


def test_a_failing_stage_stops_the_later_ones(run: Any, tmp_path: Path) -> None:
    sheet = run(
        f"""
        name: x
        sheets:
          - name: a
            run: "true"
            validate:
              - command_succeeds: touch {tmp_path}/one
              - command_succeeds: "false"
                stage: 2
              - command_succeeds: touch {tmp_path}/three
                stage: 3
        """,
        code=1,
    )
    assert (tmp_path / "one").exists()
    assert not (tmp_path / "three").exists()
    assert [check["passed"] for check in sheet["validations"]] == [True, False, None]


def test_a_file_that_was_there_before_is_not_modified(run: Any, tmp_path: Path) -> None:
    (tmp_path / "old").write_text("x")
    rule = f"validate: [{{file_modified: {tmp_path}/old}}]"
    sheet = run(f"name: x\nsheets: [{{name: a, run: 'true', {rule}}}]", code=1)
    assert sheet["validations"][0]["passed"] is False


def test_only_so_many_sheets_run_at_once(run: Any, tmp_path: Path) -> None:
    began = time.monotonic()
    run(
        f"""
        name: x
        parallel: {{max_concurrent: 1}}
        sheets:
          - name: a
            fan_out: 3
            run: mkdir {tmp_path}/lock; sleep 0.2; rmdir {tmp_path}/lock
        """
    )
    assert time.monotonic() - began >= 0.6


def test_a_failed_sheet_stops_its_dependents_and_nobody_else(run: Any) -> None:
    found = run(
        """
        name: x
        sheets:
          - {name: a, run: exit 1}
          - {name: b, needs: [a], run: "true"}
          - {name: c, run: "true"}
          - {name: d, needs: [b, c], run: "true"}
        """,
        code=1,
        whole=True,
    )
    statuses = [sheet["status"] for sheet in found["sheets"]]
    assert statuses == ["failed", "skipped", "completed", "skipped"]


def test_a_missing_program_without_fallback_fails_clearly(run: Any, tmp_path: Path) -> None:
    place = tmp_path / ".marianne" / "instruments"
    place.mkdir(parents=True)
    (place / "g.yaml").write_text("name: ghost\ncli: {command: {executable: no-such-program-x}}\n")
    sheet = run(f"{HEAD}instrument: ghost\nprompt: {{template: boo}}\n", code=1)
    assert "no-such-program-x" in sheet["error"]["message"]
