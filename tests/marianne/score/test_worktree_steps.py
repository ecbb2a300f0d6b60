"""The steps of a job's worktree, in a real repository, killed before and after each call of git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from worktree_repo import Repo

from marianne.model.errors import ScoreError


@pytest.fixture
def merging(tmp_path: Path) -> Repo:
    return Repo(tmp_path, "merge")


def test_a_worktree_is_made_and_its_work_merged_and_nothing_else_is_left(merging: Repo) -> None:
    assert merging.step(merging.begin)[0] == 0
    (merging.tree / "made").write_text("by a sheet")
    merging.commit("committed", "by an agent", where=merging.tree)
    (merging.tree / "loose").write_text("not committed")
    code, said = merging.step(merging.end)
    assert code == 0, said
    assert merging.git("show", "work:loose") == "not committed"
    assert merging.git("show", "work:committed") == "by an agent"
    assert not merging.tree.exists()
    assert merging.trees() == [str(merging.path)]
    assert not (merging.path / ".git/marianne/job").exists()
    assert merging.step(merging.end)[0] == 0, "again, it finds that it was done"


@pytest.mark.slow
def test_a_begin_that_is_killed_at_any_call_of_git_is_done_again(merging: Repo) -> None:
    seen = 0
    for moment in merging.moments(merging.begin):
        code, said = merging.step(merging.begin)
        assert code == 0, (moment, said)
        assert (merging.tree / "base").read_text() == "one", moment
        assert merging.git("status", "--porcelain", where=merging.tree) == "", moment
        assert (merging.trees(), merging.locks()) == (
            [str(merging.path), str(merging.tree)],
            [],
        ), moment
        merging.git("worktree", "remove", "--force", str(merging.tree))
        merging.git("worktree", "prune")
        subprocess.run(["rm", "-r", str(merging.path / ".git/marianne")], check=True)
        seen += 1
    assert seen >= 8


@pytest.mark.slow
def test_an_end_that_is_killed_at_any_call_of_git_loses_nothing(merging: Repo) -> None:
    start = merging.git("rev-parse", "work")
    seen = 0
    while True:
        merging.git("update-ref", "refs/heads/work", start)
        assert merging.step(merging.begin)[0] == 0
        (merging.tree / "loose").write_text(str(seen))
        tree = merging.git("commit-tree", "work^{tree}", "-p", "work", "-m", "meanwhile")
        merging.git("update-ref", "refs/heads/work", tree)
        when = ("before", "after")[seen % 2]
        code, _ = merging.step(merging.end, f"{seen // 2}:{when}")
        if code != -9:
            break
        code, said = merging.step(merging.end)
        assert code == 0, (seen, said)
        assert merging.git("show", "work:loose") == str(seen)
        assert merging.git("rev-parse", "work^1") == tree, "and what was done there meanwhile"
        assert (merging.trees(), merging.locks()) == ([str(merging.path)], [])
        assert not merging.tree.exists()
        seen += 1
    assert seen >= 20


def test_a_worktree_that_is_kept_after_all_gets_its_branch_whenever_that_is_killed(
    merging: Repo,
) -> None:
    """What was done there was on no branch, and gone with `git worktree remove`."""
    merging.step(merging.begin)
    merging.commit("new", "x", where=merging.tree)
    keep = merging.begin.replace("after=merge", "after=keep")
    seen = 0
    for moment in merging.moments(keep):
        assert merging.step(keep)[0] == 0, moment
        assert merging.git("symbolic-ref", "HEAD", where=merging.tree) == "refs/heads/marianne/job"
        assert merging.git("show", "marianne/job:new") == "x"
        assert (merging.git("status", "--porcelain", where=merging.tree), merging.locks()) == (
            "",
            [],
        )
        merging.git("checkout", "--quiet", "--detach", where=merging.tree)
        merging.git("branch", "--quiet", "-D", "marianne/job")
        seen += 1
    assert seen >= 8


def test_a_conflict_changes_nothing_and_says_what_to_do(merging: Repo) -> None:
    merging.step(merging.begin)
    merging.commit("base", "theirs", where=merging.tree)
    merging.git("switch", "--quiet", "work")
    merging.commit("base", "ours")
    merging.git("switch", "--quiet", "main")
    before = merging.git("rev-parse", "work")
    code, said = merging.step(merging.end)
    assert code == 1
    last = said.splitlines()[-1]
    assert last == "nothing was merged: work has other changes than the job in base"
    assert f"all work is in {merging.tree}. There: git merge work" in said
    assert "marianne retry job 3" in said
    assert merging.git("rev-parse", "work") == before
    subprocess.run(["git", "merge", "work"], cwd=merging.tree, check=False, capture_output=True)
    merging.commit("base", "both", where=merging.tree)
    assert merging.step(merging.end)[0] == 0
    assert merging.git("show", "work:base") == "both"


def test_a_branch_that_is_checked_out_is_left_to_its_user(merging: Repo) -> None:
    merging.git("switch", "--quiet", "work")
    assert any("is checked out in" in warning for warning in merging.plan().warnings)
    merging.step(merging.begin)
    (merging.tree / "loose").write_text("x")
    code, said = merging.step(merging.end)
    assert code == 1
    assert f"work is checked out in {merging.path}" in said.splitlines()[-1]
    tip = said.rpartition("git merge ")[2].split()[0]
    assert merging.git("status", "--porcelain") == ""
    merging.git("merge", "--quiet", tip)
    assert merging.step(merging.end)[0] == 0
    assert (merging.path / "loose").read_text() == "x"


def test_what_lies_in_the_place_already_is_never_removed(merging: Repo) -> None:
    merging.tree.mkdir(parents=True)
    (merging.tree / "mine").write_text("precious")
    code, said = merging.step(merging.begin)
    assert (code, "left as it is" in said) == (1, True)
    assert (merging.tree / "mine").read_text() == "precious"


def test_a_job_that_is_called_like_one_of_another_home_has_a_worktree_of_its_own(
    tmp_path: Path,
) -> None:
    """A second `run --local` worked in what the first one had left, from its commit."""
    repo = Repo(tmp_path, "keep")
    repo.step(repo.begin)
    repo.commit("kept", "x", where=repo.tree)
    code, said = repo.step(repo.begin, owner="another")
    assert (code, "--id NEW" in said) == (1, True)
    repo.git("worktree", "remove", str(repo.tree))
    repo.git("checkout", "--quiet", "work")
    repo.commit("later", "y")
    code, said = repo.step(repo.begin, owner="another")
    assert (code, "branch -D marianne/job" in said) == (1, True)
    assert repo.git("show", "marianne/job:kept") == "x"
    repo.git("branch", "-D", "marianne/job")
    assert repo.step(repo.begin, owner="another")[0] == 0
    assert (repo.tree / "later").read_text() == "y"


@pytest.mark.slow
def test_lock_of_ours_is_removed_and_one_of_somebody_else_is_not(merging: Repo) -> None:
    merging.step(merging.begin)
    (merging.tree / "loose").write_text("x")
    lock = merging.path / ".git/refs/heads/work.lock"
    lock.write_text("0" * 40 + "\n")
    code, said = merging.step(merging.end)
    assert code == 1, said
    assert lock.exists()
    lock.write_text("")
    assert merging.step(merging.end)[0] == 0
    assert not lock.exists()


def test_discarded_work_is_gone_and_kept_work_has_a_branch(tmp_path: Path) -> None:
    for after in ("discard", "keep"):
        place = tmp_path / after
        place.mkdir()
        repo = Repo(place, after)
        assert repo.step(repo.begin)[0] == 0
        repo.commit("new", "x", where=repo.tree)
        if after == "keep":
            assert repo.end == ""
            assert repo.git("show", "marianne/job:new") == "x"
        else:
            assert repo.step(repo.end)[0] == 0
            assert not repo.tree.exists()
        assert repo.git("rev-parse", "work") == repo.git("rev-parse", "main")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{worktree: nowhere}", "is no git repository"),
        ("{worktree: repo, ref: none}", "has no commit 'none'"),
        ("{worktree: repo, after: merge}", "'HEAD' is no branch"),
        ("{worktree: repo, ref: '--x'}", "ref"),
        ("{worktree: repo, after: burn}", "after"),
        ("{tree: repo}", "tree"),
    ],
)
def test_what_cannot_be_is_said_by_validate(merging: Repo, written: str, said: str) -> None:
    merging.text = f"name: j\nworkspace: {written}\nsheets: [{{name: a, run: 'true'}}]\n"
    with pytest.raises(ScoreError) as refused:
        merging.plan()
    assert said in refused.value.render()
    assert "line 2" in refused.value.render() or ":2:" in refused.value.render()


@pytest.mark.parametrize("name", ["worktree", "worktree-end"])
def test_a_sheet_called_like_a_step_is_told_so_where_it_stands(merging: Repo, name: str) -> None:
    merging.text = merging.text.partition("sheets")[0] + (
        f"sheets:\n- {{name: a, run: 'true'}}\n- {{name: {name}, run: 'true', needs: [a]}}\n"
    )
    with pytest.raises(ScoreError) as refused:
        merging.plan()
    (problem,) = refused.value.problems
    assert (problem.line, "give yours another name" in problem.render()) == (5, True)


def test_sheets_wait_for_the_worktree_and_its_end_for_all_sheets(merging: Repo) -> None:
    merging.text = merging.text.partition("sheets")[0] + (
        "sheets: [{name: a, run: 'true', fan_out: 2}, {name: b, needs: [a], run: 'true'},"
        " {name: c, when: always, run: 'true'}]\n"
    )
    names = {sheet.num: sheet.name for sheet in merging.plan().sheets}
    needs = {sheet.name: [names[n] for n in sheet.needs] for sheet in merging.plan().sheets}
    assert needs["a[1]" if "a[1]" in needs else names[1]] == ["worktree"]
    assert needs["worktree"] == []
    assert set(needs["worktree-end"]) == set(names.values()) - {"worktree", "worktree-end"}
    assert "worktree-end" not in needs["c"]


def test_what_keeps_sheets_from_the_repository_does_not_keep_its_steps(merging: Repo) -> None:
    merging.text += "sandbox: {write: [workspace], when_missing: best-effort}\n"
    kept = {sheet.name: sheet.sandbox is not None for sheet in merging.plan().sheets}
    assert kept == {"a": True, "worktree": False, "worktree-end": False}
