"""Failed sheets are looked at again; what is there in truth is completed."""

from __future__ import annotations

import pytest
from e2e_marianne import Marianne, until

WORK = """sheets:
  - name: made
    run: 'true'
    validate: [{file_exists: made.txt}, {command_succeeds: grep -q done made.txt}]
  - {name: missing, run: 'true', validate: [{file_exists: missing.txt}]}
  - {name: unproven, run: 'false'}
  - {name: below, needs: [made], run: echo below >> ran}
"""


@pytest.fixture
def marianne(shared: Marianne) -> Marianne:
    return shared


def _failed(marianne: Marianne) -> str:
    return marianne.play("work", WORK, code=1)


def test_work_that_is_there_by_now_is_completed_and_dependents_run(marianne: Marianne) -> None:
    job = _failed(marianne)
    (marianne.place / "work" / "made.txt").write_text("done\n")
    answer = marianne("recover", job, "--json").json
    assert answer["recovered"] == [1]
    assert {f["name"]: f["passed"] for f in answer["sheets"]} == {
        "made": True,
        "missing": False,
        "unproven": False,
    }
    assert answer["status"] == "failed"
    assert marianne.sheet(job, 1)["status"] == "completed"
    assert all(v["passed"] for v in marianne.sheet(job, 1)["validations"])
    marianne("resume", job)
    status = marianne.wait(job, code=1)
    assert [s["attempt"] for s in status["sheets"]] == [1, 2, 2, 1]
    assert (marianne.place / "work" / "ran").read_text() == "below\n"


def test_a_dry_run_looks_and_changes_nothing(marianne: Marianne) -> None:
    job = _failed(marianne)
    (marianne.place / "work" / "made.txt").write_text("done\n")
    before = marianne.status(job)
    answer = marianne("recover", job, "--dry-run", "--json").json
    assert answer["recovered"] == [1]
    assert marianne.status(job) == before
    marianne("recover", job, "missing", "--dry-run", code=1)


def test_a_job_of_which_nothing_else_is_left_is_completed(marianne: Marianne) -> None:
    text = "sheets:\n  - {name: a, run: 'true', validate: [{file_exists: a.txt}]}\n"
    job = marianne.play("one", text, code=1)
    (marianne.place / "one" / "a.txt").touch()
    assert marianne("recover", job, "--json").json["status"] == "completed"
    status = marianne.wait(job)
    assert (status["error"], status["sheets"][0]["attempt"]) == (None, 1)


def test_a_check_is_confined_like_a_sheet(marianne: Marianne) -> None:
    text = """sheets:
  - name: a
    run: 'true'
    validate: [{command_succeeds: 'setsid sleep 987 & echo $MARIANNE_JOB_ID >> seen; test -e go'}]
"""
    job = marianne.play("one", text, code=1)
    (marianne.place / "one" / "go").touch()
    assert marianne("recover", job, "--json").json["recovered"] == [1]
    until(lambda: not any("987" in line for line in marianne.processes().values()))
    assert set((marianne.place / "one" / "seen").read_text().split()) == {job}


def test_a_file_counts_as_modified_that_was_written_since_the_attempt(marianne: Marianne) -> None:
    text = "sheets:\n  - {name: a, run: 'true', validate: [{file_modified: a.txt}]}\n"
    (marianne.place / "one").mkdir()
    (marianne.place / "one" / "a.txt").touch()
    job = marianne.play("one", text, code=1)
    marianne("recover", job, code=1)
    (marianne.place / "one" / "a.txt").write_text("new")
    marianne("recover", job)
