"""A conductor dies or is replaced; running sheets go on, and nobody else is needed."""

from __future__ import annotations

import os
import signal
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


def _replaced(marianne: Marianne, old: int) -> None:
    until(lambda: marianne.pids()["conductor"] != old and marianne.serves(), 20.0)


def _check(marianne: Marianne) -> None:
    (marianne.place / "count" / "go").touch()
    status = marianne.wait("count")
    assert [s["attempt"] for s in status["sheets"]] == [1, 1]
    assert len((marianne.place / "count" / "pids").read_text().split()) == 1
    *numbers, last = marianne("output", "count", "1").out.splitlines()
    assert numbers == [str(n + 1) for n in range(len(numbers))]
    assert last == f"end {len(numbers)}"


def _started(marianne: Marianne) -> None:
    marianne.submit("count", COUNTER)
    until((marianne.place / "count" / "pids").exists)


def test_a_sheet_outlives_three_kills_of_the_conductor(marianne: Marianne) -> None:
    _started(marianne)
    for _ in range(3):
        old = marianne.pids()["conductor"]
        os.kill(old, signal.SIGKILL)
        _replaced(marianne, old)
        until(lambda: marianne.sheet("count", 1)["status"] == "running")
    # Three deaths without progress hold the job; what runs is not touched.
    status = marianne.status("count")
    assert (status["status"], status["reason"]) == ("pausing", "crashes")
    marianne("resume", "count")
    _check(marianne)


def test_a_restart_does_not_touch_running_sheets(marianne: Marianne) -> None:
    _started(marianne)
    old = marianne.pids()["conductor"]
    marianne("restart")
    assert marianne.pids()["conductor"] != old
    _check(marianne)


def test_twenty_running_sheets_are_taken_over(marianne: Marianne) -> None:
    text = "sheets:\n" + "".join(
        f"  - {{name: s{i}, run: 'touch on.{i}; until test -e go; do sleep 0.1; done'}}\n"
        for i in range(20)
    )
    marianne.submit("wide", text)
    place = marianne.place / "wide"
    until(lambda: len(list(place.glob("on.*"))) == 20)
    old = marianne.pids()["conductor"]
    os.kill(old, signal.SIGKILL)
    _replaced(marianne, old)
    (place / "go").touch()
    status = marianne.wait("wide")
    assert [(s["status"], s["attempt"]) for s in status["sheets"]] == [("completed", 1)] * 20


def test_a_killed_worker_costs_no_retry_and_leaves_nothing(marianne: Marianne) -> None:
    _started(marianne)
    first = int((marianne.place / "count" / "pids").read_text())
    worker = int(Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(worker, signal.SIGKILL)
    until(lambda: len((marianne.place / "count" / "pids").read_text().split()) == 2)
    assert not os.path.exists(f"/proc/{first}")
    (marianne.place / "count" / "go").touch()
    status = marianne.wait("count")
    assert [(s["status"], s["attempt"]) for s in status["sheets"]] == [
        ("completed", 2),
        ("completed", 1),
    ]
    events = marianne.request("events.since", {"job_id": "count"})["events"]
    assert [e["event"] for e in events].count("sheet.interrupted") == 1


@pytest.mark.parametrize("how", ["stop", "stop --force", "TERM", "INT"])
def test_a_stop_leaves_no_process_and_the_job_goes_on_at_the_next_start(
    marianne: Marianne, how: str
) -> None:
    _started(marianne)
    heart = marianne.pids()["heart"]
    if how.startswith("stop"):
        marianne(*how.split())
    else:
        os.kill(heart, getattr(signal, f"SIG{how}"))
        until(lambda: not os.path.exists(f"/proc/{heart}"), 20.0)
    until(lambda: not marianne.processes(), 5.0)
    (marianne.place / "count" / "go").touch()
    marianne("start")
    status = marianne.wait("count")
    assert [(s["status"], s["attempt"]) for s in status["sheets"]] == [
        ("completed", 2),
        ("completed", 1),
    ]


def test_a_paused_job_stays_paused_over_a_restart(marianne: Marianne) -> None:
    _started(marianne)
    marianne("pause", "count")
    assert marianne.status("count")["status"] == "pausing"
    (marianne.place / "count" / "go").touch()
    until(lambda: marianne.status("count")["status"] == "paused")
    marianne("restart")
    status = marianne.status("count")
    assert (status["status"], status["reason"]) == ("paused", "person")
    assert status["progress"]["pending"] == 1
    marianne("resume", "count")
    assert [s["attempt"] for s in marianne.wait("count")["sheets"]] == [1, 1]
