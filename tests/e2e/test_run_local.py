"""``run --local``: the same sheets, results and exit code as through the conductor."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from e2e_marianne import Marianne, until

EXAMPLES = Path(__file__).parents[2] / "examples"
MIXED = """sheets:
  - {name: a, run: echo a >> ran, validate: [{file_exists: ran}]}
  - {name: again, run: 'echo x >> tries; test $(wc -l < tries) -ge 2',
     retry: {max_retries: 2, base_delay_seconds: 0.1}}
  - {name: bad, needs: [a], run: exit 3}
  - {name: below, needs: [bad], run: touch never}
  - {name: wrong, run: 'true', validate: [{file_exists: nowhere}]}
  - {name: slow, run: sleep 60, timeout: 1s}
"""


@pytest.fixture
def marianne(shared: Marianne) -> Marianne:
    return shared


SAME = ("num", "name", "status", "attempt", "instrument", "exit_code", "signal", "error")


def _sheets(status: dict[str, Any]) -> list[dict[str, Any]]:
    return [{name: sheet[name] for name in SAME} for sheet in status["sheets"]]


def _both(marianne: Marianne, path: Path, *options: str) -> dict[str, Any]:
    """The status that the local run answered, which is that of the same job in a conductor."""
    run = ("run", str(path), "--json", *options)
    local = marianne(*run, "--local", "--workspace", "local", code=None, timeout=120)
    told = marianne(*run, "--wait", "--workspace", "served", code=None, timeout=120)
    assert local.code == told.code, (local, told)
    served = marianne.status(told.json["job_id"])
    assert _sheets(local.json) == _sheets(served)
    assert (local.json["status"], local.json["error"]) == (served["status"], served["error"])
    assert local.json["progress"] == served["progress"]
    return dict(local.json)


def test_every_kind_of_ending_is_the_same_as_through_the_conductor(marianne: Marianne) -> None:
    _both(marianne, Path(marianne.score("mixed", MIXED)))
    ran = [(marianne.place / at / "ran").read_text() for at in ("local", "served")]
    assert ran == ["a\n", "a\n"]


# All of them are played through a conductor by test_conductor.py; a local run is one, too.
def test_an_example_gives_the_same_as_through_the_conductor(marianne: Marianne) -> None:
    shutil.copytree(EXAMPLES, marianne.place / "examples")
    _both(marianne, marianne.place / "examples" / "movements.yaml")


def test_it_needs_no_conductor_and_starts_none(own: Marianne) -> None:
    path = own.score("one", "sheets:\n  - {name: a, run: 'echo a > a; setsid sleep 7761 &'}\n")
    done = own("run", path, "--local")
    assert "one: completed" in done.err
    assert not own.home.exists() or not (own.home / "state.db").exists()
    until(lambda: not any("7761" in line for line in own.processes().values()))


def test_a_first_sheet_and_a_fresh_workspace_mean_the_same(marianne: Marianne) -> None:
    text = """workspace_lifecycle: {archive_on_fresh: true}
sheets:
  - {name: a, run: echo a >> ran}
  - {name: b, needs: [a], run: echo b >> ran}
"""
    path = Path(marianne.score("two", text))
    places = [marianne.place / at for at in ("local", "served")]
    status = _both(marianne, path, "--start-sheet", "2")
    assert [s["status"] for s in status["sheets"]] == ["skipped", "completed"]
    _both(marianne, path)
    assert [(at / "ran").read_text().split() for at in places] == [["b", "a", "b"]] * 2
    _both(marianne, path, "--fresh")
    assert [(at / "ran").read_text().split() for at in places] == [["a", "b"]] * 2
    assert marianne("run", str(path), "--local", "--start-sheet", "3", code=2).out == ""


COSTLY = """instrument: costly
cost_limits: {max_cost_per_job: 1.5, cost_per_1k_input_tokens: 1, cost_per_1k_output_tokens: 1}
sheets:
  - {name: a, prompt: x}
  - {name: b, needs: [a], prompt: x}
  - {name: c, needs: [b], prompt: x}
"""
PROFILE = """name: costly
kind: cli
cli:
  command: {executable: bash, leading_flags: [-c, 'echo "{\\"result\\": \\"x\\", \\"in\\": 1000}"']}
  output: {format: json, result_path: result, input_tokens_path: in}
"""


def test_a_job_over_its_cost_limit_pauses_and_that_is_its_end(marianne: Marianne) -> None:
    folder = marianne.place / ".marianne" / "instruments"
    folder.mkdir(parents=True)
    (folder / "costly.yaml").write_text(PROFILE)
    path = marianne.score("dear", COSTLY)
    status = marianne("run", path, "--local", "--json", code=1).json
    assert (status["status"], status["reason"]) == ("paused", "cost")
    assert [s["status"] for s in status["sheets"]] == ["completed", "completed", "ready"]


def test_what_needs_a_conductor_is_named_and_a_dry_run_starts_none(own: Marianne) -> None:
    text = "sheets:\n  - {name: a, run: touch a}\non_success:\n"
    path = own.score("one", text + "  - {type: run_command, command: touch never}\n")
    plan = own("run", path, "--local", "--dry-run", "--json").json["plan"]
    assert [s["name"] for s in plan["sheets"]] == ["a"]
    assert not (own.place / "one").exists()
    assert "on_success" in own("run", path, "--local").err
    assert sorted(os.listdir(own.place / "one")) == ["a"]
    assert not own.home.exists()


def test_a_wrong_score_is_exit_code_2(marianne: Marianne) -> None:
    path = marianne.score("one", "sheets:\n  - {name: a, rum: 'true'}\n")
    assert "rum" in marianne("run", path, "--local", code=2).err


def test_a_log_that_cannot_be_written_ends_no_job(marianne: Marianne) -> None:
    """What happens is told on standard error, which may lie on a full disk."""
    path = marianne.score("untold", "sheets:\n  - {name: a, run: 'echo a >> ran'}\n")
    words = ["run", path, "--local", "--workspace", "untold"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "marianne.cli", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=full,
            cwd=marianne.place,
            text=True,
            timeout=120,
            check=False,
        )
    assert (marianne.place / "untold" / "ran").read_text() == "a\n"
    assert done.returncode == 0
    assert "completed" in done.stdout


def test_a_local_run_that_cannot_start_names_no_file_that_goes_with_it(marianne: Marianne) -> None:
    path = marianne.score("narrow", "sheets:\n  - {name: a, run: 'true'}\n")
    few = f"ulimit -v 250000; exec {sys.executable} -m marianne.cli run {path} --local"
    done = subprocess.run(
        ["bash", "-c", few], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 3, done
    assert "ended at its start" in done.stderr
    assert "conductor.err" not in done.stderr
