"""Another score for a job that has begun: what is completed stays, the rest is the new score's."""

from __future__ import annotations

import json
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


@pytest.fixture
def marianne(shared: Marianne) -> Marianne:
    return shared


def _ran(marianne: Marianne, job: str) -> list[str]:
    return (marianne.place / job / "ran").read_text().split()


def _kill(marianne: Marianne) -> None:
    old = marianne.pids()["conductor"]
    os.kill(old, signal.SIGKILL)
    until(lambda: marianne.pids()["conductor"] != old and marianne.serves())


def _running_second_sheet(marianne: Marianne) -> tuple[str, str]:
    """A job whose second sheet waits for the file ``go``, and the path of a newer score for it."""
    job = marianne.submit("gated", GATED)
    until(lambda: marianne.sheet(job, 2)["status"] == "running")
    return job, marianne.score("newer", NEWER)


def test_a_running_job_completes_with_its_new_score(marianne: Marianne) -> None:
    job, newer = _running_second_sheet(marianne)
    answer = marianne("modify", job, "--config", newer, "--json").json
    assert answer["status"] == "pausing"
    assert {(c["sheet"], c["change"]) for c in answer["changes"]} >= {(3, "changed"), (4, "added")}
    assert "+  - {name: three, needs: [two], run: echo new >> ran}" in answer["diff"].splitlines()
    (marianne.place / "gated" / "go").touch()
    status = marianne.wait(job)
    assert status["status"] == "completed"
    assert [s["attempt"] for s in status["sheets"]] == [1, 1, 1, 1]
    assert _ran(marianne, "gated") == ["1", "2", "new"]
    events = [e["event"] for e in marianne.request("events.since", {"job_id": job})["events"]]
    assert "job.modified" in events


def test_a_new_score_waits_for_running_sheets_over_a_death_of_the_conductor(own: Marianne) -> None:
    job, newer = _running_second_sheet(own)
    own("modify", job, "--config", newer)
    _kill(own)
    assert own.status(job)["status"] == "pausing"
    assert "new score" in own("resume", job, code=5).err
    (own.place / "gated" / "go").touch()
    assert own.wait(job)["status"] == "completed"
    assert _ran(own, "gated") == ["1", "2", "new"]


def test_who_pauses_a_job_that_is_being_modified_finds_it_paused(marianne: Marianne) -> None:
    job, newer = _running_second_sheet(marianne)
    marianne("modify", job, "--config", newer)
    marianne("pause", job)
    (marianne.place / "gated" / "go").touch()
    until(lambda: len(marianne.status(job)["sheets"]) == 4)
    assert marianne.status(job)["status"] == "paused"
    marianne("resume", job)
    marianne.wait(job)
    assert _ran(marianne, "gated") == ["1", "2", "new"]


def test_a_held_job_stays_held_with_a_new_score_over_a_death_of_the_conductor(
    own: Marianne,
) -> None:
    job, newer = _running_second_sheet(own)
    own("pause", job)
    assert "stays paused until" in own("modify", job, "--config", newer).out
    _kill(own)
    (own.place / "gated" / "go").touch()
    until(lambda: len(own.status(job)["sheets"]) == 4)
    assert own.status(job)["status"] == "paused"
    assert "stays paused:" in own("modify", job, "--config", newer).out
    own("resume", job)
    assert own.wait(job)["status"] == "completed"
    assert _ran(own, "gated") == ["1", "2", "new"]


def test_what_stands_still_does_so_with_a_new_score_until_a_resume_which_brings_it_in_force(
    own: Marianne,
) -> None:
    """It went on with the modify; who took such a pause back went on by the old score."""
    job, newer = _running_second_sheet(own)
    if own("pause", job, "--now", code=None).code:
        pytest.skip("this machine lets nobody make control groups here")
    assert "stands still" in own("modify", job, "--config", newer).out
    _kill(own)
    told = own.status(job)
    assert (told["status"], told["reason"]) == ("pausing", "now")
    own("resume", job)
    assert own.status(job)["reason"] == "modify"
    (own.place / "gated" / "go").touch()
    assert own.wait(job)["status"] == "completed"
    assert _ran(own, "gated") == ["1", "2", "new"]


