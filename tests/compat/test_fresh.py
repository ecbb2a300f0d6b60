"""Where a job begins: fresh workspaces, first sheets, environments, and what a restart keeps."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import warm_program
from compatkit import Score, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

KEEPS = """
name: x
workspace_lifecycle: {archive_on_fresh: true, max_archives: 2, preserve_patterns: [keep.txt]}
sheets: [{name: a, run: 'test ! -e made.txt; date > made.txt; date > keep.txt'}]
"""


def _files(score: Score) -> list[str]:
    files = (path for path in score.workspace.rglob("*") if path.is_file())
    return sorted(str(path.relative_to(score.workspace)) for path in files)


def test_a_fresh_run_moves_old_outputs_away(score: Score) -> None:
    score.play(KEEPS, "--fresh")
    assert _files(score) == ["keep.txt", "made.txt"]
    score.play(KEEPS, "--fresh", job=f"{score.job}-2")
    assert _files(score) == ["archive/iteration-1/made.txt", "keep.txt", "made.txt"]
    score.play(KEEPS, code=1, job=f"{score.job}-3")
    assert _files(score) == ["archive/iteration-1/made.txt", "keep.txt", "made.txt"]


def test_old_archives_are_gone_when_a_fresh_run_is_over(score: Score) -> None:
    for number in range(1, 5):
        score.play(KEEPS, "--fresh", job=score.job if number == 1 else f"{score.job}-{number}")
    until(lambda: not (score.workspace / "archive" / "iteration-1").exists())
    kept = [f"archive/iteration-{number}/made.txt" for number in (2, 3)]
    assert _files(score) == [*kept, "keep.txt", "made.txt"]


def test_a_fresh_run_archives_nothing_unless_the_score_wants_that(score: Score) -> None:
    text = "name: x\nsheets: [{name: a, run: 'echo >> made.txt'}]\n"
    score.play(text, "--fresh")
    score.play(text, "--fresh", job=f"{score.job}-2")
    assert _files(score) == ["made.txt"]


def test_a_workspace_that_holds_the_score_is_not_moved_away(score: Score) -> None:
    score.workspace = score.place
    found = score.play(KEEPS, "--fresh", code=1)
    assert found["sheets"][0]["error"]["category"] == "workspace"
    assert "the score lies in it" in found["sheets"][0]["error"]["message"]
    assert score.path.exists()


def test_a_fresh_run_takes_no_workspace_from_under_another_job(score: Score) -> None:
    score.submit("name: y\nsheets: [{name: a, run: sleep 60}]\n")
    done = score.marianne(
        *("run", score.write(KEEPS), "--workspace", score.workspace, "--fresh"),
        *("--id", f"{score.job}-2"),
    )
    assert done.returncode == 5
    assert score.job in done.stderr
    score.marianne("cancel", score.job, "--yes")


def test_two_jobs_may_share_a_workspace_and_are_told(score: Score) -> None:
    score.submit("name: y\nsheets: [{name: a, run: sleep 60}]\n")
    done = score.marianne(
        *("run", score.write("name: z\nsheets: [{name: a, run: 'true'}]\n"), "--wait"),
        *("--workspace", score.workspace, "--id", f"{score.job}-2"),
    )
    assert done.returncode == 0
    assert f"the job {score.job} works in the same directory" in done.stderr
    score.marianne("cancel", score.job, "--yes")


THREE = """
name: x
sheets:
  - {name: a, run: echo a >> order.txt}
  - {name: b, needs: [a], run: echo b >> order.txt}
  - {name: c, needs: [b], run: echo c >> order.txt}
