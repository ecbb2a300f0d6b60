"""A hook that our own stop cuts short has not failed: the next conductor runs it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from e2e_marianne import Marianne, until

DEAF = "sheets: [{name: a, run: 'trap \"\" TERM; touch up; while :; do sleep 0.1; done'}]\n"
DONE = "sheets: [{name: a, run: echo done}]\n"


@pytest.fixture
def marianne(mortal: Marianne) -> Marianne:
    return mortal


def _hooks(marianne: Marianne, job: str) -> list[dict[str, object]]:
    events = marianne.request("events.since", {"job_id": job})["events"]
    return [e["data"] for e in events if e["event"] == "job.hook"]


def test_a_chain_that_comes_due_during_a_drain_goes_on_after_the_next_start(
    configured: Callable[[str], Marianne],
) -> None:
    marianne = configured("sheet_grace_seconds: 0.5")
    marianne.submit("deaf", DEAF)  # holds the drain up
    until((marianne.place / "deaf" / "up").exists)
    marianne.score("next", DONE)
    chain = "on_success: [{type: run_command, command: 'true'}, "
    chain += "{type: run_job, job_path: next.yaml}]\n"
    chain += "concert: {enabled: true, cooldown_between_jobs_seconds: 1}\n"
    first = marianne.submit("first", DONE + chain)
    until(lambda: _hooks(marianne, first))  # the next one waits for its cooldown
    marianne.request("daemon.shutdown", {"mode": "drain", "drain_seconds": 3})
    until(lambda: not marianne.processes())
    marianne("start")
    hooks = until(lambda: len(told := _hooks(marianne, first)) > 1 and told)
    assert [hook["ok"] for hook in hooks] == [True, True], hooks
    after = str(hooks[1]["detail"]).removeprefix("started ")
    assert marianne.wait(after)["status"] == "completed"
    assert marianne.status(first)["error"] is None


def test_a_drain_that_cuts_a_hook_short_says_so(marianne: Marianne) -> None:
    ledger = marianne.place / "ledger"
    command = f"echo begun >> {ledger}; sleep $(cat how-long); echo done >> {ledger}"
    (marianne.place / "job").mkdir()
    (marianne.place / "job" / "how-long").write_text("600")
    hook = f"on_exit: [{{type: run_command, command: '{command}'}}]\n"
    job = marianne.submit("job", DONE + hook)
    until(ledger.exists)
    done = marianne("stop", "--drain", "1s", code=1)
    assert f"cut short: interrupted a hook of {job}; " in done.err
    marianne("start")
    until(lambda: ledger.read_text().split() == ["begun", "begun"])
    done = marianne("stop", "--drain", "1s", "--json", code=1)
    assert done.json["interrupted"] == [{"job_id": job, "sheet": None, "name": None}]
    (marianne.place / "job" / "how-long").write_text("0")
    marianne("start")
    marianne.wait(job)
    assert ledger.read_text().split() == ["begun"] * 3 + ["done"]


def test_a_follower_waits_over_a_stop_for_the_hooks_of_what_it_follows(marianne: Marianne) -> None:
    work = "sheets: [{name: a, run: 'touch up; until test -e go; do sleep 0.02; done'}]\n"
    ledger = marianne.place / "ledger"
    hook = f"on_exit: [{{type: run_command, command: 'sleep 1; echo hook >> {ledger}'}}]\n"
    first = marianne.submit("first", work + hook)
    words = ("--after", first, "--", "bash", "-c", f"echo next >> {ledger}")
    after = marianne("add", "--json", *words).json["job_id"]
    marianne.submit("other", work)  # holds the drain up
    until((marianne.place / "first" / "up").exists)
    until((marianne.place / "other" / "up").exists)
    marianne.request("daemon.shutdown", {"mode": "drain", "drain_seconds": 60})
    (marianne.place / "first" / "go").touch()
    until(lambda: marianne.status(first)["status"] == "completed")
    assert f"it waits for {first}" in marianne("explain", after).out
    (marianne.place / "other" / "go").touch()
    until(lambda: not marianne.processes())
    marianne("start")
    assert marianne.wait(after)["status"] == "completed"
    assert ledger.read_text() == "hook\nnext\n"


def test_a_cancelling_stop_leaves_the_hooks_of_a_completed_job_to_the_next_start(
    own: Marianne,
) -> None:
    """A command that runs, and a job that is to come."""
    runs = 'on_success: [{type: run_command, command: "echo x >> began; sleep $(cat how-long)"}]\n'
    comes = "on_success: [{type: run_job, job_path: next.yaml}]\n"
    comes += "concert: {enabled: true, cooldown_between_jobs_seconds: 600}\n"
    own.score("next", DONE)
    for name, hooks in (("runs", runs), ("comes", comes)):
        (own.place / name).mkdir()
        (own.place / name / "how-long").write_text("600\n")
        own.submit(name, DONE + hooks)
        until(lambda name=name: own.status(name)["status"] == "completed")
    until((own.place / "runs" / "began").exists)
    other = own.submit("other", "sheets: [{name: a, run: sleep 600}]\n")
    own("stop", "--cancel")
    assert not own.processes()
    (own.place / "runs" / "how-long").write_text("0\n")
    own("start")
    assert own.status(other)["status"] == "cancelled"
    assert [own.status(job)["status"] for job in ("runs", "comes")] == ["completed"] * 2
    own("wait", "runs", "--timeout", "50")
    assert [hook["ok"] for hook in _hooks(own, "runs")] == [True]
    assert _hooks(own, "comes") == []
    assert not _gave_up(own)


def _gave_up(marianne: Marianne) -> list[dict[str, object]]:
    events = marianne.request("events.since", {})["events"]
    return [e["data"] for e in events if e["event"] in ("actor.gave_up", "actor.crashed")]
