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


def test_the_third_death_without_progress_pauses_the_job(marianne: Marianne) -> None:
    job = marianne.submit("stuck", STEPS)
    until(lambda: _job(marianne, job)["sheets"][0]["status"] == "running")
    for _ in range(2):
        _kill(marianne)
        assert _job(marianne, job)["status"] == "running"
    _kill(marianne)
    assert _job(marianne, job)["reason"] == "crashes"
    (marianne.place / "stuck" / "go.1").touch()
    until(lambda: _job(marianne, job)["status"] == "paused")
    assert [s["status"] for s in _job(marianne, job)["sheets"]][:2] == ["completed", "ready"]
    marianne("resume", job)
    for n in range(2, 5):
        (marianne.place / "stuck" / f"go.{n}").touch()
    assert marianne.wait(job)["status"] == "completed"


def test_kills_with_progress_never_hold_a_job(marianne: Marianne) -> None:
    job = marianne.submit("slow", STEPS)
    for n in range(1, 5):
        # Not by its status: it is running on disk a moment before the worker hears of it, and a
        # kill in between would interrupt what has not begun.
        until((marianne.place / "slow" / f"up.{n}").exists)
        _kill(marianne)
        assert _job(marianne, job)["status"] == "running"
        (marianne.place / "slow" / f"go.{n}").touch()
    assert [s["attempt"] for s in marianne.wait(job)["sheets"]] == [1] * 4


@pytest.mark.timeout(120)
def test_a_job_that_kills_even_while_it_pauses_is_put_away(marianne: Marianne) -> None:
    job = marianne.submit("stuck", STEPS)
    until(lambda: _job(marianne, job)["sheets"][0]["status"] == "running")
    errors = marianne.home / "logs" / "conductor.err"
    before = errors.read_text().count("did not get ready")
    for _ in range(6):
        _kill(marianne)
    # Each was killed at its first answer: none of them counts as one that never got ready.
    assert errors.read_text().count("did not get ready") == before
    status = _job(marianne, job)
    assert (status["status"], status["reason"]) == ("paused", "crashes")
    assert status["sheets"][0]["status"] == "ready"
    for n in range(1, 5):
        (marianne.place / "stuck" / f"go.{n}").touch()
    marianne("resume", job)
    assert marianne.wait(job)["status"] == "completed"


def test_a_stop_is_no_death(marianne: Marianne) -> None:
    job = marianne.submit("often", STEPS)
    for _ in range(3):
        until(lambda: _job(marianne, job)["sheets"][0]["status"] == "running")
        marianne("stop", "--force")
        marianne("start")
    assert _job(marianne, job)["status"] == "running"