"""


def test_earlier_sheets_count_as_done(score: Score) -> None:
    found = score.play(THREE, "--start-sheet", "2")
    assert (score.workspace / "order.txt").read_text() == "b\nc\n"
    assert [sheet["status"] for sheet in found["sheets"]] == ["skipped", "completed", "completed"]
    assert found["status"] == "completed"


def test_a_first_sheet_that_is_not_there_is_refused(score: Score) -> None:
    done = score.marianne("run", score.write(THREE), "--start-sheet", "4")
    assert done.returncode == 2
    assert "the score has 3" in done.stderr


# -- restarts ------------------------------------------------------------------------------------


class Home:
    """A conductor of its own, which a test may stop and start."""

    def __init__(self, place: Path) -> None:
        self.environ: dict[str, str] = {
            **os.environ,
            "MARIANNE_HOME": str(place / "home"),
            "NO_COLOR": "1",
        }

    def __call__(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return warm_program.call(arguments, env=self.environ, timeout=120)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    home("stop", "--force")


def _held_up(own: Home, tmp_path: Path, name: str, text: str) -> tuple[Score, Any]:
    """Plays a score up to the sheet that waits for the file ``go``, over a stop and a start."""
    score = Score(own, tmp_path, name)
    score.agent("first", executable="no-such-program-x", structured=False)
    score.agent("second")
    score.submit(text)
    until((score.workspace / "waiting").exists)
    assert own("stop").returncode == 0
    (score.workspace / "go").touch()
    assert own("start").returncode == 0
    return score, score.wait()


def test_earlier_outputs_outlive_a_restart_and_hide_secrets(own: Home, tmp_path: Path) -> None:
    score, _ = _held_up(
        own,
        tmp_path,
        "outputs",
        """
        name: x
        instrument: first
        instrument_fallbacks: [second]
        cross_sheet: {auto_capture_stdout: true, lookback_sheets: 0, capture_files: ["*.md"]}
        sheet:
          size: 1
          total_items: 4
          dependencies: {2: [1], 3: [2], 4: [3]}
          skip_when_command: {2: {command: "true"}}
        prompt:
          template: |
            {% if stage == 1 %}
            SAY the word is plum, api_key=sk-abcdefghijklmnopqrstuvwx
            DO echo "password: hunter2hunter2 and pear" > notes.md
            {% elif stage == 3 %}
            DO touch waiting; while [ ! -e go ]; do sleep 0.05; done
            {% else %}
            one: {{ previous_outputs[1] }} two: {{ previous_outputs[2] }}
            file: {{ previous_files["notes.md"] }} skipped: {{ skipped_upstream }}
            {% endif %}
        """,
    )
    prompt = score.prompt(4)
    assert "one: the word is plum, api_key=[REDACTED] two: [SKIPPED]" in prompt
    assert "password: [REDACTED] and pear" in prompt
    assert "sk-abc" not in prompt


def test_a_skip_condition_knows_after_a_restart_what_was_skipped(own: Home, tmp_path: Path) -> None:
    _, found = _held_up(
        own,
        tmp_path,
        "skips",
        """
        name: x
        sheets:
          - {name: a, run: "false", skip_when_command: {command: "true"}}
          - {name: b, needs: [a], run: 'touch waiting; while [ ! -e go ]; do sleep 0.05; done'}
          - {name: c, needs: [b], run: "false", skip_when: "sheets[1].status == 'skipped'"}
        """,
    )
    assert [sheet["status"] for sheet in found["sheets"]] == ["skipped", "completed", "skipped"]


def test_what_was_missing_is_known_after_a_restart(own: Home, tmp_path: Path) -> None:
    score = Score(own, tmp_path, "missing")
    score.agent("second")
    score.submit(
        """
        name: x
        instrument: second
        retry: {completion_delay_seconds: 2}
        sheet: {size: 1, total_items: 1}
        prompt: {template: "DO touch a; [ $MARIANNE_ATTEMPT = 1 ] || touch b"}
        validations: [{type: file_exists, path: a}, {type: file_exists, path: b, retry_count: 0}]
        """
    )
    until(lambda: score.status()["sheets"][0]["status"] == "waiting")
    assert own("stop").returncode == 0
    assert own("start").returncode == 0
    score.wait()
    assert "- file_exists" in score.prompt(1).partition("Finish what is missing")[2]


def test_a_cost_outlives_a_restart(own: Home, tmp_path: Path) -> None:
    _, found = _held_up(
        own,
        tmp_path,
        "cost",
        """
        name: x
        instrument: second
        instrument_config: {cli_extra_args: [--dear]}
        sheet: {size: 1, total_items: 2}
        prompt:
          template: |
            {% if stage == 2 %}
            DO touch waiting; while [ ! -e go ]; do sleep 0.05; done
            {% endif %}
        """,
    )
    assert found["usage"]["cost_usd"] == 1.5


def test_an_environment_that_is_not_utf_8_reaches_the_sheet(own: Home, tmp_path: Path) -> None:
    own.environ["ODD"] = "b\udcff"
    own.environ["N\udcfeME"] = "x"
    score = Score(own, tmp_path, "odd")
    score.play("name: x\nsheets: [{name: a, run: 'printf %s \"$ODD\" > odd; env -0 > all'}]\n")
    assert (score.workspace / "odd").read_bytes() == b"b\xff"
    assert b"N\xfeME=x" in (score.workspace / "all").read_bytes().split(b"\0")
