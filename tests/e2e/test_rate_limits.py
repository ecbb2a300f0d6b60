"""An instrument that says "rate limit" is waited for; nobody else is slowed."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_marianne import Marianne, until

PROFILE = """name: {name}
kind: cli
cli:
  command: {{executable: {program}, prompt_via_stdin: true}}
  errors: {{rate_limit_patterns: ["rate limit"]}}
"""

# Refuses while the file `closed` is there, else works.
PROGRAM = """#!/bin/bash
cat > /dev/null
echo run >> runs
test ! -e closed || {{ echo "rate limit, retry after {seconds} seconds" >&2; exit 1; }}
"""

SHEETS = """instrument: {name}
sheets:
  - {{name: one, prompt: go, retry: {{max_retries: 0}}}}
  - {{name: two, prompt: go, retry: {{max_retries: 0}}}}
"""


@pytest.fixture
def marianne(mortal: Marianne) -> Iterator[Marianne]:
    """One that knows of no limit, before and after the test."""
    mortal("clear-rate-limits")
    yield mortal
    mortal("start")
    mortal("cancel", "--all", "--yes", code=None)
    mortal("clear-rate-limits")


def instrument(marianne: Marianne, name: str, seconds: float) -> None:
    program = marianne.place / name
    program.write_text(PROGRAM.format(seconds=seconds))
    program.chmod(0o755)
    folder = marianne.home / "instruments"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(PROFILE.format(name=name, program=program))


def limited(marianne: Marianne, seconds: float) -> str:
    """A job of two sheets that wait for the limit of the instrument ``busy``."""
    instrument(marianne, "busy", seconds)
    workspace = marianne.place / "work"
    workspace.mkdir()
    (workspace / "closed").touch()
    job = marianne.submit("work", SHEETS.format(name="busy"))
    until(lambda: marianne.sheet(job, 1)["status"] == "waiting")
    until(lambda: marianne.request("daemon.rate_limits")["limits"])
    (workspace / "closed").unlink()
    return job


def runs(place: Path) -> int:
    return len((place / "runs").read_text().split())


def test_sheets_wait_as_long_as_asked_and_use_up_no_retry(marianne: Marianne) -> None:
    job = limited(marianne, 4)
    sheets = marianne.wait(job)["sheets"]
    assert [sheet["status"] for sheet in sheets] == ["completed"] * 2
    first, waited = marianne("events", job, "--json").out.splitlines(), []
    for line in map(json.loads, first):
        if line["event"] == "sheet.rate_limited":
            waited.append(line["data"]["wait"])
    assert waited
    assert set(waited) == {4.0}
    assert marianne("rate-limits", "--json").json == {"limits": []}
    assert marianne("conductor-status", "--json").json["pressure"] == "none"


def test_a_limit_slows_no_other_instrument(marianne: Marianne) -> None:
    job = limited(marianne, 600)
    limits = marianne("rate-limits", "--json").json["limits"]
    assert [row["key"] for row in limits] == ["busy"]
    assert marianne("conductor-status", "--json").json["pressure"] == "high"
    other = marianne.submit("other", "sheets:\n  - {name: a, run: 'true'}\n")
    assert marianne.wait(other)["status"] == "completed"
    assert marianne.sheet(job, 1)["status"] == "waiting"


def test_cleared_limits_release_at_once_and_nobody_elses_do(marianne: Marianne) -> None:
    job = limited(marianne, 600)
    assert marianne("clear-rate-limits", "shell", "--json").json["cleared"] == 0
    refused = marianne("clear-rate-limits", "bus", "--json", code=4).json["error"]
    assert "there is no instrument 'bus'" in refused["message"]
    assert marianne.sheet(job, 1)["status"] == "waiting"
    answer = marianne("clear-rate-limits", "busy", "--json").json
    assert answer == {"cleared": 1, "instrument": "busy", "keys": ["busy"]}
    assert marianne.wait(job)["status"] == "completed"


def test_explain_names_the_limit_and_its_end(marianne: Marianne) -> None:
    job = limited(marianne, 600)
    reason = marianne("explain", job, "one", "--json").json["sheets"][0]
    assert reason["code"] == "rate_limited"
    assert reason["data"]["until"] == marianne.sheet(job, 1)["due_at"]
    assert "busy is rate limited" in marianne("explain", job).out
    later = marianne.submit("later", "instrument: busy\nsheets:\n  - {name: a, prompt: go}\n")
    until(lambda: marianne("explain", later, "--json").json["sheets"][0]["code"] == "rate_limited")
    assert not (marianne.place / "later" / "runs").exists()


@pytest.mark.parametrize("way", ["kill", "scheduler"])
def test_a_limit_outlives_every_restart(marianne: Marianne, way: str) -> None:
    job = limited(marianne, 600)
    if way == "kill":
        old = marianne.pids()["conductor"]
        os.kill(old, signal.SIGKILL)
        until(lambda: marianne.pids()["conductor"] != old and marianne.serves())
    else:
        before = marianne.tree()[way]["restarts"]
        marianne.crash(way)
        marianne.submit("nudge", "sheets:\n  - {name: a, run: 'true'}\n")
        until(lambda: marianne.tree()[way]["restarts"] == before + 1)
    until(marianne.serves)
    # At once if it was on disk, else when the worker has told the result again.
    until(
        lambda: [row["key"] for row in marianne("rate-limits", "--json").json["limits"]] == ["busy"]
    )
    later = marianne.submit("later", SHEETS.format(name="busy"))
    until(
        lambda: (
            marianne("explain", later, "1", "--json").json["sheets"][0]["code"] == "rate_limited"
        )
    )
    assert runs(marianne.place / "work") <= 2
    marianne("clear-rate-limits")
    assert marianne.wait(job)["status"] == "completed"
    assert marianne.wait(later)["status"] == "completed"


SIX = "instrument: {name}\nparallel: {{enabled: true, max_concurrent: 1}}\nsheets:\n" + "".join(
    f"  - {{{{name: s{n}, prompt: go, retry: {{{{max_retries: 0}}}}}}}}\n" for n in range(6)
)


def test_explain_says_that_a_jobs_own_pace_keeps_a_sheet_back(marianne: Marianne) -> None:
    text = "parallel: {enabled: true, max_concurrent: 2, stagger_delay_ms: 60000}\nsheets:\n"
    text += "".join(f"  - {{name: s{n}, run: 'true'}}\n" for n in range(2))
    job = marianne.submit("staggered", text)
    until(lambda: marianne.sheet(job, 1)["status"] == "completed")
    until(lambda: marianne("explain", job, "2", "--json").json["sheets"][0]["code"] == "pacing")
    marianne("cancel", job, "--yes")


def test_only_so_many_sheets_of_agents_begin_in_a_minute(own: Marianne) -> None:
    instrument(own, "agent", 0)
    config = own.home / "conductor.yaml"
    config.write_text("resource_limits: {max_api_calls_per_minute: 2}\n")
    job = own.submit("work", SIX.format(name="agent"))
    until(lambda: own.status(job)["progress"]["completed"] == 2)
    until(lambda: own("explain", job, "3", "--json").json["sheets"][0]["code"] == "call_limit")
    other = own.submit("other", "sheets:\n  - {name: a, run: 'true'}\n")
    assert own.wait(other)["status"] == "completed"
    assert runs(own.place / "work") == 2
    config.write_text("resource_limits: {max_api_calls_per_minute: 6}\n")
    own("reload")
    assert own.wait(job)["status"] == "completed"
