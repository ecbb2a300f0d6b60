"""What a fresh run moves out of its workspace, and what stays."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from marianne.model.plan import Plan
from marianne.run.archive import ArchiveError, Keep, archive_once
from marianne.score.models import WorkspaceLifecycle


class Place:
    """A score's directory with a workspace in it, and a directory for each job."""

    def __init__(self, path: Path) -> None:
        self.path, self.jobs = path, 0
        self.workspace = path / "out"
        self.workspace.mkdir()

    def write(self, *names: str) -> None:
        for name in names:
            file = self.workspace / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(name)

    def archive(self, *, again: bool = False, **settings: Any) -> None:
        self.jobs += not again
        job_dir = self.path / "home" / f"job-{self.jobs}"
        job_dir.mkdir(parents=True, exist_ok=True)
        section = WorkspaceLifecycle(archive_on_fresh=True, **settings).model_dump()
        plan = Plan("x", str(self.workspace), (), 1, score_dir=str(self.path / "scores"))
        for old in archive_once(plan, section, str(job_dir)):
            shutil.rmtree(old)

    def found(self) -> list[str]:
        files = (p for p in self.workspace.rglob("*") if p.is_file())
        return sorted(str(p.relative_to(self.workspace)) for p in files)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_everything_goes_into_a_numbered_archive(place: Place) -> None:
    place.write("a.txt", "deep/b.txt")
    place.archive()
    place.write("c.txt")
    place.archive()
    assert place.found() == [
        "archive/iteration-1/a.txt",
        "archive/iteration-1/deep/b.txt",
        "archive/iteration-2/c.txt",
    ]


def test_the_score_can_count_the_iterations_itself(place: Place) -> None:
    place.write("a.txt")
    (place.workspace / ".iteration").write_text("7\n")
    place.archive()
    assert place.found() == [".iteration", "archive/iteration-7/a.txt"]


def test_archives_can_be_named_by_the_time(place: Place) -> None:
    for _ in range(2):
        place.write("a.txt")
        place.archive(archive_naming="timestamp", archive_dir="old/runs")
    names = [name.split("/")[2] for name in place.found()]
    assert len(set(names)) == 2
    assert all(re.fullmatch(r"\d{8}T\d{6}Z", name) for name in names)


def test_what_is_to_be_preserved_stays_where_it_is(place: Place) -> None:
    kept = [".coverage", ".marianne-x", ".worktrees/w/file", "docs/deep/keep.md", "docs/keep.md"]
    place.write(*kept, "docs/drop.txt", "drop.txt", "empty/drop.txt")
    defaults = WorkspaceLifecycle().preserve_patterns
    place.archive(preserve_patterns=[*defaults, "docs/**/*.md"])
    moved = [f"archive/iteration-1/{name}" for name in ("docs/drop.txt", "drop.txt")]
    assert place.found() == sorted([*kept, *moved, "archive/iteration-1/empty/drop.txt"])
    assert not (place.workspace / "empty").exists()


def test_only_so_many_archives_are_kept_and_no_strangers_directory_goes(place: Place) -> None:
    place.write("archive/mine/keep")
    for number in range(12):
        place.write(f"{number}.txt")
        place.archive(max_archives=2)
    assert place.found() == [
        "archive/iteration-11/10.txt",
        "archive/iteration-12/11.txt",
        "archive/mine/keep",
    ]


def test_an_empty_or_absent_workspace_makes_no_archive(place: Place) -> None:
    place.archive()
    place.workspace.rmdir()
    place.archive()
    assert not place.workspace.exists()


def test_a_job_archives_once(place: Place) -> None:
    place.write("old")
    place.archive()
    place.write("new")
    place.archive(again=True)
    assert place.found() == ["archive/iteration-1/old", "new"]


def test_an_archiving_that_was_cut_off_goes_on_in_the_same_place(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write("a", "b", "c")
    real, calls = os.rename, iter((True, False))

    def rename(source: str, target: Path) -> None:
        if not next(calls):
            raise KeyboardInterrupt
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", rename)
        with pytest.raises(KeyboardInterrupt):
            place.archive()
    assert place.found() == ["archive/iteration-1/a", "b", "c"]
    place.archive(again=True)
    assert place.found() == [f"archive/iteration-1/{name}" for name in "abc"]


@pytest.mark.parametrize("torn", ["", "iterat", "../elsewhere", ".."])
def test_a_plan_that_is_not_whole_or_not_ours_names_no_place(place: Place, torn: str) -> None:
    place.write("a")
    plan = place.path / "home/job-1/archiving"
    plan.parent.mkdir(parents=True)
    plan.write_text(torn)
    place.archive()
    assert place.found() == ["archive/iteration-1/a"]


def test_a_plan_is_whole_before_it_has_its_name(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write("a")

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", dies)
    with pytest.raises(KeyboardInterrupt):
        place.archive()
    assert (place.found(), (place.path / "home/job-1/archiving").exists()) == (["a"], False)


@pytest.mark.parametrize("inside", ["scores", "home"])
def test_a_workspace_that_holds_the_score_or_our_home_is_not_archived(
    place: Place, inside: str
) -> None:
    place.workspace = place.path / inside
    place.write("precious")
    with pytest.raises(ArchiveError, match="is not archived"):
        place.archive()
    assert "precious" in place.found()


def test_a_link_is_moved_and_never_followed(place: Place, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").touch()
    (place.workspace / "link").symlink_to(tmp_path / "elsewhere")
    place.archive(preserve_patterns=["link/*"])
    assert (place.workspace / "archive/iteration-1/link").is_symlink()
    assert (tmp_path / "elsewhere" / "file").exists()


@pytest.mark.parametrize("link", ["old", "old/runs"])
def test_archives_lie_in_the_workspace_and_nowhere_that_a_link_leads_to(
    place: Place, tmp_path: Path, link: str
) -> None:
    """A sheet of the job before may have put it there, behind walls of its own."""
    others = tmp_path / "others"
    (others / "runs" / "iteration-1").mkdir(parents=True)
    (others / "iteration-1").mkdir()
    place.write("file")
    (place.workspace / link).parent.mkdir(exist_ok=True)
    (place.workspace / link).symlink_to(others)
    with pytest.raises(ArchiveError, match=f"'archive_dir'.*leads out of it, to {others}"):
        place.archive(archive_dir="old/runs", max_archives=1)
    assert (place.workspace / "file").exists()
    assert sorted(path.name for path in others.rglob("*")) == ["iteration-1", "iteration-1", "runs"]


@pytest.mark.parametrize("kind", ["pipe", "endless"])
def test_a_count_that_never_ends_is_none(place: Place, kind: str) -> None:
    place.write("file")
    if kind == "pipe":
        os.mkfifo(place.workspace / ".iteration")
    else:
        (place.workspace / ".iteration").symlink_to("/dev/zero")
    place.archive()
    assert place.found() == ["archive/iteration-1/file"]


@pytest.mark.parametrize(
    ("pattern", "path", "whole", "some"),
    [
        ("a/**", "a", True, False),
        ("a/**", "a/b/c", True, False),
        ("a/*.md", "a", False, True),
        ("a/*.md", "a/b.md", True, False),
        ("a/*.md", "a/b/c.md", False, False),
        ("**/k", "k", True, True),
        ("**/k", "a/b/k", True, True),
        ("**/k", "a", False, True),
        ("a?c", "abc", True, False),
        ("a.c", "abc", False, False),
    ],
)
def test_patterns(pattern: str, path: str, whole: bool, some: bool) -> None:
    keep = Keep([pattern], "archive")
    assert keep.all_of(path) == whole
    assert whole or keep.some_in(path) == some
