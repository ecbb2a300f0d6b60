"""Another score for a job that has begun: what is completed stays, the rest is the new score's."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest
from e2e_marianne import PROGRAM, Marianne, until

GATED = """sheets:
  - {name: one, run: echo 1 >> ran}
  - {name: two, needs: [one], run: 'echo 2 >> ran; until test -e go; do sleep 0.02; done'}
  - {name: three, needs: [two], run: echo old >> ran}
"""
NEWER = GATED.replace("echo old", "echo new") + "  - {name: four, needs: [three], run: 'true'}\n"
FAILING = """sheets:
  - {name: one, run: echo 1 >> ran}
  - {name: two, needs: [one], run: 'false'}
  - {name: three, needs: [two], run: echo 3 >> ran}
"""


def _ran(marianne: Marianne, job: str) -> list[str]:
    return (marianne.place / job / "ran").read_text().split()


def _kill(marianne: Marianne) -> None:
    old = marianne.pids()["conductor"]
    os.kill(old, signal.SIGKILL)
    until(lambda: marianne.pids()["conductor"] != old and marianne.serves(), 20.0)


def _running_second_sheet(marianne: Marianne, job: str = "gated") -> str:
    marianne.submit(job, GATED)
    until(lambda: marianne.sheet(job, 2)["status"] == "running")
    return marianne.score("newer", NEWER.replace("name: newer", f"name: {job}"))


def test_a_running_job_completes_with_its_new_score(marianne: Marianne) -> None:
    newer = _running_second_sheet(marianne)
    answer = marianne("modify", "gated", "--config", newer, "--json").json
    assert answer["status"] == "pausing"
    assert {(c["sheet"], c["change"]) for c in answer["changes"]} >= {(3, "changed"), (4, "added")}
    assert "+  - {name: three, needs: [two], run: echo new >> ran}" in answer["diff"].splitlines()
    (marianne.place / "gated" / "go").touch()
    status = marianne.wait("gated")
    assert status["status"] == "completed"
    assert [s["attempt"] for s in status["sheets"]] == [1, 1, 1, 1]
    assert _ran(marianne, "gated") == ["1", "2", "new"]
    events = [e["event"] for e in marianne.request("events.since", {"job_id": "gated"})["events"]]
    assert "job.modified" in events


def test_a_new_score_waits_for_running_sheets_over_a_death_of_the_conductor(
    marianne: Marianne,
) -> None:
    newer = _running_second_sheet(marianne)
    marianne("modify", "gated", "--config", newer)
    _kill(marianne)
    assert marianne.status("gated")["status"] == "pausing"
    assert "new score" in marianne("resume", "gated", code=5).err
    (marianne.place / "gated" / "go").touch()
    assert marianne.wait("gated")["status"] == "completed"
    assert _ran(marianne, "gated") == ["1", "2", "new"]


def test_who_pauses_a_job_that_is_being_modified_finds_it_paused(marianne: Marianne) -> None:
    newer = _running_second_sheet(marianne)
    marianne("modify", "gated", "--config", newer)
    marianne("pause", "gated")
    (marianne.place / "gated" / "go").touch()
    until(lambda: len(marianne.status("gated")["sheets"]) == 4)
    assert marianne.status("gated")["status"] == "paused"
    marianne("resume", "gated")
    marianne.wait("gated")
    assert _ran(marianne, "gated") == ["1", "2", "new"]


def test_a_paused_job_goes_on_at_once_with_its_new_score(marianne: Marianne) -> None:
    newer = _running_second_sheet(marianne)
    marianne("pause", "gated")
    (marianne.place / "gated" / "go").touch()
    until(lambda: marianne.status("gated")["status"] == "paused")
    marianne("modify", "gated", "--config", newer)
    marianne.wait("gated")
    assert _ran(marianne, "gated") == ["1", "2", "new"]


def test_a_failed_job_goes_on_by_its_repaired_file(marianne: Marianne) -> None:
    path = marianne.score("broken", FAILING)
    marianne("run", path, "--wait", code=1)
    marianne.score("broken", FAILING.replace("run: 'false'", "run: 'true'"))
    marianne("resume", "broken", "--no-reload")
    assert marianne.wait("broken", code=1)["status"] == "failed"
    marianne("resume", "broken")
    status = marianne.wait("broken")
    assert [s["attempt"] for s in status["sheets"]] == [1, 3, 1]
    assert _ran(marianne, "broken") == ["1", "3"]


def test_resume_with_another_file_goes_on_by_it(marianne: Marianne) -> None:
    marianne("run", marianne.score("broken", FAILING), "--wait", code=1)
    other = marianne.score("other", FAILING.replace("'false'", "'true'"))
    marianne("resume", "broken", "--config", other)
    status = marianne.wait("broken")
    assert status["config_path"] == other
    assert status["workspace"] == str(marianne.place / "broken")


def test_a_dry_run_shows_the_changes_and_makes_none(marianne: Marianne) -> None:
    newer = _running_second_sheet(marianne)
    done = marianne("modify", "gated", "--config", newer, "--dry-run")
    assert "+  - {name: four" in done.out
    assert "sheet 4 (four) added" in done.out
    assert marianne.status("gated")["status"] == "running"
    (marianne.place / "gated" / "go").touch()
    marianne.wait("gated")
    assert _ran(marianne, "gated") == ["1", "2", "old"]


def test_sheets_that_went_and_came_back_use_no_attempt_number_twice(marianne: Marianne) -> None:
    gated = FAILING.replace("'false'", "'test -e go'") + "  - {name: last, run: 'false'}\n"
    marianne("run", marianne.score("broken", gated), "--wait", code=1)
    tail = "  - {name: last, run: 'false'}\n"
    short = marianne.score("short", gated.replace(tail, ""))
    marianne("modify", "broken", "--config", short)
    assert len(marianne.wait("broken", code=1)["sheets"]) == 3
    (marianne.place / "broken" / "go").touch()
    long = marianne.score("long", gated.replace(tail, tail.replace("false", "true")))
    marianne("modify", "broken", "--config", long)
    assert [s["attempt"] for s in marianne.wait("broken")["sheets"]] == [1, 3, 1, 2]


@pytest.mark.parametrize("replaced", ["completed", "running"])
def test_another_sheet_in_the_place_of_a_finished_one_is_refused(
    marianne: Marianne, replaced: str
) -> None:
    _running_second_sheet(marianne)
    name = {"completed": "one", "running": "two"}[replaced]
    text = GATED.replace(f"name: {name}", "name: x").replace(f"[{name}]", "[x]")
    done = marianne("modify", "gated", "--config", marianne.score("new", text), code=5)
    assert f"({name}) of gated is {replaced}" in done.err
    assert marianne.status("gated")["status"] == "running"


def test_a_score_that_is_wrong_changes_nothing(marianne: Marianne) -> None:
    _running_second_sheet(marianne)
    wrong = marianne.score("wrong", "sheets:\n  - {name: one, rum: 'true'}\n")
    assert "did you mean" in marianne("modify", "gated", "--config", wrong, code=2).err.lower()
    assert marianne.status("gated")["status"] == "running"


def test_a_completed_job_is_not_modified(marianne: Marianne) -> None:
    path = marianne.score("done", "sheets:\n  - {name: one, run: 'true'}\n")
    marianne("run", path, "--wait")
    marianne("modify", "done", "--config", path, code=5)
    marianne("modify", "nobody", "--config", path, code=4)


@pytest.mark.parametrize(
    "words",
    ["run - < piped.yaml", "run /dev/stdin < piped.yaml", "run <(cat piped.yaml)"],
)
def test_a_score_may_come_through_a_pipe_and_so_may_the_next_one(
    marianne: Marianne, words: str
) -> None:
    def shell(line: str) -> int:
        line = f"{PROGRAM} {line}"
        done = subprocess.run(
            ["bash", "-c", line], env=marianne.env, cwd=marianne.place, check=False
        )
        return done.returncode

    marianne.score("piped", FAILING)
    assert shell(f"{words.replace('run', 'run --wait')}") == 1
    better = FAILING.replace("'false'", "'true'")
    marianne.score("better", better)
    assert shell("modify piped --config - < better.yaml") == 0
    marianne.wait("piped")
    assert _ran(marianne, "piped") == ["1", "3"]
