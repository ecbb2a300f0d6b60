"""Too much at once: the culprit pays, the innocent goes on, and all ends by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from e2e_marianne import Marianne, until

CONFIG = """monitor_interval_seconds: 5
max_concurrent_jobs: {jobs}
resource_limits: {{max_processes: {processes}, max_memory_mb: {memory}}}
"""

FORKS = """sheets:
  - name: many
    run: |
      for i in $(seq {n}); do sleep 1000 & done
      until test -e go; do sleep 0.05; done
      kill $(jobs -p)
  - {{name: after, needs: [many], run: 'true'}}
"""

STEPS = """sheets:
  - {name: one, run: 'until test -e go; do sleep 0.05; done'}
  - {name: two, needs: [one], run: 'true'}
"""


@pytest.fixture
def marianne(configured: Callable[[str], Marianne]) -> Marianne:
    return configured("")


def conductor(marianne: Marianne, *, processes: int, memory: int = 8192, jobs: int = 15) -> None:
    """Its limits are these, and nothing of another test is over them."""
    marianne.configure(CONFIG.format(jobs=jobs, processes=processes, memory=memory))

    def settled() -> bool:
        ready = marianne("ready", "--json", code=None).json
        return bool(ready["max_memory_mb"] == memory and ready["accepting_work"])

    until(settled)


def let_go(marianne: Marianne, job: str) -> None:
    (Path(marianne.status(job)["workspace"]) / "go").touch()


def test_forks_over_the_limit_stop_admission_and_all_goes_on_afterwards(marianne: Marianne) -> None:
    conductor(marianne, processes=30)
    innocent = marianne.submit("innocent", STEPS)
    until(lambda: marianne.sheet(innocent, 1)["status"] == "running")
    forks = marianne.submit("forks", FORKS.format(n=40))
    until(lambda: not marianne("ready", "--json", code=None).json["accepting_work"])
    # The 40 are over the limit before the last of them is there.
    until(lambda: marianne("ready", "--json", code=1).json["child_processes"] > 40)
    assert marianne("ready", "--json", code=1).json["status"] == "not_ready"
    refused = marianne("run", marianne.score("late", STEPS), code=75)
    assert "pressure" in refused.err
    let_go(marianne, innocent)
    until(lambda: marianne.sheet(innocent, 1)["status"] == "completed")
    until(lambda: marianne.status(forks)["status"] == "pausing")
    assert marianne.status(forks)["reason"] == "pressure"
    assert marianne.status(innocent)["status"] == "running"
    waits = marianne("explain", innocent, "two", "--json").json["sheets"][0]
    assert (waits["code"], waits["data"]["level"]) == ("pressure", "critical")
    let_go(marianne, forks)
    for job in (innocent, forks):
        assert marianne.wait(job)["status"] == "completed"
    assert [sheet["attempt"] for sheet in marianne.status(forks)["sheets"]] == [1, 1]
    marianne("ready")
    late = marianne.submit("late", STEPS)
    until(lambda: marianne.sheet(late, 1)["status"] == "running")
    let_go(marianne, late)
    assert marianne.wait(late)["status"] == "completed"


def test_a_sheet_that_alone_uses_twice_the_limit_is_ended_and_that_is_an_attempt(
    marianne: Marianne,
) -> None:
    conductor(marianne, processes=30)
    innocent = marianne.submit("innocent", STEPS)
    until(lambda: marianne.sheet(innocent, 1)["status"] == "running")
    forks = marianne.submit("forks", FORKS.format(n=70))
    status = marianne.wait(forks, code=1)
    assert status["sheets"][0]["error"]["category"] == "resource_limit"
    assert [sheet["attempt"] for sheet in status["sheets"]] == [1, 0]
    let_go(marianne, innocent)
    assert marianne.wait(innocent)["status"] == "completed"


@pytest.mark.parametrize("way", ["restart", "monitor"])
def test_a_job_paused_for_pressure_goes_on_over_a_restart(marianne: Marianne, way: str) -> None:
    conductor(marianne, processes=30)
    forks = marianne.submit("forks", FORKS.format(n=40))
    until(lambda: marianne.status(forks)["status"] == "pausing")
    if way == "restart":
        marianne("restart")
    else:
        marianne.crash("monitor")
    let_go(marianne, forks)
    assert marianne.wait(forks)["status"] == "completed"


def test_a_job_whose_turn_comes_under_pressure_is_pending_until_it_ends(
    marianne: Marianne,
) -> None:
    conductor(marianne, processes=30, jobs=2)
    last = marianne.request("events.since", {"seq": 0, "limit": 1})["last"]
    innocent = marianne.submit("innocent", STEPS)
    forks = marianne.submit("forks", FORKS.format(n=40))
    late = marianne.submit("late", STEPS)
    assert marianne.status(late)["status"] == "queued"
    until(lambda: not marianne("ready", "--json", code=None).json["accepting_work"])
    # A sheet needs a grant, which there is none of: the job ends by being cancelled.
    marianne("cancel", innocent, "--yes")
    until(lambda: marianne.status(late)["status"] == "pending")
    assert marianne.status(late)["reason"] == "pressure"
    why = marianne("explain", late, "--json").json
    assert why["code"] == "pressure"
    assert "of 30 processes" in why["text"]
    let_go(marianne, forks)
    marianne.wait(forks)
    until(lambda: marianne.status(late)["status"] == "running")
    assert marianne.status(late)["reason"] is None
    let_go(marianne, late)
    assert marianne.wait(late)["status"] == "completed"
    pressure = [
        event["data"]
        for event in marianne.request("events.since", {"seq": last})["events"]
        if event["event"] == "monitor.pressure"
    ]
    assert [data["level"] for data in pressure][:1] == ["critical"]
    assert pressure[-1]["level"] == "none"


def test_ready_shows_what_the_monitor_reads(marianne: Marianne) -> None:
    conductor(marianne, processes=200, memory=1000)
    ready = marianne("ready", "--json").json
    assert ready["status"] == "ready"
    assert ready["accepting_work"] is True
    assert (ready["max_memory_mb"], ready["monitor_degraded"]) == (1000, False)
    assert 20.0 < ready["memory_mb"] < 500.0
    assert 2 <= ready["child_processes"] < 20
    assert 0.0 <= ready["seconds_since_last_check"] < 5.0
    assert 10 < ready["descriptors"] < ready["max_descriptors"]
    memory = Path("/proc/meminfo").read_text().split()
    free_mb = int(memory[memory.index("MemAvailable:") + 1]) / 1024
    assert 0.3 < ready["machine_available_mb"] / free_mb < 3.0
    documented = {
        "status", "running_jobs", "memory_mb", "child_processes", "accepting_work",
        "shutting_down", "failure_rate_elevated", "notifications_degraded", "uptime_seconds",
    }  # fmt: skip
    assert documented <= set(ready)
    alive = marianne("health", "--json").json
    assert alive["status"] == "ok"
    assert alive["pid"] == marianne.pids()["conductor"]
    assert alive["uptime_seconds"] >= 0
    assert alive["shutting_down"] is False


def test_other_limits_are_in_force_at_once(marianne: Marianne) -> None:
    conductor(marianne, processes=200)
    marianne("ready")
    marianne.configure(CONFIG.format(processes=5, memory=600, jobs=15))
    ready = until(
        lambda: (
            (found := marianne("ready", "--json", code=None).json)["max_memory_mb"] == 600 and found
        )
    )
    assert ready["accepting_work"] is (ready["child_processes"] < 4)
