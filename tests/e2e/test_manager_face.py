"""The documented figures of JobManager, as the running conductor shows them."""

from __future__ import annotations

import json
import subprocess

import pytest
from e2e_marianne import PROGRAM, Marianne, until

HELD = "sheets:\n" + "".join(
    f"  - {{name: s{n}, run: 'until test -e go; do sleep 0.02; done'}}\n" for n in range(3)
)


def test_the_conductor_counts_running_sheets_and_says_what_is_degraded(marianne: Marianne) -> None:
    marianne.submit("held", HELD)
    until(lambda: marianne.request("daemon.status")["active_sheets"] == 3)
    told = marianne("conductor-status", "--json").json
    assert told["running_jobs"] == 1
    assert told["failure_rate_elevated"] is False
    assert told["notifications_degraded"] is False
    assert told["uptime_seconds"] > 0
    (marianne.place / "held" / "go").touch()
    marianne.wait("held")
    assert marianne("conductor-status", "--json").json["active_sheets"] == 0


def test_the_documented_metadata_of_a_job_is_kept_over_a_restart(marianne: Marianne) -> None:
    path = marianne.score("one", "sheets:\n  - {name: a, run: 'false'}\n")
    marianne("run", path, "--wait", code=1)
    before = marianne("diagnose", "one", "--json").json["meta"]
    assert before["config_path"] == path
    assert before["status"] == "failed"
    assert "a" in before["error_message"]
    marianne("restart")
    assert marianne("diagnose", "one", "--json").json["meta"] == before


def test_a_drain_lets_running_sheets_finish_and_the_job_goes_on_later(marianne: Marianne) -> None:
    text = HELD + "  - {name: after, needs: [s0, s1, s2], run: touch after}\n"
    marianne.submit("held", text)
    until(lambda: marianne.request("daemon.status")["active_sheets"] == 3)
    stop = subprocess.Popen([PROGRAM, "stop", "--drain"], env=marianne.env)
    until(lambda: marianne.request("daemon.health")["shutting_down"])
    until(lambda: "daemon.stopping" in marianne("events", "--json").out)
    marianne("explain", "held")  # which asks the scheduler: by then it knows
    (marianne.place / "held" / "go").touch()
    assert stop.wait(20.0) == 0
    assert not (marianne.place / "held" / "after").exists()
    marianne("start")
    assert [s["attempt"] for s in marianne.wait("held")["sheets"]] == [1, 1, 1, 1]


def test_a_cancelling_stop_cancels_every_job(marianne: Marianne) -> None:
    marianne.home.mkdir(mode=0o700)
    (marianne.home / "conductor.yaml").write_text("max_concurrent_jobs: 1\n")
    marianne.submit("held", HELD)
    marianne.submit("queued", HELD)
    until(lambda: marianne.request("daemon.status")["active_sheets"] == 3)
    marianne("stop", "--cancel", "--yes")
    assert not marianne.processes()
    marianne("start")
    assert [marianne.status(job)["status"] for job in ("held", "queued")] == ["cancelled"] * 2


def test_the_log_tells_the_life_of_a_job(marianne: Marianne) -> None:
    marianne("run", marianne.score("one", "sheets:\n  - {name: a, run: 'true'}\n"), "--wait")
    lines = (marianne.home / "logs" / "conductor.log").read_text().splitlines()
    told = [json.loads(line) for line in lines if '"marianne.job"' in line]
    assert ("job.completed", "one") in [(line["event"], line["job_id"]) for line in told]


def test_finished_jobs_are_cleared_by_status_age_and_name(marianne: Marianne) -> None:
    good, bad = (f"sheets:\n  - {{name: a, run: '{run}'}}\n" for run in ("true", "false"))
    for name, text, code in (("one", good, 0), ("two", good, 0), ("bad", bad, 1)):
        marianne("run", marianne.score(name, text), "--wait", code=code)
    assert marianne("clear", "--older-than", "1h", "--yes", "--json").json["deleted"] == 0
    assert marianne("clear", "--status", "failed", "--yes", "--json").json["jobs"] == ["bad"]
    assert marianne("clear", "two", "--yes", "--json").json["jobs"] == ["two"]
    assert [j["job_id"] for j in marianne("list", "--all", "--json").json] == ["one"]
    until(lambda: [path.name for path in (marianne.home / "jobs").iterdir()] == ["one"])
    assert (marianne.place / "two").is_dir(), "workspaces are left alone"
    marianne("status", "two", code=4)


@pytest.mark.parametrize("end", ["cancelled", "failed"])
def test_a_job_that_is_over_has_no_open_sheet_and_everybody_says_the_same(
    marianne: Marianne, end: str
) -> None:
    bad = "  - {name: bad, run: 'until test -e go; do sleep 0.02; done; exit 1'}\n"
    marianne.submit("held", HELD + bad + "  - {name: below, needs: [bad], run: 'true'}\n")
    until(lambda: marianne.request("daemon.status")["active_sheets"] == 4)
    if end == "cancelled":
        marianne("cancel", "held")
    else:
        (marianne.place / "held" / "go").touch()
    status = marianne.wait("held", code=1)
    of_sheets = {
        "cancelled": ["cancelled"] * 5,
        "failed": ["completed"] * 3 + ["failed", "skipped"],
    }
    assert status["status"] == end
    assert [s["status"] for s in status["sheets"]] == of_sheets[end]
    (listed,) = marianne("list", "--all", "--json").json
    assert listed == {name: value for name, value in status.items() if name != "sheets"}
    marianne("restart")
    assert marianne.status("held") == status
