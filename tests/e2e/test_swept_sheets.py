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


@pytest.fixture
def marianne(mortal: Marianne) -> Marianne:
    return mortal


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


def _end_all(marianne: Marianne, programs: list[int], signum: signal.Signals) -> None:
    """Ends everything, the programs first; what else is ours hears of them and of its own end at
    the same moment."""
    rest = marianne.processes().keys() - set(programs)
    for pids, number in (
        (rest, signal.SIGSTOP),
        (programs, signum),
        (rest, signum),
        (rest, signal.SIGCONT),
    ):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        if pids is programs:
            until(lambda: not marianne.processes().keys() & set(programs))
    until(lambda: not marianne.processes())


def _sleeping(marianne: Marianne, many: int) -> list[int]:
    found: list[int] = []

    def look() -> bool:
        found[:] = [p for p, line in marianne.processes().items() if line.startswith("sleep")]
        return len(found) == many

    until(look)
    return found


def _goes_on(marianne: Marianne, job: str) -> None:
    """All sheets run anew; not one has failed."""
    place = marianne.place / "job"
    until(lambda: _begun(place, 2) or marianne.status(job)["status"] != "running")
    assert {s["status"] for s in marianne.status(job)["sheets"]} == {"running"}


@pytest.mark.parametrize("how", [[], ["--force"]])
def test_a_stop_of_what_a_killed_conductor_left_fails_no_sheet(
    marianne: Marianne, how: list[str]
) -> None:
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
    job = _running(marianne)
    _end_all(marianne, _sleeping(marianne, MANY), signum)
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
    line = command.replace("C", "echo >> begun; [ -e end ] || exec sleep 600")
    job = marianne.submit("job", f"sheets: [{{name: a, run: 'true', {line}}}]")
    until((marianne.place / "job" / "begun").exists)
    check = _sleeping(marianne, 1)
    (marianne.place / "job" / "end").touch()
    _end_all(marianne, check, signal.SIGTERM)
    marianne("start")
    assert marianne.wait(job)["sheets"][0]["status"] == ends
    assert marianne.request("job.errors", {"job_id": job})["errors"] == []


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_the_end_of_all_processes_at_once_fails_no_hook(
    marianne: Marianne, signum: signal.Signals
) -> None:
    hook = "echo >> begun; [ -e end ] || exec sleep 600"
    hooks = f"on_success: [{{type: run_command, command: '{hook}', on_failure: abort}}]"
    job = marianne.submit("job", f"sheets: [{{name: a, run: 'true'}}]\n{hooks}")
    place = marianne.place / "job"
    until((place / "begun").exists)
    ran = _sleeping(marianne, 1)
    (place / "end").touch()
    _end_all(marianne, ran, signum)
    marianne("start")
    assert marianne.wait(job)["status"] == "completed"
    assert (place / "begun").read_text() == "\n\n"
