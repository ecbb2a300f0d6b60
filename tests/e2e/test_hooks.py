"""What follows a completed job: commands, scripts, further jobs; each bounded."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from e2e_marianne import Marianne, until

SHEET = "sheets:\n  - {name: a, run: echo a >> ran}\n"


@pytest.fixture
def marianne(mortal: Marianne) -> Marianne:
    return mortal


def _events(marianne: Marianne, job: str) -> list[dict[str, object]]:
    events = marianne.request("events.since", {"job_id": job})["events"]
    return [e["data"] for e in events if e["event"] == "job.hook"]


def test_a_command_and_a_script_run_in_order_before_the_job_is_over(marianne: Marianne) -> None:
    script = marianne.place / "script.sh"
    script.write_text('#!/bin/sh\necho "script $1 $MARIANNE_JOB_ID" >> ran\n')
    script.chmod(0o755)
    hooks = """on_success:
  - {type: run_command, command: 'sleep 0.3; echo {job_id} {sheet_count} >> {workspace}/ran'}
  - {type: run_script, command: 'script.sh one'}
"""
    job = marianne.play("hooked", SHEET + hooks)
    ran = (marianne.place / "hooked" / "ran").read_text().splitlines()
    assert ran == ["a", f"{job} 1", f"script one {job}"]
    assert [h["ok"] for h in _events(marianne, job)] == [True, True]


def test_a_failing_hook_is_told_and_fails_the_job_only_if_its_author_says_so(
    marianne: Marianne,
) -> None:
    hooks = """on_success:
  - {type: run_command, command: 'echo password: sk-abcdefghijklmnopqrst; exit 3'}
  - {type: run_command, command: 'exit 4', on_failure: abort}
  - {type: run_command, command: touch never}
"""
    job = marianne.play("hooked", SHEET + hooks, code=1)
    status = marianne.status(job)
    assert (status["status"], status["sheets"][0]["status"]) == ("failed", "completed")
    assert status["error"] == "hook 2 (run_command) failed: exit code 4"
    told = _events(marianne, job)
    assert [h["detail"] for h in told] == ["exit code 3", "exit code 4"]
    assert told[0]["said"] == "password: [REDACTED]\n"
    assert not (marianne.place / "hooked" / "never").exists()


def _listed(marianne: Marianne) -> list[tuple[str, Path]]:
    """The ids of this test's jobs and where they work, oldest first."""
    jobs = marianne("list", "--all", "--json").json
    jobs.sort(key=lambda job: str(job["submitted_at"]))
    found = [(job["job_id"], Path(job["workspace"])) for job in jobs]
    return [(job, place) for job, place in found if place.is_relative_to(marianne.place)]


def _loops(marianne: Marianne) -> list[str]:
    return [job for job, place in _listed(marianne) if place == marianne.place / "loop"]


def test_a_chain_to_itself_ends_at_its_depth_and_keeps_its_pauses(marianne: Marianne) -> None:
    hooks = """concert: {enabled: true, max_chain_depth: 2, cooldown_between_jobs_seconds: 0.1}
on_success: [{type: run_job, job_path: loop.yaml, detached: true}]
"""
    first = marianne.play("loop", SHEET + hooks)
    until(lambda: len(_loops(marianne)) == 3)
    second, third = (job for job in _loops(marianne) if job != first)
    marianne("wait", second, third)
    assert _events(marianne, first)[0]["detail"] == f"started {second}"
    assert "max_chain_depth" in str(_events(marianne, third)[0]["detail"])
    assert len(_loops(marianne)) == 3
    assert (marianne.place / "loop" / "ran").read_text() == "a\n" * 3


def _next_job(marianne: Marianne) -> None:
    path = marianne.place / "next.yaml"
    path.write_text("name: next\nworkspace: ./next\nsheets:\n  - {name: b, run: touch b}\n")


CHAIN = (
    SHEET
    + """concert:
  {enabled: true, cooldown_between_jobs_seconds: 0, concert_log_path: log/chain}
on_success:
  - {type: run_command, command: echo hook >> ran}
  - {type: run_job, job_path: next.yaml, job_workspace: ./next, pause_before_chain: true}
  - {type: run_command, command: echo last >> ran}
"""
)


