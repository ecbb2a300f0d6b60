"""From a score to finished sheets, as a user sees it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from e2e_marianne import PROGRAM, Marianne, until

PIPELINE = """
sheets:
  - name: generate
    run: |
      python3 -c "
      import random
      random.seed(7)
      for _ in range(200000): print(random.randrange(10**9))" > all.txt
  - name: split
    needs: [generate]
    run: split -n l/4 -d all.txt part.
  - {name: sort-0, needs: [split], run: sort -n part.00 > sorted.0}
  - {name: sort-1, needs: [split], run: sort -n part.01 > sorted.1}
  - {name: sort-2, needs: [split], run: sort -n part.02 > sorted.2}
  - {name: sort-3, needs: [split], run: sort -n part.03 > sorted.3}
  - name: merge
    needs: [sort-0, sort-1, sort-2, sort-3]
    run: sort -nm sorted.? > sorted.txt; sort -nc sorted.txt; wc -l < sorted.txt
    validate:
      - command_succeeds: test $(wc -l < sorted.txt) -eq 200000
"""

JOB_FIELDS = """job_id name status reason workspace config_path priority submitted_at started_at
    finished_at error progress sheets"""
SHEET_FIELDS = """num name status attempt instrument model exit_code signal started_at finished_at
    duration_seconds validations error left_running"""


@pytest.fixture
def marianne(shared: Marianne) -> Marianne:
    return shared


def test_a_pipeline_of_seven_sheets_sorts_200_000_numbers(marianne: Marianne) -> None:
    job = marianne.play("sort", PIPELINE)
    status = marianne.status(job)
    assert set(status) >= set(JOB_FIELDS.split())
    assert set(status["sheets"][0]) >= set(SHEET_FIELDS.split())
    assert status["status"] == "completed"
    assert status["progress"] == {
        **dict.fromkeys(("failed", "skipped", "cancelled", "running", "pending"), 0),
        "completed": 7,
        "total": 7,
    }
    sheets = status["sheets"]
    assert [s["attempt"] for s in sheets] == [1] * 7
    assert [s["exit_code"] for s in sheets] == [0] * 7
    starts, ends = [s["started_at"] for s in sheets], [s["finished_at"] for s in sheets]
    assert status["submitted_at"] <= status["started_at"] <= starts[0]
    assert ends[0] <= starts[1]
    assert ends[1] <= min(starts[2:6])
    assert max(ends[2:6]) <= starts[6] <= ends[6] <= status["finished_at"]
    assert marianne("output", job, "7").out == "200000\n"
    assert (marianne.place / "sort" / "sorted.txt").exists()


def test_failures_stay_where_they_belong(marianne: Marianne) -> None:
    text = """
sheets:
  - name: third-time
    run: echo x >> tries; test $(wc -l < tries) -ge 3
    retry: {max_retries: 2, base_delay_seconds: 0.1, jitter: false}
  - {name: slow, run: "echo $$ > slow.pid; exec sleep 100", timeout: 1s}
  - {name: below-slow, needs: [slow], run: touch never}
  - {name: wrong, run: echo fine, validate: [{file_exists: nowhere}]}
  - {name: below-wrong, needs: [wrong, third-time], run: touch never}
  - {name: beside, needs: [third-time], run: touch beside}
