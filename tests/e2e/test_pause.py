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


def _ran(marianne: Marianne) -> list[str]:
    path = marianne.place / "steps" / "ran"
    return path.read_text().split() if path.exists() else []


def _running_second_sheet(marianne: Marianne) -> None:
    marianne.submit("steps", STEPS)
    until(lambda: _ran(marianne) == ["1", "2"])


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
    _running_second_sheet(marianne)
    marianne("pause", "steps")
    (marianne.place / "steps" / "go").touch()
    until(lambda: marianne.status("steps")["status"] == "paused")
    _restart(marianne, way)
    status = marianne.status("steps")
    assert (status["status"], status["reason"]) == ("paused", "person")
    assert _ran(marianne) == ["1", "2"]
    marianne("resume", "steps")
    assert [s["attempt"] for s in marianne.wait("steps")["sheets"]] == [1, 1, 1]
    assert _ran(marianne) == ["1", "2", "3"]


def test_after_a_pause_and_at_once_a_resume_the_running_sheet_goes_on(marianne: Marianne) -> None:
    _running_second_sheet(marianne)
    assert marianne("pause", "steps", "--json").json["jobs"][0]["status"] == "pausing"
    marianne("resume", "steps")
    assert marianne.sheet("steps", 2)["status"] == "running"
    (marianne.place / "steps" / "go").touch()
    assert [s["attempt"] for s in marianne.wait("steps")["sheets"]] == [1, 1, 1]
    assert _ran(marianne) == ["1", "2", "3"]
