"""The fields of `on_success` and `concert` that say where the next job works, and whether."""

from __future__ import annotations

from pathlib import Path

import pytest
from e2e_marianne import Marianne, until

FIRST = "sheets: [{name: a, run: echo first >> ran}]\n"
NEXT = "sheets: [{name: b, run: echo next >> ran}]\n"


def _ran(place: Path) -> list[str]:
    path = place / "ran"
    return path.read_text().split() if path.exists() else []


def _chain(marianne: Marianne, hook: str, concert: str = "") -> None:
    """Plays `first`, whose hook starts `next`, and waits until that is over too."""
    marianne.score("next", NEXT)
    hooks = f"on_success: [{{type: run_job, job_path: next.yaml{hook}}}]\n"
    quick = f"concert: {{enabled: true, cooldown_between_jobs_seconds: 0{concert}}}\n"
    marianne("run", marianne.score("first", FIRST + hooks + quick), "--wait")
    marianne("wait", "next")


@pytest.mark.parametrize(
    ("hook", "concert", "where"),
    [
        ("", "", "first"),
        ("", ", inherit_workspace: false", "next"),
        (", job_workspace: 'other-{job_id}'", "", "other-first"),
    ],
)
def test_the_next_job_works_where_the_score_says(
    marianne: Marianne, hook: str, concert: str, where: str
) -> None:
    _chain(marianne, hook, concert)
    assert _ran(marianne.place / where)[-1] == "next"
    assert marianne.status("next")["workspace"] == str(marianne.place / where)


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
    return list(marianne("list", "--all", "--json").json)


def test_a_concert_that_is_not_enabled_starts_no_job(marianne: Marianne) -> None:
    marianne.score("next", NEXT)
    hooks = "on_success: [{type: run_job, job_path: next.yaml, description: the second half}]\n"
    text = FIRST + hooks + "concert: {enabled: false}\n"
    marianne("run", marianne.score("first", text), "--wait")
    assert [job["job_id"] for job in _jobs(marianne)] == ["first"]
    error = marianne.status("first")["error"]
    assert "concert.enabled is false" in error
    assert "the second half" in error


def test_a_concert_may_end_with_its_first_failing_hook(marianne: Marianne) -> None:
    hooks = """concert: {enabled: true, abort_concert_on_hook_failure: true}
on_success:
  - {type: run_command, command: 'mkdir -p sub'}
  - {type: run_command, command: 'pwd > here; exit 3', working_directory: '{workspace}/sub'}
  - {type: run_command, command: touch never}
"""
    marianne("run", marianne.score("first", FIRST + hooks), "--wait", code=1)
    place = marianne.place / "first"
    assert (place / "sub" / "here").read_text().strip() == str(place / "sub")
    assert not (place / "never").exists()
