"""What does not fit a job's state is refused with its exit code, and changes nothing."""

from __future__ import annotations

import pytest
from e2e_marianne import Marianne, until

HELD = """sheets:
  - {name: a, run: 'echo a >> ran; until test -e go; do sleep 0.02; done'}
  - {name: b, needs: [a], run: 'true'}
"""

ON_A_JOB = [
    *(["status"], ["wait"], ["output"], ["events"], ["pause"], ["resume"], ["retry"]),
    *(["modify", "--config", "held.yaml"], ["cancel"], ["clear"], ["errors"], ["diagnose"]),
    *(["history"], ["recover"], ["explain"]),
]


@pytest.fixture
def marianne(shared: Marianne) -> Marianne:
    return shared


def _running(marianne: Marianne) -> str:
    job = marianne.submit("held", HELD)
    until((marianne.place / "held" / "ran").exists)
    return job


def _go(marianne: Marianne, job: str = "held") -> None:
    (marianne.place / job / "go").touch()


def test_any_verb_on_an_unknown_job_is_exit_code_4(marianne: Marianne) -> None:
    marianne.score("held", HELD)
    codes = {}
    for verb, *options in ON_A_JOB:
        done = marianne(verb, "nobody", *options, code=None)
        codes[verb] = done.code
        assert "nobody" in done.err, (verb, done)
    assert set(codes.values()) == {4}, codes


def test_three_files_with_the_same_stem_run_as_three_jobs(marianne: Marianne) -> None:
    jobs = []
    for folder in ("one", "two", "three"):
        place = marianne.place / folder
        place.mkdir()
        score = place / "warm.yaml"
        score.write_text(f"name: three-files\nworkspace: ./work\n{HELD}")
        jobs.append(marianne("run", str(score), "--json").json["job_id"])
    assert jobs == ["three-files", "three-files-2", "three-files-3"]
    ran = [marianne.place / folder / "work" / "ran" for folder in ("one", "two", "three")]
    until(lambda: all(path.exists() for path in ran))
    assert {marianne.status(job)["status"] for job in jobs} == {"running"}
    for path in ran:
        path.with_name("go").touch()
    for job in jobs:
        assert marianne.wait(job)["status"] == "completed"


def test_what_a_job_is_already_it_is_not_made_again(marianne: Marianne) -> None:
    job = _running(marianne)
    marianne("resume", job, code=5)
    marianne("retry", job, code=5)
    marianne("clear", job, "--yes", code=5)
    marianne("pause", job)
    _go(marianne)
    until(lambda: marianne.status(job)["status"] == "paused")
    assert "paused already" in marianne("pause", job, code=5).err
    marianne("cancel", job)
    before = marianne.status(job)
    assert "cancelled already" in marianne("cancel", job, code=5).err
    assert "cancelled already" in marianne("pause", job, code=5).err
    assert marianne.status(job) == before


def test_a_dry_run_leaves_no_trace(own: Marianne) -> None:
    path = own.score("held", HELD)
    done = own("run", path, "--dry-run", "--json").json
    assert done["plan"]["sheets"][0]["prompt"].startswith("echo a")
    assert done["plan"]["sheets"][0]["command"][0] == "bash"
    assert own("list", "--all", "--json").json == []
    assert not (own.place / "held").exists()
    assert list((own.home / "jobs").iterdir()) == []
    events = own.request("events.since", {"seq": 0})["events"]
    assert {e["event"] for e in events} == {"daemon.started"}
    # Not even the name is taken.
    assert own("run", path, "--json").json["job_id"] == "held"
    _go_when_there(own)


def _go_when_there(marianne: Marianne) -> None:
    until((marianne.place / "held" / "ran").exists)
    _go(marianne)
    marianne.wait("held")
