"""Worker processes that cannot start, do not listen or keep dying: whose trouble it is."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from e2e_marianne import Marianne, until
from test_spare_worker import SHORT, again, forkservers, named


@pytest.fixture
def marianne(mortal: Marianne) -> Marianne:
    """No job's worker of another test is left."""
    until(lambda: not named(mortal, "marianne-worker"))
    return mortal


def restarts(marianne: Marianne) -> dict[str, int]:
    return {name: node["restarts"] for name, node in marianne.tree().items() if node["restarts"]}


def test_a_forkserver_that_dies_at_a_workers_start_delays_the_job(marianne: Marianne) -> None:
    (spare,) = until(lambda: named(marianne, "marianne-spare"))
    marianne.submit("warm", SHORT)  # its score needs no process when it comes again
    (spare,) = until(lambda: [p for p in named(marianne, "marianne-spare") if p != spare])
    (forkserver,) = until(lambda: forkservers(marianne))
    os.kill(forkserver, signal.SIGSTOP)
    os.kill(spare, signal.SIGKILL)
    before = restarts(marianne)
    jobs = [again(marianne, "warm") for _ in range(3)]
    os.kill(forkserver, signal.SIGKILL)
    assert [marianne.wait(job)["status"] for job in jobs] == ["completed"] * 3
    assert restarts(marianne) == before


def test_a_job_whose_worker_cannot_be_started_is_cancelled_at_once(marianne: Marianne) -> None:
    (spare,) = until(lambda: named(marianne, "marianne-spare"))
    marianne.submit("warm", SHORT)
    (spare,) = until(lambda: [p for p in named(marianne, "marianne-spare") if p != spare])
    (forkserver,) = until(lambda: forkservers(marianne))
    os.kill(forkserver, signal.SIGSTOP)
    try:
        _kill(spare)
        job = again(marianne, "warm")
        marianne("cancel", job, "--yes", timeout=10)
        assert marianne.status(job)["status"] == "cancelled"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(forkserver, signal.SIGCONT)


def test_a_job_whose_worker_died_and_gets_no_other_is_cancelled_at_once(marianne: Marianne) -> None:
    """What its sheets came to stands in the spool: no process is needed to say so."""
    job = marianne.submit(
        "held", "sheets:\n  - {name: a, run: 'true'}\n  - {name: b, run: sleep 60}\n"
    )
    until(lambda: [s["status"] for s in marianne.status(job)["sheets"]] == ["completed", "running"])
    (worker,) = named(marianne, "marianne-worker")
    (spare,) = until(lambda: named(marianne, "marianne-spare"))
    (forkserver,) = until(lambda: forkservers(marianne))
    os.kill(forkserver, signal.SIGSTOP)
    try:
        _kill(spare)
        _kill(worker)
        marianne("cancel", job, "--yes", timeout=10)
        status = marianne.status(job)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(forkserver, signal.SIGCONT)
    assert status["status"] == "cancelled"
    assert [sheet["status"] for sheet in status["sheets"]] == ["completed", "cancelled"]


def state(pid: int) -> str:
    """By ps's letter; also Z of one that is reaped: its forkserver may be gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


def _kill(pid: int) -> None:
    """Returns when it is dead, be it that its parent has not asked."""
    os.kill(pid, signal.SIGKILL)
    until(lambda: state(pid) == "Z")


def test_a_sheet_that_kills_its_worker_fails_its_job_which_says_so(marianne: Marianne) -> None:
    text = """
sheets:
  - {name: good, run: echo done}
  - {name: killer, needs: [good], run: 'echo x >> runs; kill -9 $PPID; sleep 60'}
  - {name: beside, needs: [good], run: sleep 60}
  - {name: after, needs: [killer], run: echo never}
"""
    job = marianne.submit("killer", text)
    done = marianne.wait(job, code=1)
    statuses = [sheet["status"] for sheet in done["sheets"]]
    assert statuses[:2] == ["completed", "failed"]
    assert statuses[2] in ("failed", "cancelled")  # it may not have begun yet
    assert statuses[3] == "cancelled"
    assert "2 (killer)" in done["error"]
    assert "SIGKILL" in done["error"]
    assert (marianne.place / "killer/runs").read_text().split() == ["x"] * 3
    assert "killer" in marianne("diagnose", job).out
    assert "worker process" in marianne("diagnose", job).out


def test_a_job_whose_worker_does_not_listen_can_be_cancelled(
    configured: Callable[[str], Marianne],
) -> None:
    marianne = configured("sheet_grace_seconds: 1")
    # Woken, it is stopped again before it can hear anything.
    deaf = "touch begun; trap '' TERM; while :; do kill -STOP $PPID; done"
    job = marianne.submit(
        "deaf", f'sheets:\n  - {{name: deaf, run: "{deaf}"}}\n  - {{name: b, run: sleep 60}}\n'
    )
    until((marianne.place / "deaf/begun").exists)
    marianne("cancel", job, "--yes", timeout=30)
    assert marianne.status(job)["status"] == "cancelled"


def test_a_stopped_worker_is_woken_to_be_cancelled(marianne: Marianne) -> None:
    job = marianne.submit(
        "stopped",
        "sheets:\n  - {name: a, run: 'kill -STOP $PPID; touch begun; sleep 60'}\n",
    )
    until((marianne.place / "stopped/begun").exists)
    marianne("cancel", job, "--yes", timeout=30)
    assert marianne.sheet(job, 1)["status"] == "cancelled"
