"""Sheets that we end, in whatever order they and their worker hear of it, have not failed."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from e2e_marianne import Marianne, until

MANY = 24
SCORE = f"""
parallel: {{max_concurrent: {MANY}}}
sheets:
  - name: s
    fan_out: {MANY}
    run: echo >> begun.$MARIANNE_SHEET; exec sleep 600
"""


def _begun(place: Path, times: int) -> bool:
    return all(
        (place / f"begun.{n}").exists() and len((place / f"begun.{n}").read_text()) == times
        for n in range(1, MANY + 1)
    )


def _running(marianne: Marianne) -> str:
    job = marianne.submit("job", SCORE)
    until(lambda: _begun(marianne.place / "job", 1))
    return job


def _kill_both(marianne: Marianne) -> None:
    """The heart cannot replace the conductor, and the worker lives."""
    pids = marianne.pids().values()
    for signum in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            os.kill(pid, signum)


def _goes_on(marianne: Marianne, job: str) -> None:
    """All sheets run anew; not one has failed."""
    place = marianne.place / "job"
    until(lambda: _begun(place, 2) or marianne.status(job)["status"] != "running")
    assert {s["status"] for s in marianne.status(job)["sheets"]} == {"running"}


@pytest.mark.parametrize("how", [[], ["--force"]])
def test_a_stop_of_what_a_killed_conductor_left_fails_no_sheet(
    marianne: Marianne, how: list[str]
) -> None:
    marianne("start")
    job = _running(marianne)
    _kill_both(marianne)
    marianne("stop", *how)
    assert marianne.processes() == {}
    marianne("start")
    _goes_on(marianne, job)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_the_end_of_all_processes_at_once_fails_no_sheet(
    marianne: Marianne, signum: signal.Signals
) -> None:
    """As of a machine that goes down, or a session; the sheets hear of it first."""
    marianne("start")
    job = _running(marianne)
    ours = marianne.pids()
    sheets, rest = [], []
    for pid, line in marianne.processes().items():
        (sheets if line.startswith("sleep") else rest).append(pid)
    assert len(sheets) == MANY
    assert set(ours.values()) <= set(rest)
    for pid in sheets + rest:
        with suppress(ProcessLookupError):
            os.kill(pid, signum)
    until(lambda: not marianne.processes())
    marianne("start")
    _goes_on(marianne, job)


@pytest.mark.parametrize(
    ("command", "ends"),
    [
        ("skip_when_command: {command: 'C'}", "skipped"),
        ("validate: [{type: command_succeeds, command: 'C'}]", "completed"),
    ],
)
def test_the_end_of_all_processes_at_once_fails_no_check(
    marianne: Marianne, command: str, ends: str
) -> None:
    marianne("start")
    line = command.replace("C", "echo >> begun; [ -e end ] || exec sleep 600")
    job = marianne.submit("job", f"sheets: [{{name: a, run: 'true', {line}}}]")
    until((marianne.place / "job" / "begun").exists)
    (check,) = until(lambda: [p for p, c in marianne.processes().items() if c.startswith("sleep")])
    (marianne.place / "job" / "end").touch()
    for pid in [check, *(marianne.processes().keys() - {check})]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    until(lambda: not marianne.processes())
    marianne("start")
    assert marianne.wait(job)["sheets"][0]["status"] == ends
    assert marianne.request("job.errors", {"job_id": job})["errors"] == []


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_the_end_of_all_processes_at_once_fails_no_hook(
    marianne: Marianne, signum: signal.Signals
) -> None:
    marianne("start")
    hook = "echo >> begun; [ -e end ] || exec sleep 600"
    hooks = f"on_success: [{{type: run_command, command: '{hook}', on_failure: abort}}]"
    job = marianne.submit("job", f"sheets: [{{name: a, run: 'true'}}]\n{hooks}")
    place = marianne.place / "job"
    until((place / "begun").exists)
    (ran,) = until(lambda: [p for p, c in marianne.processes().items() if c.startswith("sleep")])
    (place / "end").touch()
    for pid in [ran, *(marianne.processes().keys() - {ran})]:
        with suppress(ProcessLookupError):
            os.kill(pid, signum)
    until(lambda: not marianne.processes())
    marianne("start")
    assert marianne.wait(job)["status"] == "completed"
    assert (place / "begun").read_text() == "\n\n"
