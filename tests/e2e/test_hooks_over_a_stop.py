"""A hook that our own stop cuts short has not failed: the next conductor runs it."""

from __future__ import annotations

from e2e_marianne import Marianne, until

DEAF = "sheets: [{name: a, run: 'trap \"\" TERM; touch up; while :; do sleep 0.1; done'}]\n"
DONE = "sheets: [{name: a, run: echo done}]\n"


def _hooks(marianne: Marianne, job: str) -> list[dict[str, object]]:
    events = marianne.request("events.since", {"job_id": job})["events"]
    return [e["data"] for e in events if e["event"] == "job.hook"]


def test_a_chain_that_comes_due_during_a_drain_goes_on_after_the_next_start(
    marianne: Marianne,
) -> None:
    marianne.home.mkdir()
    (marianne.home / "conductor.yaml").write_text("sheet_grace_seconds: 0.5\n")
    marianne.submit("deaf", DEAF)  # holds the drain up
    until((marianne.place / "deaf" / "up").exists)
    marianne.score("next", DONE)
    chain = "on_success: [{type: run_command, command: 'true'}, "
    chain += "{type: run_job, job_path: next.yaml}]\n"
    chain += "concert: {enabled: true, cooldown_between_jobs_seconds: 1}\n"
    marianne("run", marianne.score("first", DONE + chain))
    until(lambda: _hooks(marianne, "first"))  # the next one waits for its cooldown
    marianne.request("daemon.shutdown", {"mode": "drain", "drain_seconds": 3})
    until(lambda: not marianne.processes())
    marianne("start")
    hooks = until(lambda: len(told := _hooks(marianne, "first")) > 1 and told)
    assert [hook["ok"] for hook in hooks] == [True, True], hooks
    assert marianne.wait("next")["status"] == "completed"
    assert marianne.status("first")["error"] is None