def test_a_failed_job_goes_on_by_its_repaired_file(marianne: Marianne) -> None:
    job = marianne.play("broken", FAILING, code=1)
    marianne.score("broken", FAILING.replace("run: 'false'", "run: 'true'"))
    marianne("resume", job, "--no-reload")
    assert marianne.wait(job, code=1)["status"] == "failed"
    marianne("resume", job)
    status = marianne.wait(job)
    assert [s["attempt"] for s in status["sheets"]] == [1, 3, 1]
    assert _ran(marianne, "broken") == ["1", "3"]


def test_resume_with_another_file_goes_on_by_it(marianne: Marianne) -> None:
    job = marianne.play("broken", FAILING, code=1)
    other = marianne.score("other", FAILING.replace("'false'", "'true'"))
    marianne("resume", job, "--config", other)
    status = marianne.wait(job)
    assert status["config_path"] == other
    assert status["workspace"] == str(marianne.place / "broken")


def test_a_dry_run_shows_the_changes_and_makes_none(marianne: Marianne) -> None:
    job, newer = _running_second_sheet(marianne)
    done = marianne("modify", job, "--config", newer, "--dry-run")
    assert "+  - {name: four" in done.out
    assert "sheet 4 (four) added" in done.out
    assert marianne.status(job)["status"] == "running"
    (marianne.place / "gated" / "go").touch()
    marianne.wait(job)
    assert _ran(marianne, "gated") == ["1", "2", "old"]


def test_sheets_that_went_and_came_back_use_no_attempt_number_twice(marianne: Marianne) -> None:
    gated = FAILING.replace("'false'", "'test -e go'") + "  - {name: last, run: 'false'}\n"
    job = marianne.play("broken", gated, code=1)
    tail = "  - {name: last, run: 'false'}\n"
    short = marianne.score("short", gated.replace(tail, ""))
    marianne("modify", job, "--config", short)
    assert len(marianne.wait(job, code=1)["sheets"]) == 3
    (marianne.place / "broken" / "go").touch()
    long = marianne.score("long", gated.replace(tail, tail.replace("false", "true")))
    marianne("modify", job, "--config", long)
    assert [s["attempt"] for s in marianne.wait(job)["sheets"]] == [1, 3, 1, 2]


def test_a_score_that_is_wrong_changes_nothing(marianne: Marianne) -> None:
    job, _ = _running_second_sheet(marianne)
    wrong = marianne.score("wrong", "sheets:\n  - {name: one, rum: 'true'}\n")
    assert "did you mean" in marianne("modify", job, "--config", wrong, code=2).err.lower()
    assert marianne.status(job)["status"] == "running"


@pytest.mark.parametrize(
    "words",
    ["run - < piped.yaml", "run /dev/stdin < piped.yaml", "run <(cat piped.yaml)"],
)
def test_a_score_may_come_through_a_pipe_and_so_may_the_next_one(
    marianne: Marianne, words: str
) -> None:
    def shell(line: str, code: int) -> str:
        command = ["bash", "-c", f"{PROGRAM} {line}"]
        done = subprocess.run(
            command, env=marianne.env, cwd=marianne.place, check=False, capture_output=True
        )
        assert done.returncode == code, done
        return done.stdout.decode()

    marianne.score("piped", FAILING)
    job = json.loads(shell(words.replace("run", "run --wait --json"), 1))["job_id"]
    marianne.score("better", FAILING.replace("'false'", "'true'"))
    shell(f"modify {job} --config - < better.yaml", 0)
    marianne.wait(job)
    assert _ran(marianne, "piped") == ["1", "3"]
