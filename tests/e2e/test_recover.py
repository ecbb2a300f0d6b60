"""Failed sheets are looked at again; what is there in truth is completed."""

from __future__ import annotations

from e2e_marianne import Marianne, until

WORK = """sheets:
  - name: made
    run: 'true'
    validate: [{file_exists: made.txt}, {command_succeeds: grep -q done made.txt}]
  - {name: missing, run: 'true', validate: [{file_exists: missing.txt}]}
  - {name: unproven, run: 'false'}
  - {name: below, needs: [made], run: echo below >> ran}
"""


def _failed(marianne: Marianne) -> None:
    marianne("run", marianne.score("work", WORK), "--wait", code=1)


def test_work_that_is_there_by_now_is_completed_and_dependents_run(marianne: Marianne) -> None:
    _failed(marianne)
    (marianne.place / "work" / "made.txt").write_text("done\n")
    answer = marianne("recover", "work", "--json").json
    assert answer["recovered"] == [1]
    assert {f["name"]: f["passed"] for f in answer["sheets"]} == {
        "made": True,
        "missing": False,
        "unproven": False,
    }
    assert answer["status"] == "failed"
    assert marianne.sheet("work", 1)["status"] == "completed"
    assert all(v["passed"] for v in marianne.sheet("work", 1)["validations"])
    marianne("resume", "work")
    status = marianne.wait("work", code=1)
    assert [s["attempt"] for s in status["sheets"]] == [1, 2, 2, 1]
    assert (marianne.place / "work" / "ran").read_text() == "below\n"


def test_a_dry_run_looks_and_changes_nothing(marianne: Marianne) -> None:
    _failed(marianne)
    (marianne.place / "work" / "made.txt").write_text("done\n")
    before = marianne.status("work")
    answer = marianne("recover", "work", "--dry-run", "--json").json
    assert answer["recovered"] == [1]
    assert marianne.status("work") == before
    marianne("recover", "work", "missing", "--dry-run", code=1)


def test_a_job_of_which_nothing_else_is_left_is_completed(marianne: Marianne) -> None:
    text = "sheets:\n  - {name: a, run: 'true', validate: [{file_exists: a.txt}]}\n"
    marianne("run", marianne.score("one", text), "--wait", code=1)
    (marianne.place / "one" / "a.txt").touch()
    assert marianne("recover", "one", "--json").json["status"] == "completed"
    status = marianne.wait("one")
    assert (status["error"], status["sheets"][0]["attempt"]) == (None, 1)


def test_a_check_is_confined_like_a_sheet(marianne: Marianne) -> None:
    text = """sheets:
  - name: a
    run: 'true'
    validate: [{command_succeeds: 'setsid sleep 987 & echo $MARIANNE_JOB_ID >> seen; test -e go'}]
"""
    marianne("run", marianne.score("one", text), "--wait", code=1)
    (marianne.place / "one" / "go").touch()
    assert marianne("recover", "one", "--json").json["recovered"] == [1]
    until(lambda: not any("987" in line for line in marianne.processes().values()))
    assert set((marianne.place / "one" / "seen").read_text().split()) == {"one"}


def test_a_file_counts_as_modified_that_was_written_since_the_attempt(marianne: Marianne) -> None:
    text = "sheets:\n  - {name: a, run: 'true', validate: [{file_modified: a.txt}]}\n"
    (marianne.place / "one").mkdir()
    (marianne.place / "one" / "a.txt").touch()
    marianne("run", marianne.score("one", text), "--wait", code=1)
    marianne("recover", "one", code=1)
    (marianne.place / "one" / "a.txt").write_text("new")
    marianne("recover", "one")


def test_what_is_not_at_rest_or_has_not_failed_is_refused(marianne: Marianne) -> None:
    marianne.submit("busy", "sheets:\n  - {name: a, run: sleep 60}\n")
    until(lambda: marianne.sheet("busy", 1)["status"] == "running")
    marianne("recover", "busy", code=5)
    marianne("run", marianne.score("fine", "sheets:\n  - {name: a, run: 'true'}\n"), "--wait")
    marianne("recover", "fine", code=5)
    marianne("recover", "nobody", code=4)
