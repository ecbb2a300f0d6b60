"""A conductor dies or is replaced; running sheets go on, and nobody else is needed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from e2e_marianne import Marianne, until

COUNTER = """
sheets:
  - name: count
    run: |
      echo $$ >> pids
      i=0
      until test -e go; do i=$((i+1)); echo $i; sleep 0.05; done
      echo end $i
  - name: after
    needs: [count]
    run: echo after
"""


@pytest.fixture
def marianne(mortal: Marianne) -> Marianne:
    return mortal


def _replaced(marianne: Marianne, old: int) -> None:
    until(lambda: marianne.pids()["conductor"] != old and marianne.serves())


def _check(marianne: Marianne, job: str) -> None:
    (marianne.place / "count" / "go").touch()
    status = marianne.wait(job)
    assert [s["attempt"] for s in status["sheets"]] == [1, 1]
    assert len((marianne.place / "count" / "pids").read_text().split()) == 1
    *numbers, last = marianne("output", job, "1").out.splitlines()
    assert numbers == [str(n + 1) for n in range(len(numbers))]
    assert last == f"end {len(numbers)}"


def _started(marianne: Marianne, more: str = "") -> str:
    job = marianne.submit("count", more + COUNTER)
    pids = marianne.place / "count" / "pids"
    until(lambda: pids.exists() and pids.read_text())  # the shell makes it, then echo writes
    return job


def test_a_sheet_outlives_three_kills_of_the_conductor(marianne: Marianne) -> None:
    job = _started(marianne)
    for _ in range(3):
        old = marianne.pids()["conductor"]
        os.kill(old, signal.SIGKILL)
        _replaced(marianne, old)
        until(lambda: marianne.sheet(job, 1)["status"] == "running")
    # Three deaths without progress hold the job; what runs is not touched.
    status = marianne.status(job)
    assert (status["status"], status["reason"]) == ("pausing", "crashes")
    marianne("resume", job)
    _check(marianne, job)


def test_a_sheet_outlives_conductors_that_are_killed_before_they_serve(marianne: Marianne) -> None:
    job = _started(marianne)
    for _ in range(4):  # the heart gives up after five that never served
        old = marianne.pids()["conductor"]
        os.kill(old, signal.SIGKILL)
        until(lambda: marianne.pids()["conductor"] != old)  # noqa: B023
    until(marianne.serves)
    if marianne.status(job)["reason"] == "crashes":
        marianne("resume", job)
    _check(marianne, job)


def test_a_start_right_after_the_death_of_all_starts_another(marianne: Marianne) -> None:
    marianne("start")
    for _ in range(3):
        pids = marianne.pids()
        for pid in (pids["heart"], pids["conductor"]):
            os.kill(pid, signal.SIGKILL)
        started = marianne("start", "--json").json
        assert not started["already_running"]
        assert started["pid"] == marianne.pids()["conductor"] != pids["conductor"]
        assert marianne.serves()


def test_a_restart_does_not_touch_running_sheets_and_knows_their_walls(marianne: Marianne) -> None:
    job = _started(marianne, "sandbox: {network: false}")
    old = marianne.pids()["conductor"]
    marianne("restart")
    assert marianne.pids()["conductor"] != old
    until(lambda: marianne.sheet(job, 1)["walls"] == ["network"])
    _check(marianne, job)


HOLD = "touch on.$$; until test -e go; do sleep 0.1; done"


def test_twenty_running_sheets_are_taken_over(marianne: Marianne) -> None:
    text = "sheets:\n" + "".join(f"  - {{name: s{i}, run: '{HOLD}'}}\n" for i in range(20))
    job = marianne.submit("wide", text)
    place = marianne.place / "wide"
    until(lambda: len(list(place.glob("on.*"))) == 20)
    old = marianne.pids()["conductor"]
    os.kill(old, signal.SIGKILL)
    _replaced(marianne, old)
    (place / "go").touch()
    status = marianne.wait(job)
    assert [(s["status"], s["attempt"]) for s in status["sheets"]] == [("completed", 1)] * 20
    assert len(list(place.glob("on.*"))) == 20


def test_the_workers_of_twenty_jobs_are_taken_over(
    configured: Callable[[str], Marianne],
) -> None:
    marianne = configured("max_concurrent_jobs: 20")
    score = marianne.score("many", f"sheets:\n  - {{name: s, run: '{HOLD}'}}\n")
    env = {"PATH": os.environ["PATH"]}
    jobs = [
        marianne.request(
            "job.submit", {"config_path": score, "id": f"taken-over-{i}", "environment": env}
        )["job_id"]
        for i in range(20)
    ]
    place = marianne.place / "many"
    until(lambda: len(list(place.glob("on.*"))) == 20)
    old = marianne.pids()["conductor"]
    os.kill(old, signal.SIGKILL)
    _replaced(marianne, old)
    (place / "go").touch()
    for job in jobs:
        marianne.request("job.wait", {"job_id": job})
        (sheet,) = marianne.request("job.status", {"job_id": job})["sheets"]
        assert (sheet["status"], sheet["attempt"]) == ("completed", 1)
    assert len(list(place.glob("on.*"))) == 20


def test_a_killed_worker_costs_no_retry_and_leaves_nothing(marianne: Marianne) -> None:
    job = _started(marianne)
    first = int((marianne.place / "count" / "pids").read_text())
    worker = int(Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(worker, signal.SIGKILL)
    until(lambda: len((marianne.place / "count" / "pids").read_text().split()) == 2)
    assert not os.path.exists(f"/proc/{first}")
    (marianne.place / "count" / "go").touch()
    status = marianne.wait(job)
    assert [(s["status"], s["attempt"]) for s in status["sheets"]] == [
        ("completed", 2),
        ("completed", 1),
    ]
    events = marianne.request("events.since", {"job_id": job})["events"]
    assert [e["event"] for e in events].count("sheet.interrupted") == 1


@pytest.mark.parametrize("how", ["stop", "stop --force", "TERM", "INT"])
def test_a_stop_leaves_no_process_and_the_job_goes_on_at_the_next_start(
    marianne: Marianne, how: str
) -> None:
    job = _started(marianne)
    heart = marianne.pids()["heart"]
    if how.startswith("stop"):
        marianne(*how.split())
    else:
        os.kill(heart, getattr(signal, f"SIG{how}"))
        until(lambda: not os.path.exists(f"/proc/{heart}"))
    until(lambda: not marianne.processes())
    (marianne.place / "count" / "go").touch()
    marianne("start")
    status = marianne.wait(job)
    assert [(s["status"], s["attempt"]) for s in status["sheets"]] == [
        ("completed", 2),
        ("completed", 1),
    ]
