"""Many jobs at once: the small ones do not wait for the large one, and limits hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from e2e_marianne import Marianne, until

SMALL = "sheets:\n" + "".join(f"  - {{name: s{n}, run: 'sleep 0.1'}}\n" for n in range(3))
LARGE = "sheets:\n" + "".join(f"  - {{name: s{n}, run: 'sleep 0.1'}}\n" for n in range(150))

AGENT = """name: agent
kind: cli
max_concurrent: 3
models: [{{name: slow, max_concurrent: 1}}, {{name: fast, max_concurrent: 3}}]
cli:
  command: {{executable: {program}, model_flag: --model}}
"""

MODELS = "instrument: agent\nsheets:\n" + "".join(
    f"  - {{name: {model}{n}, prompt: go, model: {model}}}\n"
    for model in ("slow", "fast")
    for n in range(3)
)


Configure = Callable[[str], Marianne]


@pytest.fixture
def marianne(mortal: Marianne) -> Marianne:
    return mortal


def agent(marianne: Marianne) -> None:
    program = marianne.place / "agent"
    program.write_text("#!/bin/bash\ncat > /dev/null\nsleep 0.1\n")
    program.chmod(0o755)
    folder = marianne.home / "instruments"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "agent.yaml").write_text(AGENT.format(program=program))


WAIT_FOR_GO = "sheets:\n" + "".join(
    f"  - {{name: s{n}, run: 'until test -e go; do sleep 0.02; done'}}\n" for n in range(5)
)


def go(marianne: Marianne, name: str) -> None:
    (marianne.place / name).mkdir(exist_ok=True)
    (marianne.place / name / "go").touch()


def test_small_jobs_beside_a_large_one_do_not_wait_for_it(configured: Configure) -> None:
    marianne = configured("{max_concurrent_jobs: 21, max_concurrent_sheets: 4}")
    # All are in line before the first of them may begin, the large one first.
    holder = marianne.submit("holder", WAIT_FOR_GO)
    until(lambda: marianne.status(holder)["progress"]["running"] == 4)
    large = marianne.submit("large", LARGE)
    small = [marianne.submit(f"small{n}", SMALL) for n in range(19)]
    go(marianne, "holder")
    ends = []
    for job in small:
        done = marianne.wait(job)
        assert done["status"] == "completed"
        ends.append(done["finished_at"])
    sheets = marianne.wait(large)["sheets"]
    before = [sheet for sheet in sheets if sheet["started_at"] < max(ends)]
    assert 0 < len(before) < len(sheets) / 2, "the small ones waited for it, or it for them"


def test_a_model_never_runs_more_sheets_than_it_may_and_slows_no_other(marianne: Marianne) -> None:
    agent(marianne)
    jobs = [marianne.submit(f"job{n}", MODELS) for n in range(2)]
    sheets = [sheet for job in jobs for sheet in marianne.wait(job)["sheets"]]
    assert all(sheet["status"] == "completed" for sheet in sheets)
    models = {name: [s for s in sheets if s["model"] == name] for name in ("slow", "fast")}
    assert most_at_once(models["slow"]) == 1, "over all jobs"
    assert 2 <= most_at_once(models["fast"]) <= 3


def test_explain_counts_slots_and_what_waits_for_them(configured: Configure) -> None:
    marianne = configured("max_concurrent_sheets: 2")
    job = marianne.submit("many", WAIT_FOR_GO)
    until(lambda: marianne.status(job)["progress"]["running"] == 2)
    why = marianne("explain", job, "--json").json
    figures = {"active": 2, "queued": 3, "max_concurrent": 2, "slots": 2, "ready": 3}
    assert (why["code"], why["data"]) == ("running", figures)
    assert {sheet["code"] for sheet in why["sheets"]} == {"total_limit"}
    marianne("pause", job)
    other = marianne.submit("other", WAIT_FOR_GO)
    # What is paused is not in line any more.
    until(lambda: marianne("explain", other, "--json").json["data"].get("queued") == 5)
    for name in ("many", "other"):
        go(marianne, name)
    marianne.wait(other)


def test_of_two_jobs_that_wait_the_one_of_higher_priority_goes_first(configured: Configure) -> None:
    marianne = configured("max_concurrent_sheets: 1")
    holder = marianne.submit("holder", WAIT_FOR_GO)
    until(lambda: marianne.status(holder)["progress"]["running"] == 1)
    jobs = {}
    for name, priority in (("low", "9"), ("high", "1")):
        path = marianne.score(name, SMALL)
        jobs[name] = marianne("run", path, "--json", "--priority", priority).json["job_id"]
        until(lambda job=jobs[name]: marianne("explain", job, "--json").json["data"].get("ready"))
    go(marianne, "holder")
    high, low = marianne.wait(jobs["high"]), marianne.wait(jobs["low"])
    assert high["sheets"][-1]["finished_at"] <= low["sheets"][0]["started_at"]


def test_a_sheet_that_takes_all_processors_runs_alone(configured: Configure) -> None:
    marianne = configured("max_concurrent_sheets: 2")
    # Each sheet notes which others run; a sheet that takes half as much has one more beside it.
    mine = "on.$MARIANNE_SHEET"
    look = f"touch {mine}; sleep 0.2; set -- on.*; echo $# >> most.{{}}; rm {mine}"
    sheets = [
        f"  - {{name: {kind}{number}, cpus: {cpus}, run: '{look.format(kind)}'}}\n"
        for number in range(3)
        for kind, cpus in (("wide", 2), ("plain", 1), ("small", 0.5))
    ]
    job = marianne.submit("cpus", "sheets:\n" + "".join(sheets))
    assert marianne.wait(job)["status"] == "completed"
    most = {
        kind: max(map(int, (marianne.place / "cpus" / f"most.{kind}").read_text().split()))
        for kind in ("wide", "plain", "small")
    }
    assert most["wide"] == 1
    assert most["plain"] <= 3
    assert most["small"] <= 4


def test_agents_do_not_wait_for_scripts(configured: Configure) -> None:
    marianne = configured("max_concurrent_sheets: 1")
    agent(marianne)
    busy = marianne.submit("busy", WAIT_FOR_GO)
    until(lambda: marianne.status(busy)["progress"]["running"] == 1)
    assert marianne.wait(marianne.submit("agents", MODELS))["status"] == "completed"
    assert marianne.status(busy)["progress"]["completed"] == 0
    go(marianne, "busy")
    marianne.wait(busy)


def most_at_once(sheets: list[dict[str, Any]]) -> int:
    """Sheets that ran at one time, by their own times."""
    changes = []
    for sheet in sheets:
        changes += [(sheet["started_at"], 1), (sheet["finished_at"], -1)]
    running, most = 0, 0
    for _, change in sorted(changes):
        running += change
        most = max(most, running)
    return most


def test_one_jobs_failing_sheets_hold_no_other_job_back(marianne: Marianne) -> None:
    failing = "".join(
        f"  - {{name: s{n}, run: 'false', retry: {{max_retries: 9, base_delay_seconds: 600}}}}\n"
        for n in range(8)
    )
    bad = marianne.submit("bad", f"sheets:\n{failing}")
    until(lambda: {s["status"] for s in marianne.status(bad)["sheets"]} == {"waiting"})
    # Eight failures of the same instrument in a row are this job's own business.
    innocent = marianne.submit("innocent", SMALL)
    assert [s["attempt"] for s in marianne.wait(innocent)["sheets"]] == [1, 1, 1]
    events = marianne.request("events.since", {"job_id": innocent})["events"]
    assert {e["event"] for e in events} == {
        *("job.submitted", "job.started", "job.completed", "sheet.started", "sheet.completed")
    }
    assert {s["status"] for s in marianne.status(bad)["sheets"]} == {"waiting"}
