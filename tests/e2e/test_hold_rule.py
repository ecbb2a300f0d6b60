"""A job that may be what kills the conductor is held; one that makes progress never is."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from e2e_marianne import Marianne, until

STEPS = "sheets:\n" + "".join(
    f"  - name: s{n}\n"
    + (f"    needs: [s{n - 1}]\n" if n > 1 else "")
    + f"    run: 'touch up.{n}; until test -e go.{n}; do sleep 0.02; done'\n"
    for n in range(1, 5)
)


@pytest.fixture
def marianne(mortal: Marianne) -> Marianne:
    return mortal


def _job(marianne: Marianne, job_id: str) -> Any:
    return marianne.request("job.status", {"job_id": job_id})


def _kill(marianne: Marianne) -> None:
    old = marianne.pids()["conductor"]
    os.kill(old, signal.SIGKILL)
    until(lambda: marianne.pids()["conductor"] != old and marianne.serves())


@pytest.mark.timeout(120)
def test_the_third_death_without_progress_pauses_a_job_and_three_more_put_it_away(
    marianne: Marianne,
) -> None:
    """All three run at the same deaths; the one that makes progress is never held."""
    names = ("stuck", "stubborn", "slow")
    stuck, stubborn, slow = (marianne.submit(name, STEPS) for name in names)
    for name in names:
        # Not by its status: it is running on disk a moment before the worker hears of it, and a
        # kill in between would interrupt what has not begun.
        until((marianne.place / name / "up.1").exists)
    for death in range(1, 4):
        until((marianne.place / "slow" / f"up.{death}").exists)
        _kill(marianne)
        assert _job(marianne, slow)["status"] == "running"
        for job in (stuck, stubborn):
            found = _job(marianne, job)
            assert (found["status"] == "running") == (death < 3), job
            assert (found["reason"] == "crashes") == (death == 3), job
        (marianne.place / "slow" / f"go.{death}").touch()
    _go(marianne, "slow", 4)
    assert [s["attempt"] for s in marianne.wait(slow)["sheets"]] == [1] * 4

    _go(marianne, "stuck", 1)
    until(lambda: _job(marianne, stuck)["status"] == "paused")
    assert [s["status"] for s in _job(marianne, stuck)["sheets"]][:2] == ["completed", "ready"]
    marianne("resume", stuck)
    _go(marianne, "stuck", 2, 3, 4)
    assert marianne.wait(stuck)["status"] == "completed"

    assert _job(marianne, stubborn)["status"] == "pausing"
    errors = marianne.home / "logs" / "conductor.err"
    before = errors.read_text().count("did not get ready")
    for _ in range(3):
        _kill(marianne)
    # Each was killed at its first answer: none of them counts as one that never got ready.
    assert errors.read_text().count("did not get ready") == before
    status = _job(marianne, stubborn)
    assert (status["status"], status["reason"]) == ("paused", "crashes")
    assert status["sheets"][0]["status"] == "ready"
    _go(marianne, "stubborn", 1, 2, 3, 4)
    marianne("resume", stubborn)
    assert marianne.wait(stubborn)["status"] == "completed"


def _go(marianne: Marianne, name: str, *steps: int) -> None:
    for step in steps:
        (marianne.place / name / f"go.{step}").touch()


def test_a_stop_is_no_death(marianne: Marianne) -> None:
    job = marianne.submit("often", STEPS)
    for _ in range(3):
        until(lambda: _job(marianne, job)["sheets"][0]["status"] == "running")
        marianne("stop", "--force")
        marianne("start")
    assert _job(marianne, job)["status"] == "running"
