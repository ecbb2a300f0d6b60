"""Cleanup and alarm: they run once, whatever dies while they are decided or run."""

from __future__ import annotations

import os
import signal

import pytest
from e2e_marianne import Marianne, until

from ipc.client import Client
from ipc.errors import DeadlineExceeded
from marianne.state.reader import Reader

CLOSING = """sheets:
  - {name: work, run: 'echo work >> ran; touch up; until [ -e go ]; do sleep 0.05; done; exit 3'}
  - {name: after, needs: [work], run: echo after >> ran}
  - {name: alarm, needs: [work], when: failed, run: echo alarm >> ran}
  - name: tidy
    when: always
    after_cancel: true
    run: 'echo tidy >> ran; touch tidying; until [ -e tidied ]; do sleep 0.05; done'
"""


@pytest.fixture
def marianne(mortal: Marianne) -> Marianne:
    return mortal


def _ran(marianne: Marianne, name: str) -> list[str]:
    return sorted((marianne.place / name / "ran").read_text().split())


def _worker(marianne: Marianne, job: str) -> int:
    with Reader(marianne.home / "state.db") as reader:
        row = reader.job(job)
    assert row is not None
    assert row.worker_pid is not None
    return row.worker_pid


def _touch(marianne: Marianne, name: str, *files: str) -> None:
    for file in files:
        (marianne.place / name / file).touch()


def _cancel(marianne: Marianne, job: str) -> None:
    """Asks for it and does not wait for the answer, which comes when all is over: that it has not
    come in time says the conductor or the client, whoever is the first."""
    with Client(marianne.home / "conductor.sock") as client:
        try:
            (told,) = client.request("job.cancel", {"ids": [job]}, deadline=1.0)["jobs"]
        except DeadlineExceeded:
            return
    assert told["error"]["code"] == "deadline"


@pytest.mark.parametrize("what", ["conductor", "manager", "job"])
def test_an_alarm_and_a_cleanup_run_once_over_a_death_as_their_need_fails(
    marianne: Marianne, what: str
) -> None:
    name = f"ends-{what}"
    job = marianne.submit(name, CLOSING)
    until((marianne.place / name / "up").exists)
    told = {s["num"]: s for s in marianne.request("job.explain", {"job_id": job})["sheets"]}
    assert told[3]["text"] == "it waits for the end of sheet 1 (when: failed)"
    assert told[4]["text"] == "it waits for the end of sheets 1, 2 (when: always)"
    _touch(marianne, name, "tidied", "go")
    if what == "conductor":
        os.kill(marianne.pids()["conductor"], signal.SIGKILL)
        until(marianne.serves)
    else:
        marianne.crash("manager" if what == "manager" else f"job:{job}/job")
    status = marianne.wait(job, code=1)
    assert [s["status"] for s in status["sheets"]] == [
        "failed",
        "skipped",
        "completed",
        "completed",
    ]
    assert _ran(marianne, name) == ["alarm", "tidy", "work"]
    assert status["error"] == "sheet 1 (work) failed"
    again = marianne("retry", job, code=0)
    assert again.code == 0
    marianne.wait(job, code=1)
    assert _ran(marianne, name) == sorted(["alarm", "tidy", "work"] * 2), "each runs for its end"


@pytest.mark.parametrize("what", ["conductor", "worker"])
def test_what_runs_after_a_cancel_goes_on_over_a_kill_and_a_second_cancel_ends_it(
    marianne: Marianne, what: str
) -> None:
    name = f"tidied-{what}"
    job = marianne.submit(name, CLOSING)
    until((marianne.place / name / "up").exists)
    _cancel(marianne, job)
    until((marianne.place / name / "tidying").exists)
    if what == "worker":
        os.kill(_worker(marianne, job), signal.SIGKILL)
        until(lambda: marianne.sheet(job, 4)["attempt"] == 2)
    else:
        os.kill(marianne.pids()["conductor"], signal.SIGKILL)
        until(marianne.serves)
    until(lambda: marianne.sheet(job, 4)["status"] == "running")
    assert marianne.status(job)["status"] == "cancelling"
    marianne("cancel", job, "--yes")
    status = marianne.status(job)
    assert status["status"] == "cancelled"
    assert [s["status"] for s in status["sheets"]] == ["cancelled"] * 4
    assert set(_ran(marianne, name)) == {"tidy", "work"}


def test_a_stop_during_a_cleanup_is_made_good_at_the_next_start(marianne: Marianne) -> None:
    job = marianne.submit("stopped", CLOSING)
    until((marianne.place / "stopped" / "up").exists)
    _cancel(marianne, job)
    until((marianne.place / "stopped" / "tidying").exists)
    marianne("stop")
    _touch(marianne, "stopped", "tidied")
    marianne("start")
    status = marianne.wait(job, code=None)
    assert (status["status"], status["sheets"][3]["status"]) == ("cancelled", "completed")
    assert _ran(marianne, "stopped") == ["tidy", "tidy", "work"]


def test_a_paused_job_that_is_cancelled_is_tidied_up(marianne: Marianne) -> None:
    job = marianne.submit("paused", CLOSING)
    until((marianne.place / "paused" / "up").exists)
    marianne("pause", job)
    _touch(marianne, "paused", "go", "tidied")
    until(lambda: marianne.status(job)["status"] == "paused")
    marianne("cancel", job, "--yes")
    status = marianne.status(job)
    assert (status["status"], status["sheets"][3]["status"]) == ("cancelled", "completed")
    assert _ran(marianne, "paused") == ["tidy", "work"]


def test_a_stop_that_cancels_lets_it_finish(marianne: Marianne) -> None:
    job = marianne.submit("ended", CLOSING)
    until((marianne.place / "ended" / "up").exists)
    _touch(marianne, "ended", "tidied")
    marianne("stop", "--cancel", "--yes")
    marianne("start")
    status = marianne.status(job)
    assert (status["status"], status["sheets"][3]["status"]) == ("cancelled", "completed")
    assert _ran(marianne, "ended") == ["tidy", "work"]
