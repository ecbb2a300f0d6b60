"""A job in a git worktree of its own: what is written as `workspace: {worktree: REPO}`.

It is made of sheets like any others, so that what a kill leaves, a retry, a log and a time limit
are theirs: the first makes the worktree, the last merges or removes it once all others have
completed. The steps are in worktree.bash; each can be killed at any point and done again.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Literal

from marianne.model.plan import SheetPlan
from marianne.score.models_reference import Common, Worktree
from marianne.score.models_short import ShortScore, ShortSheet
from marianne.score.report import Report

BEGIN, END = "worktree", "worktree-end"
JOB_ID = "{job_id}"
"""In the path of a workspace: what it is called once the job has an id."""

SECONDS = 10.0
CPUS = 0.1


def place_of(score: Common, base_dir: str) -> str:
    """The directory that the sheets work in; of a worktree with JOB_ID for the job's id."""
    asked = score.workspace
    if isinstance(asked, str):
        return os.path.join(base_dir, os.path.expanduser(asked))
    above = asked.place or f"{_repo(asked, base_dir).removesuffix('.git').rstrip('/')}.worktrees"
    return os.path.join(base_dir, os.path.expanduser(above), JOB_ID)


def in_worktrees(score: Common, report: Report, base_dir: str) -> Common:
    """The score with the sheets that make its worktree and merge or remove it."""
    asked = score.workspace
    if isinstance(asked, str):
        return score
    if not isinstance(score, ShortScore):
        report.error(["workspace"], "a worktree is for scores with 'sheets'", "write that form")
        return score
    repo = _repo(asked, base_dir)
    if not _names_free(score, report) or not _checked(asked, repo, report):
        return score
    first = {"needs": [BEGIN]}
    sheets = [
        sheet.model_copy(update=first) if not sheet.needs and sheet.when == "succeeded" else sheet
        for sheet in score.sheets
    ]
    sheets.append(_step(asked, repo, BEGIN, "begin", []))
    if asked.after != "keep":
        end = f"end {shlex.quote(asked.target)}"
        sheets.append(_step(asked, repo, END, end, _waited_for(score.sheets)))
    return score.model_copy(update={"sheets": sheets})


def opened(sheets: Sequence[SheetPlan]) -> list[SheetPlan]:
    """The sheets, of which our steps are called so, and may write what the score keeps others from:
    the repository."""
    step: dict[str, Literal["begin", "end"]] = {BEGIN: "begin", END: "end"}
    return [
        replace(sheet, sandbox=None, workspace_step=step[sheet.name])
        if sheet.name in step
        else sheet
        for sheet in sheets
    ]


def _waited_for(sheets: Sequence[ShortSheet]) -> list[str]:
    """The sheets whose work is taken: not those that run only where one has failed, nor what runs
    with them alone. Where these run nothing is taken; where they do not, nothing is missing."""
    for_failures: set[str] = set()
    while found := {
        sheet.name
        for sheet in sheets
        if sheet.name not in for_failures
        and (
            sheet.when == "failed"
            or (sheet.when == "succeeded" and not for_failures.isdisjoint(sheet.needs))
        )
    }:
        for_failures |= found
    return [sheet.name for sheet in sheets if sheet.name not in for_failures]


def _names_free(score: ShortScore, report: Report) -> bool:
    """Whether no sheet of the score is called like a step; reports those that are."""
    step = {BEGIN: "makes the worktree", END: "merges or removes the worktree"}
    taken = [(index, sheet.name) for index, sheet in enumerate(score.sheets) if sheet.name in step]
    for index, name in taken:
        report.error(
            ["sheets", index, "name"],
            f"{name!r} is what the sheet is called that {step[name]} of this score's workspace",
            "give yours another name",
        )
    return not taken


def _step(asked: Worktree, repo: str, name: str, call: str, needs: list[str]) -> ShortSheet:
    given = {"repo": repo, "ref": asked.ref, "after": asked.after}
    lines = [*(f"{key}={shlex.quote(value)}" for key, value in given.items()), _library(), call]
    run = "{% raw %}" + "\n".join(lines) + "\n{% endraw %}"
    # It works beside the place: what it removes must not be where it is.
    return ShortSheet(name=name, run=run, needs=needs, cpus=CPUS, cwd="/")


def _repo(asked: Worktree, base_dir: str) -> str:
    return os.path.abspath(os.path.join(base_dir, os.path.expanduser(asked.worktree)))


def _checked(asked: Worktree, repo: str, report: Report) -> bool:
    """Whether it can be done; reports what cannot."""
    if _git(repo, "rev-parse", "--git-common-dir") is None:
        report.error(
            ["workspace", "worktree"],
            f"{repo} is no git repository that can be used",
            f"git -C {shlex.quote(repo)} status says why",
        )
        return False
    if _git(repo, "rev-parse", "--verify", "--quiet", f"{asked.ref}^{{commit}}") is None:
        report.error(["workspace", "ref"], f"{repo} has no commit {asked.ref!r}", "git branch -a")
        return False
    return asked.after != "merge" or _can_merge(asked, repo, report)


def _can_merge(asked: Worktree, repo: str, report: Report) -> bool:
    branch = f"refs/heads/{asked.target}"
    if _git(repo, "rev-parse", "--verify", "--quiet", branch) is None:
        report.error(
            ["workspace", "after"],
            f"{asked.target!r} is no branch of {repo} that could be merged into",
            "write 'into: BRANCH'",
        )
        return False
    where = _git(repo, "for-each-ref", "--format=%(worktreepath)", branch)
    if where:
        report.warn(
            f"workspace: {asked.target} is checked out in {where}: the job does not change files"
            " under your hands; its last sheet will say what to merge, or write 'into: BRANCH'"
        )
    return True


def _git(repo: str, *words: str) -> str | None:
    """What git prints; None where it fails."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", repo, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            env=env,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None


@cache
def _library() -> str:
    return Path(__file__).with_name("worktree.bash").read_text(encoding="utf-8")
