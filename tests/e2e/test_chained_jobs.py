"""The fields of `on_success` and `concert` that say where the next job works, and whether."""

from __future__ import annotations

from pathlib import Path

import pytest
from e2e_marianne import Marianne, until

FIRST = "sheets: [{name: a, run: echo first >> ran}]\n"
NEXT = "sheets: [{name: b, run: echo next >> ran}]\n"


@pytest.fixture
def marianne(shared: Marianne) -> Marianne:
    return shared


def _ran(place: Path) -> list[str]:
    path = place / "ran"
    return path.read_text().split() if path.exists() else []


def _chain(marianne: Marianne, hook: str, concert: str = "") -> tuple[str, str]:
    """Plays `first`, whose hook starts `next`, until that is over too; the ids of both."""
    marianne.score("next", NEXT)
    hooks = f"on_success: [{{type: run_job, job_path: next.yaml{hook}}}]\n"
    quick = f"concert: {{enabled: true, cooldown_between_jobs_seconds: 0{concert}}}\n"
    first = marianne.play("first", FIRST + hooks + quick)
    told = marianne.request("events.since", {"job_id": first})["events"]
    (started,) = [e["data"]["detail"] for e in told if e["event"] == "job.hook"]
    job = str(started).removeprefix("started ")
    marianne("wait", job)
    return first, job


@pytest.mark.parametrize(
    ("hook", "concert", "where"),
    [
        ("", "", "first"),
        ("", ", inherit_workspace: false", "next"),
        (", job_workspace: 'other-{job_id}'", "", "other-FIRST"),
    ],
)
def test_the_next_job_works_where_the_score_says(
    marianne: Marianne, hook: str, concert: str, where: str
) -> None:
    first, job = _chain(marianne, hook, concert)
    place = marianne.place / where.replace("FIRST", first)
    assert _ran(place)[-1] == "next"
    assert marianne.status(job)["workspace"] == str(place)


def test_a_fresh_next_job_archives_its_workspace_first(marianne: Marianne) -> None:
    text = NEXT + "workspace_lifecycle: {archive_on_fresh: true}\n"
    for fresh, expected in (("false", ["next", "next"]), ("true", ["next"])):
        path = marianne.score("next", text)
        place = marianne.place / "next"
        if fresh == "false":
            marianne("run", path, "--wait")
        hooks = f"on_success: [{{type: run_job, job_path: next.yaml, fresh: {fresh}}}]\n"
        quick = "concert: {enabled: true, cooldown_between_jobs_seconds: 0, "
        quick += "inherit_workspace: false}\n"
        marianne("run", marianne.score(f"first-{fresh}", FIRST + hooks + quick), "--wait")
        until(lambda: all(j["status"] == "completed" for j in _jobs(marianne)))
        until(lambda place=place, expected=expected: _ran(place) == expected)


def _jobs(marianne: Marianne) -> list[dict[str, str]]:
    jobs = marianne("list", "--all", "--json").json
    return [job for job in jobs if Path(job["workspace"]).is_relative_to(marianne.place)]


def test_a_concert_may_end_with_its_first_failing_hook(marianne: Marianne) -> None:
    hooks = """concert: {enabled: true, abort_concert_on_hook_failure: true}
on_success:
  - {type: run_command, command: 'mkdir -p sub'}
  - {type: run_command, command: 'pwd > here; exit 3', working_directory: '{workspace}/sub'}
  - {type: run_command, command: touch never}
"""
    marianne.play("first", FIRST + hooks, code=1)
    place = marianne.place / "first"
    assert (place / "sub" / "here").read_text().strip() == str(place / "sub")
    assert not (place / "never").exists()
