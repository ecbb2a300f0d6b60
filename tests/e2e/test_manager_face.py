"""The documented figures of ManagerActor, as the running conductor shows them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from e2e_marianne import PROGRAM, Marianne, until

HELD = "sheets:\n" + "".join(
    f"  - {{name: s{n}, run: 'until test -e go; do sleep 0.02; done'}}\n" for n in range(3)
)


@pytest.fixture
def marianne(mortal: Marianne) -> Marianne:
    return mortal


def _all_run(marianne: Marianne, sheets: int) -> None:
    until(lambda: marianne.request("daemon.status")["active_sheets"] == sheets)


def test_the_conductor_counts_running_sheets_and_says_what_is_degraded(
    marianne: Marianne,
) -> None:
    job = marianne.submit("held", HELD)
    _all_run(marianne, 3)
    told = marianne("conductor-status", "--json").json
    assert told["running_jobs"] == 1
    assert told["failure_rate_elevated"] is False
    assert told["notifications_degraded"] is False
    assert told["uptime_seconds"] > 0
    (marianne.place / "held" / "go").touch()
    marianne.wait(job)
    assert marianne("conductor-status", "--json").json["active_sheets"] == 0


def test_a_drain_lets_running_sheets_finish_and_the_job_goes_on_later(marianne: Marianne) -> None:
    text = HELD + "  - {name: after, needs: [s0, s1, s2], run: touch after}\n"
    job = marianne.submit("held", text)
    _all_run(marianne, 3)
    last = marianne.request("events.since", {"seq": 0, "limit": 1})["last"]
    stop = subprocess.Popen([PROGRAM, "stop", "--drain"], env=marianne.env)
    until(lambda: marianne.request("daemon.health")["shutting_down"])
    until(lambda: "daemon.stopping" in str(marianne.request("events.since", {"seq": last})))
    marianne("explain", job)  # which asks the scheduler: by then it knows
    (marianne.place / "held" / "go").touch()
    assert stop.wait(20.0) == 0
    assert not (marianne.place / "held" / "after").exists()
    marianne("start")
    assert [s["attempt"] for s in marianne.wait(job)["sheets"]] == [1, 1, 1, 1]


def test_a_cancelling_stop_cancels_every_job(configured: Callable[[str], Marianne]) -> None:
    marianne = configured("max_concurrent_jobs: 1")
    jobs = [marianne.submit(name, HELD) for name in ("held", "queued")]
    _all_run(marianne, 3)
    marianne("stop", "--cancel", "--yes")
    assert not marianne.processes()
    marianne("start")
    assert [marianne.status(job)["status"] for job in jobs] == ["cancelled"] * 2


def test_the_log_tells_the_life_of_a_job(marianne: Marianne) -> None:
    job = marianne.play("one", "sheets:\n  - {name: a, run: 'true'}\n")
    events = {"sheet.started", "sheet.completed", "job.progress", "job.completed"}

    def told() -> list[dict[str, Any]]:
        lines = (marianne.home / "logs" / "conductor.log").read_text().splitlines()
        ours = [json.loads(line) for line in lines if '"marianne.job"' in line]
        return [line for line in ours if line["job_id"] == job]

    until(lambda: {line["event"] for line in told()} >= events)
    [progress] = [line for line in told() if line["event"] == "job.progress"]
    assert (progress["level"], progress["completed"], progress["total"]) == ("info", 1, 1)


def test_finished_jobs_are_cleared_by_status_age_and_name(marianne: Marianne) -> None:
    marianne("clear", "--all", "--yes")
    good, bad = (f"sheets:\n  - {{name: a, run: '{run}'}}\n" for run in ("true", "false"))
    one, two, failed = (
        marianne.play(name, text, code=code)
        for name, text, code in (("one", good, 0), ("two", good, 0), ("bad", bad, 1))
    )
    assert marianne("clear", "--older-than", "1h", "--yes", "--json").json["deleted"] == 0
    assert marianne("clear", "--status", "failed", "--yes", "--json").json["jobs"] == [failed]
    assert marianne("clear", two, "--yes", "--json").json["jobs"] == [two]
    assert [j["job_id"] for j in marianne("list", "--all", "--json").json] == [one]
    until(lambda: [path.name for path in (marianne.home / "jobs").iterdir()] == [one])
    assert (marianne.place / "two").is_dir(), "workspaces are left alone"
    marianne("status", two, code=4)


def test_a_job_that_is_over_has_no_open_sheet_and_everybody_says_the_same_over_a_restart(
    marianne: Marianne,
) -> None:
    bad = "  - {name: bad, run: 'until test -e go; do sleep 0.02; done; exit 1'}\n"
    of_sheets = {
        "cancelled": ["cancelled"] * 5,
        "failed": ["completed"] * 3 + ["failed", "skipped"],
    }
    told = {}
    for end, sheets in of_sheets.items():
        job = marianne.submit(end, HELD + bad + "  - {name: below, needs: [bad], run: 'true'}\n")
        _all_run(marianne, 4)
        if end == "cancelled":
            marianne("cancel", job)
        else:
            (marianne.place / end / "go").touch()
        status = told[job] = marianne.wait(job, code=1)
        assert status["status"] == end
        assert [s["status"] for s in status["sheets"]] == sheets
        (listed,) = (j for j in marianne("list", "--all", "--json").json if j["job_id"] == job)
        assert listed == {name: value for name, value in status.items() if name != "sheets"}
        meta = _meta(marianne, job)
        assert meta["config_path"] == str(marianne.place / f"{end}.yaml")
        assert meta["status"] == end
    assert "bad" in meta["error_message"]
    marianne("restart")
    assert {job: marianne.status(job) for job in told} == told
    assert _meta(marianne, job) == meta


def _meta(marianne: Marianne, job: str) -> dict[str, Any]:
    """What is documented of a job's record."""
    return dict(marianne("diagnose", job, "--json").json["meta"])