def test_a_chain_that_waits_for_a_person_waits_over_a_death_and_goes_on_once(
    marianne: Marianne,
) -> None:
    _next_job(marianne)
    job = marianne.submit("chain", CHAIN)
    until(lambda: marianne.status(job)["status"] == "paused")
    status = marianne.status(job)
    assert (status["reason"], status["sheets"][0]["status"]) == ("chain", "completed")
    held = marianne("diagnose", job, "--json").json["meta"]
    assert held["held_chain_hook"]["job_path"] == "next.yaml"
    old = marianne.pids()["conductor"]
    os.kill(old, signal.SIGKILL)
    until(lambda: marianne.pids()["conductor"] != old and marianne.serves())
    assert marianne.status(job)["reason"] == "chain"
    place = marianne.place / "chain"
    assert _listed(marianne) == [(job, place)]
    marianne("resume", job)
    status = marianne.wait(job)
    assert (status["status"], status["reason"], status["sheets"][0]["attempt"]) == (
        "completed",
        None,
        1,
    )
    _, (after, _) = _listed(marianne)
    assert marianne.wait(after)["status"] == "completed"
    assert (place / "ran").read_text().split() == ["a", "hook", "last"]
    lines = [json.loads(line) for line in (place / "log" / "chain").read_text().splitlines()]
    assert [(line["hook"], line["ok"]) for line in lines] == [(1, True), (2, True), (3, True)]
    assert lines[1]["detail"] == f"started {after}"


def test_a_job_that_did_nothing_new_starts_no_other(marianne: Marianne) -> None:
    text = """sheets:
  - {name: a, run: echo a >> ran, skip_when_command: {command: 'true'}}
concert: {enabled: true, cooldown_between_jobs_seconds: 0}
on_success: [{type: run_job, job_path: loop.yaml}]
"""
    assert _loops(marianne) == []
    job = marianne.play("loop", text)
    assert _loops(marianne) == [job]


def test_a_hook_leaves_no_process_and_ends_at_its_time(marianne: Marianne) -> None:
    hooks = """on_success:
  - {type: run_command, command: 'setsid sleep 9871 & sleep 9872', timeout_seconds: 1}
"""
    job = marianne.play("hooked", SHEET + hooks)
    assert "Ran longer than 1 s" in str(marianne.status(job)["error"])
    assert not any("987" in line for line in marianne.processes().values())


@pytest.mark.parametrize("dies", ["beside", "manager"])
def test_a_hook_runs_again_when_an_actor_dies_over_it_and_never_twice_at_once(
    marianne: Marianne, dies: str
) -> None:
    wait = "echo $$ >> {workspace}/pids; until test -e {workspace}/go; do sleep 0.05; done"
    hook = f"on_success: [{{type: run_command, command: '{wait}'}}]\n"
    job = marianne.submit("job", "sheets: [{name: a, run: 'true'}]\n" + hook)
    pids = marianne.place / "job" / "pids"
    (first,) = until(lambda: pids.exists() and pids.read_text().split())
    marianne.request("daemon.fault", {"name": dies, "now": True})
    until(lambda: len(pids.read_text().split()) == 2)
    until(lambda: not os.path.exists(f"/proc/{first}"))
    (marianne.place / "job" / "go").touch()
    assert marianne.wait(job)["status"] == "completed"
    assert len(pids.read_text().split()) == 2


def test_what_follows_a_failure_and_an_exit_goes_on_over_a_kill(marianne: Marianne) -> None:
    hooks = """on_success: [{type: run_command, command: touch never}]
on_failure:
  - {type: run_command, command: 'echo failed {status} >> ran; until [ -e go ]; do sleep 0.1; done'}
on_exit: [{type: run_command, command: echo exit >> ran}]
"""
    job = marianne.submit("falls", "sheets: [{name: a, run: exit 3}]\n" + hooks)
    until((marianne.place / "falls" / "ran").exists)
    assert marianne("retry", job, code=None).code != 0, "what follows it is not over"
    old = marianne.pids()["conductor"]
    os.kill(old, signal.SIGKILL)
    until(lambda: marianne.pids()["conductor"] != old and marianne.serves())
    (marianne.place / "falls" / "go").touch()
    status = marianne.wait(job, code=1)
    assert status["error"] == "sheet 1 (a) failed"
    ran = (marianne.place / "falls" / "ran").read_text().splitlines()
    assert ran[-1] == "exit"
    assert ran[:-1] == ["failed failed"] * 2, "the one that ran at the kill ran again"
    assert not (marianne.place / "falls" / "never").exists()
    assert [h["on"] for h in _events(marianne, job)] == ["on_failure", "on_exit"]
    marianne("resume", job)
    marianne.wait(job, code=1)
    assert (marianne.place / "falls" / "ran").read_text().splitlines()[-2:] == [
        "failed failed",
        "exit",
    ]
