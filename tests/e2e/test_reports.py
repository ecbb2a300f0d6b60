"""What a job's past tells: its errors, its history, and why it is not done."""

from __future__ import annotations

import pytest
from e2e_marianne import Marianne, until

MIXED = """sheets:
  - {name: fine, run: echo fine}
  - {name: loud, run: "echo out; echo 'no such table' >&2; exit 3",
     retry: {max_retries: 1, base_delay_seconds: 0.1}}
  - {name: below, needs: [loud], run: 'true'}
"""


@pytest.fixture
def marianne(shared: Marianne) -> Marianne:
    return shared


def test_errors_lists_every_failed_attempt_and_who_was_skipped(marianne: Marianne) -> None:
    job = marianne.play("mixed", MIXED, code=1)
    answer = marianne("errors", job, "--json").json
    assert [(e["sheet"], e["attempt"], e["exit_code"]) for e in answer["errors"]] == [
        (2, 2, 3),
        (2, 1, 3),
    ]
    assert "no such table" in answer["errors"][0]["message"]
    assert [s["name"] for s in answer["skipped"]] == ["below"]
    assert "no such table" in marianne("errors", job).out


def test_history_has_every_attempt_newest_first(marianne: Marianne) -> None:
    job = marianne.play("mixed", MIXED, code=1)
    answer = marianne("history", job, "--json").json
    assert answer["has_history"]
    assert {(r["name"], r["attempt"], r["outcome"]) for r in answer["records"]} == {
        ("fine", 1, "completed"),
        ("loud", 1, "failed"),
        ("loud", 2, "failed"),
    }
    ends = [r["finished_at"] for r in answer["records"]]
    assert ends == sorted(ends, reverse=True)
    one = marianne("history", job, "loud", "--limit", "1", "--json").json["records"]
    assert [(r["sheet"], r["attempt"]) for r in one] == [(2, 2)]
    marianne("history", job, "9", code=4)


def test_a_diagnosis_names_the_cause_and_shows_the_evidence(marianne: Marianne) -> None:
    job = marianne.play("mixed", MIXED, code=1)
    report = marianne("diagnose", job, "--json").json
    assert "sheet 2 (loud)" in report["cause"]
    assert "no such table" in report["cause"]
    assert report["cause"].endswith("2 times")
    assert report["next"] == f"`marianne output {job} 2 --stderr` shows what it said"
    (sheet,) = report["sheets"]
    assert sheet["last_output"] == {"out": "out\n", "err": "no such table\n"}
    assert [a["attempt"] for a in sheet["attempts"]] == [2, 1]
    assert report["resources"]["attempts"] == 3
    assert report["resources"]["output_bytes"] > 0
    assert report["workspace"] == str(marianne.place / "mixed")
    told = marianne("diagnose", job).out
    assert "err | no such table" in told


def test_a_diagnosis_shows_the_crashes_of_the_jobs_own_parts(marianne: Marianne) -> None:
    job = marianne.submit(
        "held", "sheets:\n  - {name: a, run: 'until test -e go; do sleep 0.02; done'}\n"
    )
    until(lambda: marianne.sheet(job, 1)["status"] == "running")
    marianne.request("daemon.fault", {"name": f"job:{job}/job", "now": True})
    until(lambda: marianne("diagnose", job, "--json").json["supervision"])
    (marianne.place / "held" / "go").touch()
    marianne.wait(job)
    crash = marianne("diagnose", job, "--json").json["supervision"][0]
    assert (crash["event"], crash["name"], crash["own"]) == (
        "actor.crashed",
        f"job:{job}/job",
        True,
    )
    assert "injected" in crash["error"]


@pytest.mark.parametrize(
    ("sheet", "words"),
    [
        ("run: sleep 60, timeout: 1s", "longer than its timeout of 1 s"),
        ("run: 'kill -9 $$'", "killed by SIGKILL, not by us"),
        ("run: no-such-program-here", "its command was not found"),
        ("run: 'true', validate: [{file_exists: nowhere}]", "nowhere does not exist"),
    ],
)
def test_the_cause_is_said_in_words(marianne: Marianne, sheet: str, words: str) -> None:
    job = marianne.play("one", f"sheets:\n  - {{name: it, {sheet}}}\n", code=1)
    assert words in marianne("diagnose", job, "--json").json["cause"]


@pytest.mark.parametrize("verb", ["errors", "history", "diagnose"])
def test_an_unknown_job_has_no_past(marianne: Marianne, verb: str) -> None:
    marianne(verb, "nobody", code=4)
