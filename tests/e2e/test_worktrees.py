"""Jobs in git worktrees of their own: beside each other, over kills, and when they do not fit."""

from __future__ import annotations

import os
import signal
import subprocess
from itertools import count
from pathlib import Path

import pytest
from e2e_marianne import Marianne, until
from test_spare_worker import named

WRITE = """
sheets:
  - name: write
    run: |
      until test -e {{ go }}; do sleep 0.05; done
      echo {{ what }} > {{ file }}
"""


def git(repo: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=repo, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def marianne(mortal: Marianne) -> Marianne:
    return mortal


_numbers = count()


@pytest.fixture
def one() -> str:
    """An id for a job, which no other has."""
    return f"one{next(_numbers)}"


@pytest.fixture
def two() -> str:
    return f"two{next(_numbers)}"


@pytest.fixture
def repo(marianne: Marianne) -> Path:
    path = marianne.place / "repo"
    path.mkdir()
    git(path, "init", "--quiet", "-b", "main")
    git(path, "config", "user.email", "t@t")
    git(path, "config", "user.name", "t")
    (path / "base").write_text("one\n")
    git(path, "add", "-A")
    git(path, "commit", "--quiet", "-m", "base")
    git(path, "branch", "work")
    return path


def submit(marianne: Marianne, job: str, file: str, what: str, after: str = "merge") -> str:
    score = marianne.place / "tree.yaml"
    asked = f"{{worktree: repo, ref: work, after: {after}}}"
    score.write_text(
        f"name: tree\nworkspace: {asked}\nvariables: {{file: f, what: w, go: g}}\n{WRITE}"
    )
    go = marianne.place / f"{job}.go"
    told = {"file": file, "what": what, "go": str(go)}
    words = [word for name, value in told.items() for word in ("--var", f"{name}={value}")]
    return str(marianne("run", str(score), "--id", job, *words, "--json").json["job_id"])


def let_go(marianne: Marianne, *jobs: str) -> None:
    for job in jobs:
        (marianne.place / f"{job}.go").touch()


def test_two_jobs_of_one_score_work_side_by_side_and_both_are_merged(
    marianne: Marianne, repo: Path, one: str, two: str
) -> None:
    for job in (one, two):
        submit(marianne, job, job, f"by {job}")
    until(lambda: all(marianne.sheet(job, 1)["status"] == "running" for job in (one, two)))
    assert marianne.status(one)["workspace"] == str(repo.with_name("repo.worktrees") / one)
    let_go(marianne, one, two)
    for job in (one, two):
        assert marianne.wait(job)["status"] == "completed"
        assert git(repo, "show", f"work:{job}") == f"by {job}"
    assert len(git(repo, "worktree", "list").splitlines()) == 1
    assert list(repo.with_name("repo.worktrees").iterdir()) == []


def test_a_sheet_that_runs_again_has_a_worktree_again_and_is_merged(
    marianne: Marianne, repo: Path, one: str
) -> None:
    """It ran in a plain directory, the job completed, and its work was merged nowhere."""
    submit(marianne, one, one, "first")
    let_go(marianne, one)
    marianne.wait(one)
    git(repo, "update-ref", "refs/heads/work", "main")
    said = marianne("retry", one, "write").out
    assert "2 (worktree)" in said
    assert marianne.wait(one)["status"] == "completed"
    assert git(repo, "show", f"work:{one}") == "first"


def test_a_job_that_failed_goes_on_in_its_worktree_with_a_mended_score_of_more_sheets(
    marianne: Marianne, repo: Path
) -> None:
    """It was refused: the number of the step that makes the worktree had become another sheet's."""
    score = marianne.place / "more.yaml"
    head = "name: more\nworkspace: {worktree: repo, ref: work, after: merge}\nsheets:\n"
    head += "- {name: a, run: echo once >> a}\n"
    score.write_text(head + "- {name: b, needs: [a], run: 'false'}\n")
    marianne("run", str(score), "--wait", code=1)
    mended = "- {name: b, needs: [a], run: 'cp a b'}\n- {name: c, needs: [b], run: 'cp b c'}\n"
    score.write_text(head + mended)
    marianne("resume", "more")
    assert marianne.wait("more")["status"] == "completed"
    assert [git(repo, "show", f"work:{file}") for file in "abc"] == ["once"] * 3
    assert list(repo.with_name("repo.worktrees").iterdir()) == []


@pytest.mark.parametrize("words", [[], ["--only", "a"], ["--until", "a"]], ids=str)
def test_what_is_not_needed_or_not_asked_for_keeps_nothing_from_being_merged(
    marianne: Marianne, repo: Path, words: list[str]
) -> None:
    """An alarm that was not needed had the last step skipped, and a part of the sheets ran in no
    worktree; records of what is up to date were merged with the work."""
    score = marianne.place / "part.yaml"
    score.write_text(
        "name: part\nworkspace: {worktree: repo, ref: work, after: merge}\nsheets:\n"
        "- {name: a, outputs: [made], run: git status --short > made; git add -A}\n"
        "- {name: b, needs: [a], run: 'true'}\n"
        "- {name: alarm, when: failed, run: 'true'}\n"
        "- {name: after-alarm, needs: [alarm], run: 'true'}\n"
        "- {name: tidy, when: always, run: 'true'}\n"
    )
    marianne("run", str(score), "--wait", *words)
    files = git(repo, "ls-tree", "-r", "--name-only", "work").split()
    assert files == ["base", "made"]
    assert list(repo.with_name("repo.worktrees").iterdir()) == []


def test_a_hook_leaves_no_directory_where_the_worktree_was(marianne: Marianne, repo: Path) -> None:
    score = marianne.place / "hooked.yaml"
    score.write_text(
        "name: hooked\nworkspace: {worktree: repo, ref: work, after: discard}\n"
        "sheets: [{name: a, run: 'true'}]\non_exit: [{type: run_command, command: pwd}]\n"
    )
    marianne("run", str(score), "--wait")
    assert list(repo.with_name("repo.worktrees").iterdir()) == []


def test_a_conflict_fails_the_last_sheet_and_a_retry_goes_on(
    marianne: Marianne, repo: Path, one: str, two: str
) -> None:
    for job in (one, two):
        submit(marianne, job, "base", f"by {job}")
    until(lambda: all(marianne.sheet(job, 1)["status"] == "running" for job in (one, two)))
    let_go(marianne, one)
    marianne.wait(one)
    let_go(marianne, two)
    assert marianne.wait(two, code=1)["sheets"][-1]["status"] == "failed"
    said = marianne("output", two, "3", "--stderr", code=None)
    assert "work has other changes than the job" in said.out + said.err
    tree = repo.with_name("repo.worktrees") / two
    subprocess.run(["git", "merge", "work"], cwd=tree, check=False, capture_output=True)
    (tree / "base").write_text("both\n")
    git(tree, "commit", "--quiet", "-am", "both")
    marianne("retry", two, "3")
    assert marianne.wait(two)["status"] == "completed"
    assert git(repo, "show", "work:base") == "both"
    assert not tree.exists()


def test_a_job_goes_on_in_its_worktree_after_all_of_ours_were_killed(
    marianne: Marianne, repo: Path, one: str
) -> None:
    submit(marianne, one, "made", "in the end")
    until(lambda: marianne.sheet(one, 1)["status"] == "running")
    tree = repo.with_name("repo.worktrees") / one
    (tree / "before").write_text("the kill")
    pids = [*marianne.pids().values(), *named(marianne, "marianne-worker")]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    let_go(marianne, one)
    marianne("start")
    assert marianne.wait(one)["status"] == "completed"
    assert git(repo, "show", "work:made") == "in the end"
    assert git(repo, "show", "work:before") == "the kill"
    assert not list((repo / ".git").rglob("*.lock"))
    assert len(git(repo, "worktree", "list").splitlines()) == 1


def test_sheets_that_may_write_the_worktree_alone_have_their_work_merged(
    marianne: Marianne, repo: Path
) -> None:
    marianne.score("tree", "")
    score = marianne.place / "tree.yaml"
    score.write_text(
        "name: tree\nworkspace: {worktree: repo, ref: work, after: merge}\n"
        "sandbox: {write: [workspace], when_missing: best-effort}\n"
        "sheets: [{name: a, run: 'echo made > made; touch ../outside || true'}]\n"
    )
    marianne("run", str(score), "--wait")
    assert git(repo, "show", "work:made") == "made"


def test_work_of_a_job_that_failed_stays_where_it_is(
    marianne: Marianne, repo: Path, one: str
) -> None:
    submit(marianne, one, "no/such/directory", "x", after="discard")
    let_go(marianne, one)
    marianne.wait(one, code=1)
    assert (repo.with_name("repo.worktrees") / one / "base").exists()
    assert git(repo, "rev-parse", "work") == git(repo, "rev-parse", "main")


def test_validate_says_what_is_wrong_with_the_repository(marianne: Marianne, repo: Path) -> None:
    score = marianne.score("bad", "sheets: [{name: a, run: 'true'}]\n")
    text = Path(score).read_text().replace("./bad", "{worktree: repo, ref: nowhere}")
    Path(score).write_text(text)
    done = marianne("validate", score, code=2)
    assert "has no commit 'nowhere'" in done.out + done.err
