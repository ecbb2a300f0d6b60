"""What a walled sheet leaves in its worktree is data to the steps, which stand behind no wall."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from worktree_repo import Repo


def poison(repo: Repo, gitdir: Path) -> None:
    """What git would run on behalf of whoever wrote this directory of a repository."""
    call = f"touch {repo.place}/ran; cat >/dev/null #"
    for name in ("core.fsmonitor", "filter.own.clean", "diff.external", "gpg.program"):
        repo.git("--git-dir", str(gitdir), "config", name, call)
    repo.git("--git-dir", str(gitdir), "config", "commit.gpgSign", "true")
    for hook in ("post-index-change", "post-commit", "pre-commit", "reference-transaction"):
        script = gitdir / "hooks" / hook
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"#!/bin/sh\ntouch {repo.place}/ran\n")
        script.chmod(0o755)


def its_own_repository(repo: Repo) -> None:
    (repo.tree / ".git").unlink()
    repo.git("init", "--quiet", where=repo.tree)
    repo.git("commit", "--quiet", "--allow-empty", "-m", "evil", where=repo.tree)
    poison(repo, repo.tree / ".git")


def a_way_to_its_own(repo: Repo) -> None:
    its_own_repository(repo)
    (repo.tree / ".git").rename(repo.tree / "elsewhere")
    (repo.tree / ".git").write_text(f"gitdir: {repo.tree}/elsewhere\n")


def one_in_a_folder(repo: Repo) -> None:
    inner = repo.tree / "sub"
    repo.git("init", "--quiet", where=inner)
    repo.commit("inner", "1", where=inner)
    (inner / ".gitattributes").write_text("* filter=own\n")
    (inner / "inner").write_text("2")
    poison(repo, inner / ".git")


LEFT = [its_own_repository, a_way_to_its_own, one_in_a_folder]


@pytest.fixture
def repo(tmp_path: Path) -> Callable[[str], Repo]:
    """A repository with a module below ``sub``, whose worktree is made."""

    def made(after: str) -> Repo:
        one = Repo(tmp_path, after)
        commit = one.git("rev-parse", "HEAD")
        one.git("checkout", "--quiet", "work")
        one.git("update-index", "--add", "--cacheinfo", f"160000,{commit},sub")
        one.git("commit", "--quiet", "-m", "a module")
        one.git("checkout", "--quiet", "main")
        assert one.step(one.begin)[0] == 0
        (one.tree / "work").write_text("done\n")
        return one

    return made


@pytest.mark.parametrize("leave", LEFT)
def test_work_is_merged_without_running_what_a_sheet_has_put_there(
    repo: Callable[[str], Repo], leave: Callable[[Repo], None]
) -> None:
    one = repo("merge")
    leave(one)
    code, said = one.step(one.end)
    assert not (one.place / "ran").exists()
    assert code == 0, said
    assert one.git("show", "work:work") == "done"


@pytest.mark.parametrize("leave", LEFT)
def test_kept_work_gets_its_branch_without_running_what_a_sheet_has_put_there(
    repo: Callable[[str], Repo], tmp_path: Path, leave: Callable[[Repo], None]
) -> None:
    one = repo("merge")
    leave(one)
    begin = one.begin.replace("after=merge", "after=keep")
    assert begin != one.begin
    code, said = one.step(begin)
    assert not (one.place / "ran").exists()
    assert code == 0, said
    assert one.git("rev-parse", "marianne/job") == one.git("rev-parse", "work")
