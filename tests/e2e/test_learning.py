"""What was learned of a job holds its next run back until there is room for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from e2e_marianne import Marianne, until

Configure = Callable[[str], Marianne]

CONFIG = """monitor_interval_seconds: 5
resource_limits: {{max_memory_mb: {memory}}}
learning: {{enabled: {enabled}, entropy_threshold: 1.0}}
"""

USES = """sheets:
  - name: uses
    run: |
      exec python3 -c "
      import os, time
      held = bytearray({mb} * 2**20)
      open('there', 'w').close()
      while not os.path.exists('go'):
          time.sleep(0.02)
      "
"""


def settings(memory: int = 900, enabled: str = "true") -> str:
    return CONFIG.format(memory=memory, enabled=enabled)


def let_go(marianne: Marianne, name: str) -> None:
    place = marianne.place / name
    place.mkdir(exist_ok=True)
    (place / "go").touch()


def hold(marianne: Marianne, name: str, mb: int) -> str:
    """A job that uses so much memory, which the monitor has seen."""
    job = marianne.submit(name, USES.format(mb=mb))
    until((marianne.place / name / "there").exists)
    marianne("ready", "--json", code=None)
    return job


def run_once(marianne: Marianne, name: str, mb: int) -> str:
    let_go(marianne, name)
    job = marianne.submit(name, USES.format(mb=mb))
    assert marianne.wait(job)["status"] == "completed"
    until(lambda: marianne("diagnose", job, "--json").json["learned"]["outcomes"])
    return job


def again(marianne: Marianne, name: str) -> dict[str, str]:
    return dict(marianne("run", str(marianne.place / f"{name}.yaml"), "--json").json)


def test_the_second_run_waits_for_the_memory_that_the_first_one_used(configured: Configure) -> None:
    marianne = configured(settings())
    first = run_once(marianne, "big", 350)
    learned = marianne("diagnose", first, "--json").json["learned"]
    assert 350 <= learned["estimate"]["peak_memory_mb"] < 400
    assert learned["estimate"]["confidence"] == 0.5
    ballast = hold(marianne, "ballast", 330)
    response = again(marianne, "big")
    second = response["job_id"]
    assert response["status"] == "pending"
    status = marianne.status(second)
    assert (status["status"], status["reason"]) == ("pending", "estimate")
    assert [
        row["status"] for row in marianne("list", "--json").json if row["job_id"] == second
    ] == ["pending"]
    why = marianne("explain", second, "--json").json
    assert why["code"] == "pending"
    assert why["data"]["needs_mb"] >= 350 > why["data"]["free_mb"]
    assert "expected to need 3" in marianne("explain", second).out
    small = marianne.submit("small", "sheets:\n  - {name: a, run: 'true'}\n")
    assert marianne.wait(small)["status"] == "completed", "nothing is known of it: it goes past"
    assert marianne.status(second)["status"] == "pending"
    let_go(marianne, "ballast")
    assert marianne.wait(ballast)["status"] == "completed"
    assert marianne.wait(second)["status"] == "completed"
    until(lambda: marianne("diagnose", second, "--json").json["learned"]["outcomes"] == 2)
    report = marianne("diagnose", second, "--json").json["learned"]
    assert [p["uses"] for p in report["patterns"]] == [1, 0, 0]
    assert report["estimate"]["confidence"] > 0.7
    history = lambda: marianne("history", second, "--json").json["learned"]  # noqa: E731
    # Known to the next decision a moment before it is on disk.
    until(lambda: [row["job_id"] for row in history()] == [second, first])
    assert "expected memory" in marianne("diagnose", second).out
    assert "jobs of the same score" in marianne("history", second).out


def test_a_pending_job_outlives_a_restart_and_obeys(configured: Configure) -> None:
    marianne = configured(settings())
    run_once(marianne, "large", 350)
    hold(marianne, "ballast", 330)
    second = again(marianne, "large")["job_id"]
    marianne("restart")
    assert marianne.status(second)["status"] == "pending"
    marianne("pause", second)
    let_go(marianne, "ballast")
    assert marianne.status(second)["status"] == "paused"
    marianne("resume", second)
    assert marianne.wait(second)["status"] == "completed"


def test_a_job_that_never_fits_runs_when_no_other_does(configured: Configure) -> None:
    marianne = configured(settings(memory=8192))
    run_once(marianne, "huge", 500)
    marianne.configure(settings(memory=512))
    other = marianne.submit(
        "other", "sheets:\n  - {name: a, run: 'until test -e go; do sleep 0.05; done'}\n"
    )
    response = again(marianne, "huge")
    assert response["status"] == "pending"
    let_go(marianne, "other")
    marianne.wait(other)
    until(lambda: marianne.status(response["job_id"])["status"] != "pending")
    marianne("cancel", response["job_id"], "--yes", code=None)


def test_without_learning_nothing_is_known(configured: Configure) -> None:
    marianne = configured(settings(enabled="false"))
    let_go(marianne, "big")
    job = marianne.submit("big", USES.format(mb=1))
    assert marianne.wait(job)["status"] == "completed"
    assert marianne("history", job, "--json").json["learned"] == []
    assert marianne("diagnose", job, "--json").json["learned"]["estimate"] is None


def test_after_each_ten_jobs_a_use_that_is_not_diverse_raises_exploration(
    own: Marianne,
) -> None:
    own.home.mkdir(mode=0o700)
    (own.home / "conductor.yaml").write_text(settings())
    first = run_once(own, "tiny", 1)
    path = str(own.place / "tiny.yaml")
    for n in range(11):
        own.request("job.submit", {"config_path": path, "id": f"{first}-{n}"})
        own.request("job.wait", {"job_id": f"{first}-{n}"})
    learned = own("diagnose", first, "--json").json["learned"]
    assert learned["exploration_budget"] == 0.15, "fewer than ten uses at the tenth job"
    for n in range(11, 19):
        own.request("job.submit", {"config_path": path, "id": f"{first}-{n}"})
        own.request("job.wait", {"job_id": f"{first}-{n}"})
    until(lambda: report(own, first)["exploration_budget"] == 0.25)
    assert 0.0 < report(own, first)["entropy"] < 1.0
    assert sum(pattern["uses"] for pattern in report(own, first)["patterns"]) == 19
    own("restart")
    assert report(own, first)["exploration_budget"] == 0.25


def report(marianne: Marianne, job: str) -> dict[str, Any]:
    """What was learned of jobs like this one."""
    return dict(marianne("diagnose", job, "--json").json["learned"])
