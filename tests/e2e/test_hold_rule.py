"""A job that may be what kills the conductor is held; one that makes progress never is."""

from __future__ import annotations

import os
import signal

from e2e_marianne import Marianne, until

STEPS = "sheets:\n" + "".join(
    f"  - name: s{n}\n"
    + (f"    needs: [s{n - 1}]\n" if n > 1 else "")
    + f"    run: 'until test -e go.{n}; do sleep 0.02; done'\n"
    for n in range(1, 6)
)


def _kill(marianne: Marianne) -> None:
    old = marianne.pids()["conductor"]
    os.kill(old, signal.SIGKILL)
    until(lambda: marianne.pids()["conductor"] != old and marianne.serves(), 20.0)


def test_the_third_death_without_progress_pauses_the_job(marianne: Marianne) -> None:
    marianne.submit("stuck", STEPS)
    until(lambda: marianne.sheet("stuck", 1)["status"] == "running")
    for _ in range(2):
        _kill(marianne)
        assert marianne.status("stuck")["status"] == "running"
    _kill(marianne)
    assert marianne.status("stuck")["reason"] == "crashes"
    (marianne.place / "stuck" / "go.1").touch()
    until(lambda: marianne.status("stuck")["status"] == "paused")
    assert [s["status"] for s in marianne.status("stuck")["sheets"]][:2] == ["completed", "ready"]
    marianne("resume", "stuck")
    for n in range(2, 6):
        (marianne.place / "stuck" / f"go.{n}").touch()
    assert marianne.wait("stuck")["status"] == "completed"


def test_kills_with_progress_never_hold_a_job(marianne: Marianne) -> None:
    marianne.submit("slow", STEPS)
    for n in range(1, 6):
        until(lambda n=n: marianne.sheet("slow", n)["status"] == "running")
        _kill(marianne)
        assert marianne.status("slow")["status"] == "running"
        (marianne.place / "slow" / f"go.{n}").touch()
    assert [s["attempt"] for s in marianne.wait("slow")["sheets"]] == [1] * 5


def test_a_job_that_kills_even_while_it_pauses_is_put_away(marianne: Marianne) -> None:
    marianne.submit("stuck", STEPS)
    until(lambda: marianne.sheet("stuck", 1)["status"] == "running")
    for _ in range(6):
        _kill(marianne)
    status = marianne.status("stuck")
    assert (status["status"], status["reason"]) == ("paused", "crashes")
    assert status["sheets"][0]["status"] == "ready"
    for n in range(1, 6):
        (marianne.place / "stuck" / f"go.{n}").touch()
    marianne("resume", "stuck")
    assert marianne.wait("stuck")["status"] == "completed"


def test_a_stop_is_no_death(marianne: Marianne) -> None:
    marianne.submit("often", STEPS)
    for _ in range(4):
        until(lambda: marianne.sheet("often", 1)["status"] == "running")
        marianne("stop", "--force")
        marianne("start")
    assert marianne.status("often")["status"] == "running"
