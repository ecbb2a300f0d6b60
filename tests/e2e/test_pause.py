"""A pause lets running sheets finish, lasts over every restart, and costs nothing."""

from __future__ import annotations

import os
import signal

import pytest
from e2e_marianne import Marianne, until

STEPS = """sheets:
  - {name: one, run: echo 1 >> ran}
  - {name: two, needs: [one], run: 'echo 2 >> ran; until test -e go; do sleep 0.02; done'}
  - {name: three, needs: [two], run: echo 3 >> ran}
"""


@pytest.fixture
def marianne(mortal: Marianne) -> Marianne:
    return mortal


def _ran(marianne: Marianne) -> list[str]:
    path = marianne.place / "steps" / "ran"
    return path.read_text().split() if path.exists() else []


def _running_second_sheet(marianne: Marianne) -> str:
    job = marianne.submit("steps", STEPS)
    until(lambda: _ran(marianne) == ["1", "2"])
    return job


def _restart(marianne: Marianne, way: str) -> None:
    old = marianne.pids()["conductor"]
    if way == "KILL":
        os.kill(old, signal.SIGKILL)
        until(lambda: marianne.pids()["conductor"] != old and marianne.serves())
    else:
        marianne("restart")


@pytest.mark.parametrize("way", ["restart", "KILL"])
def test_a_paused_job_is_still_paused_after_a_restart_and_no_sheet_runs_twice(
    marianne: Marianne, way: str
) -> None:
    job = _running_second_sheet(marianne)
    marianne("pause", job)
    (marianne.place / "steps" / "go").touch()
    until(lambda: marianne.status(job)["status"] == "paused")
    _restart(marianne, way)
    status = marianne.status(job)
    assert (status["status"], status["reason"]) == ("paused", "person")
    assert _ran(marianne) == ["1", "2"]
    marianne("resume", job)
    assert [s["attempt"] for s in marianne.wait(job)["sheets"]] == [1, 1, 1]
    assert _ran(marianne) == ["1", "2", "3"]


def test_after_a_pause_and_at_once_a_resume_the_running_sheet_goes_on(marianne: Marianne) -> None:
    job = _running_second_sheet(marianne)
    assert marianne("pause", job, "--json").json["jobs"][0]["status"] == "pausing"
    marianne("resume", job)
    assert marianne.sheet(job, 2)["status"] == "running"
    (marianne.place / "steps" / "go").touch()
    assert [s["attempt"] for s in marianne.wait(job)["sheets"]] == [1, 1, 1]
    assert _ran(marianne) == ["1", "2", "3"]
