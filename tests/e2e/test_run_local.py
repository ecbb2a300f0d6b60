"""``run --local``: the same sheets, results and exit code as through the conductor."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from e2e_marianne import PROGRAM, Marianne, until

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
SAME = ("num", "name", "status", "attempt", "instrument", "exit_code", "signal", "error")


def _sheets(status: dict[str, Any]) -> list[dict[str, Any]]:
    return [{name: sheet[name] for name in SAME} for sheet in status["sheets"]]


def _both(marianne: Marianne, path: Path) -> None:
    local = marianne(
        "run", str(path), "--local", "--json", "--workspace", "local", code=None, timeout=120
    )
    told = marianne(
        "run", str(path), "--wait", "--json", "--workspace", "served", code=None, timeout=120
    )
    assert local.code == told.code, (local, told)
    served = marianne.status(told.json["job_id"])
    assert _sheets(local.json) == _sheets(served)
    assert (local.json["status"], local.json["error"]) == (served["status"], served["error"])
    assert local.json["progress"] == served["progress"]


def test_every_kind_of_ending_is_the_same_as_through_the_conductor(marianne: Marianne) -> None:
    _both(marianne, Path(marianne.score("mixed", MIXED)))
    ran = [(marianne.place / at / "ran").read_text() for at in ("local", "served")]
    assert ran == ["a\n", "a\n"]


# Without build-package, which makes two virtual environments each time: a minute on a busy machine.
@pytest.mark.parametrize("name", ["hello.yaml", "movements.yaml", "sales-reports.yaml"])
def test_an_example_gives_the_same_as_through_the_conductor(marianne: Marianne, name: str) -> None:
    shutil.copytree(EXAMPLES, marianne.place / "examples")
    _both(marianne, marianne.place / "examples" / name)


def test_it_needs_no_conductor_and_starts_none(marianne: Marianne) -> None:
    path = marianne.score("one", "sheets:\n  - {name: a, run: 'echo a > a; setsid sleep 7761 &'}\n")
    done = marianne("run", path, "--local")
    assert "one: completed" in done.err
    assert not marianne.home.exists() or not (marianne.home / "state.db").exists()
    until(lambda: not any("7761" in line for line in marianne.processes().values()))


def test_an_interrupted_one_leaves_no_process(marianne: Marianne) -> None:
    path = marianne.score("one", "sheets:\n  - {name: a, run: 'touch up; sleep 7762'}\n")
    process = subprocess.Popen(
        [PROGRAM, "run", path, "--local"],
        env=marianne.env,
        cwd=marianne.place,
        stderr=subprocess.DEVNULL,
    )
    until((marianne.place / "one" / "up").exists)
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(20.0) == 130
    until(lambda: not any("7762" in line for line in marianne.processes().values()))


def test_a_wrong_score_is_exit_code_2(marianne: Marianne) -> None:
    path = marianne.score("one", "sheets:\n  - {name: a, rum: 'true'}\n")
    assert "rum" in marianne("run", path, "--local", code=2).err
