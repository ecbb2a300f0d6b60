"""The documented figures of JobManager, as the running conductor shows them."""

from __future__ import annotations

from e2e_marianne import Marianne, until

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
