"""The documented figures of ManagerActor, as the running conductor shows them."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from e2e_marianne import PROGRAM, Marianne, until

HELD = "sheets:\n" + "".join(
    f"  - {{name: s{n}, run: 'until test -e go; do sleep 0.02; done'}}\n" for n in range(3)
)


@pytest.fixture
def marianne(shared: Marianne) -> Marianne:
    return shared


def test_the_conductor_counts_running_sheets_and_says_what_is_degraded(own: Marianne) -> None:
    own.submit("held", HELD)
    until(lambda: own.request("daemon.status")["active_sheets"] == 3)
    told = own("conductor-status", "--json").json
    assert told["running_jobs"] == 1
    assert told["failure_rate_elevated"] is False
    assert told["notifications_degraded"] is False
    assert told["uptime_seconds"] > 0
    (own.place / "held" / "go").touch()
    own.wait("held")
    assert own("conductor-status", "--json").json["active_sheets"] == 0


def test_the_documented_metadata_of_a_job_is_kept_over_a_restart(own: Marianne) -> None:
    path = own.score("one", "sheets:\n  - {name: a, run: 'false'}\n")
    own("run", path, "--wait", code=1)
    before = own("diagnose", "one", "--json").json["meta"]
    assert before["config_path"] == path
    assert before["status"] == "failed"
    assert "a" in before["error_message"]
    own("restart")
    assert own("diagnose", "one", "--json").json["meta"] == before


def test_a_drain_lets_running_sheets_finish_and_the_job_goes_on_later(own: Marianne) -> None:
    text = HELD + "  - {name: after, needs: [s0, s1, s2], run: touch after}\n"
    own.submit("held", text)
    until(lambda: own.request("daemon.status")["active_sheets"] == 3)
    stop = subprocess.Popen([PROGRAM, "stop", "--drain"], env=own.env)
    until(lambda: own.request("daemon.health")["shutting_down"])
    until(lambda: "daemon.stopping" in own("events", "--json").out)
    own("explain", "held")  # which asks the scheduler: by then it knows
    (own.place / "held" / "go").touch()
    assert stop.wait(20.0) == 0
    assert not (own.place / "held" / "after").exists()
    own("start")
    assert [s["attempt"] for s in own.wait("held")["sheets"]] == [1, 1, 1, 1]


def test_a_cancelling_stop_cancels_every_job(own: Marianne) -> None:
    own.home.mkdir(mode=0o700)
    (own.home / "conductor.yaml").write_text("max_concurrent_jobs: 1\n")
    own.submit("held", HELD)
    own.submit("queued", HELD)
    until(lambda: own.request("daemon.status")["active_sheets"] == 3)
    own("stop", "--cancel", "--yes")
    assert not own.processes()
    own("start")
    assert [own.status(job)["status"] for job in ("held", "queued")] == ["cancelled"] * 2


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


def test_finished_jobs_are_cleared_by_status_age_and_name(own: Marianne) -> None:
    good, bad = (f"sheets:\n  - {{name: a, run: '{run}'}}\n" for run in ("true", "false"))
    for name, text, code in (("one", good, 0), ("two", good, 0), ("bad", bad, 1)):
        own("run", own.score(name, text), "--wait", code=code)
    assert own("clear", "--older-than", "1h", "--yes", "--json").json["deleted"] == 0
    assert own("clear", "--status", "failed", "--yes", "--json").json["jobs"] == ["bad"]
    assert own("clear", "two", "--yes", "--json").json["jobs"] == ["two"]
    assert [j["job_id"] for j in own("list", "--all", "--json").json] == ["one"]
    until(lambda: [path.name for path in (own.home / "jobs").iterdir()] == ["one"])
    assert (own.place / "two").is_dir(), "workspaces are left alone"
    own("status", "two", code=4)


@pytest.mark.parametrize("end", ["cancelled", "failed"])
def test_a_job_that_is_over_has_no_open_sheet_and_everybody_says_the_same(
    own: Marianne, end: str
) -> None:
    bad = "  - {name: bad, run: 'until test -e go; do sleep 0.02; done; exit 1'}\n"
    own.submit("held", HELD + bad + "  - {name: below, needs: [bad], run: 'true'}\n")
    until(lambda: own.request("daemon.status")["active_sheets"] == 4)
    if end == "cancelled":
        own("cancel", "held")
    else:
        (own.place / "held" / "go").touch()
    status = own.wait("held", code=1)
    of_sheets = {
        "cancelled": ["cancelled"] * 5,
        "failed": ["completed"] * 3 + ["failed", "skipped"],
    }
    assert status["status"] == end
    assert [s["status"] for s in status["sheets"]] == of_sheets[end]
    (listed,) = own("list", "--all", "--json").json
    assert listed == {name: value for name, value in status.items() if name != "sheets"}
    own("restart")
    assert own.status("held") == status