"""
    job = marianne.play("mixed", text, code=1)
    status = marianne.status(job)
    by_name = {s["name"]: s for s in status["sheets"]}
    assert status["status"] == "failed"
    assert "2 (slow)" in status["error"]
    assert (by_name["third-time"]["status"], by_name["third-time"]["attempt"]) == ("completed", 3)
    assert by_name["slow"]["status"] == "failed"
    assert by_name["slow"]["error"]["category"] == "timeout"
    assert 1.0 <= by_name["slow"]["duration_seconds"] < 3.0
    pid = int((marianne.place / "mixed" / "slow.pid").read_text())
    assert not Path(f"/proc/{pid}").exists()
    assert (by_name["wrong"]["status"], by_name["wrong"]["exit_code"]) == ("failed", 0)
    assert by_name["wrong"]["validations"][0]["passed"] is False
    for name in ("below-slow", "below-wrong"):
        assert by_name[name]["status"] == "skipped"
        assert by_name[name]["attempt"] == 0
    assert by_name["below-slow"]["error"]["message"] == "sheet 2 failed"
    assert by_name["beside"]["status"] == "completed"
    assert sorted(os.listdir(marianne.place / "mixed")) == ["beside", "slow.pid", "tries"]


def test_two_jobs_keep_two_cores_busy_from_workers_of_their_own(own: Marianne) -> None:
    busy = "sheets:\n  - {name: burn, run: 'while :; do :; done'}\n"
    jobs = [own.submit(name, busy) for name in ("left", "right")]

    def burners() -> dict[int, int]:
        """Each job's burning process, and the session that it is in."""
        found = {}
        for pid in own.processes():
            try:
                environ = Path(f"/proc/{pid}/environ").read_bytes()
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if b"MARIANNE_SHEET=1" in environ.split(b"\0"):
                found[pid] = int(fields[3])
        return found

    until(lambda: len(burners()) == 2)
    sessions = set(burners().values())
    assert len(sessions) == 2
    for session in sessions:
        fields = Path(f"/proc/{session}/stat").read_text().rpartition(")")[2].split()
        assert int(fields[3]) == session

    def seconds(pid: int) -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    pids = list(burners())
    until(lambda: all(seconds(pid) > 0.5 for pid in pids))
    own("cancel", *jobs)
    assert not burners()


def test_events_are_seen_as_they_happen_numbered_without_a_gap(marianne: Marianne) -> None:
    before = marianne.request("events.since", {"seq": 0})["events"][-1]["seq"]
    tail = subprocess.Popen(
        [PROGRAM, "events", "--follow", "--json", "--from", str(before + 1)],
        env=marianne.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    events: list[dict[str, object]] = []

    def mine(job: str) -> list[dict[str, object]]:
        return [e for e in list(events) if e["job_id"] == job]

    def read() -> None:
        assert tail.stdout is not None
        for line in tail.stdout:
            events.append(json.loads(line))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        wait = "until test -e go; do sleep 0.02; done"
        job = marianne.submit(
            "seen", f"sheets:\n  - {{name: a, run: {wait}}}\n  - {{name: b, run: 'true'}}\n"
        )
        until(lambda: ("sheet.completed", 2) in [(e["event"], e["sheet_num"]) for e in mine(job)])
        assert "job.completed" not in [e["event"] for e in mine(job)], "told only afterwards"
        (marianne.place / "seen" / "go").touch()
        until(lambda: "job.completed" in [e["event"] for e in mine(job)])
        tail.send_signal(signal.SIGINT)
        assert tail.wait() == 130
    finally:
        tail.kill()
        reader.join()
        tail.wait()
        assert tail.stdout is not None
        tail.stdout.close()
    assert [e["event"] for e in mine(job)] == [
        "job.submitted",
        "job.started",
        *["sheet.started"] * 2,
        *["sheet.completed"] * 2,
        "job.completed",
    ]
    numbers = [e["seq"] for e in events if e["event"] != "daemon.tick"]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_at_most_as_many_sheets_run_as_the_score_says(marianne: Marianne) -> None:
    text = "parallel: {max_concurrent: 2}\nsheets:\n" + "".join(
        f"  - {{name: s{i}, run: 'echo + >> log; sleep 0.1; echo - >> log'}}\n" for i in range(8)
    )
    marianne.play("narrow", text)
    running = most = 0
    for line in (marianne.place / "narrow" / "log").read_text().split():
        running += 1 if line == "+" else -1
        most = max(most, running)
    assert most == 2


@pytest.mark.parametrize("verb", [("status",), ("cancel",), ("output",), ("wait",)])
def test_an_unknown_job_is_exit_code_4(marianne: Marianne, verb: tuple[str, ...]) -> None:
    done = marianne(*verb, "nobody", code=4)
    assert "nobody" in done.err
