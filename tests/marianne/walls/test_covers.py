"""The empty directories of a room: only one that is as it was when it was made is used again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from marianne.walls import covers
from marianne.walls.covers import Covers

MOUNTED = ["/tmp", "/tmp/deep/workspace", "/var/tmp"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """As that of a room: what is mounted in a cover is a directory here."""
    for path in (*MOUNTED, "/outside"):
        (tmp_path / path[1:]).mkdir(parents=True)
        (tmp_path / path[1:] / "mine").write_text("kept")
    for path in ("tmp", "var/tmp"):
        (tmp_path / path / "mine").unlink()
    return tmp_path


@pytest.fixture
def room(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Covers]:
    monkeypatch.setattr(covers, "FEW_BYTES", 1 << 62)  # the file system here is everybody's
    made = Covers(str(root), ["/tmp", "/var/tmp"], MOUNTED)
    yield made
    made.close()


def a_few_files(root: Path) -> None:
    (root / "tmp" / ".hidden").write_text("left")
    (root / "tmp" / "deep" / "beside").write_text("left")
    (root / "var" / "tmp" / "folder" / "inner").mkdir(parents=True)
    (root / "var" / "tmp" / "folder" / "out").symlink_to(root / "outside")
    os.mkfifo(root / "var" / "tmp" / "folder" / "inner" / "pipe")


@pytest.mark.parametrize("leave", [lambda _root: None, a_few_files])
def test_what_a_sheet_left_is_removed_and_what_is_mounted_is_not_touched(
    root: Path, room: Covers, leave: Callable[[Path], None]
) -> None:
    leave(root)
    assert room.clear()
    assert sorted(str(one.relative_to(root)) for one in root.rglob("*")) == [
        *("outside", "outside/mine", "tmp", "tmp/deep", "tmp/deep/workspace"),
        *("tmp/deep/workspace/mine", "var", "var/tmp"),
    ]


def a_link_where_the_way_to_the_workspace_was(root: Path) -> None:
    (root / "tmp" / "deep").rename(root / "tmp" / "moved")
    (root / "outside" / "workspace").mkdir()
    (root / "tmp" / "deep").symlink_to(root / "outside")


def another_directory_there(root: Path) -> None:
    (root / "tmp" / "deep").rename(root / "outside" / "deep")
    (root / "tmp" / "deep" / "workspace").mkdir(parents=True)


def a_link_in_place_of_a_cover(root: Path) -> None:
    (root / "var").rename(root / "moved")
    (root / "outside" / "tmp").mkdir()
    (root / "var").symlink_to(root / "outside")


def a_cover_that_nobody_may_enter(root: Path) -> None:
    (root / "tmp").chmod(0o711)


def more_files_than_are_removed(root: Path) -> None:
    for number in range(covers.FEW_FILES + 1):
        (root / "tmp" / str(number)).touch()


@pytest.mark.parametrize(
    "leave",
    [
        a_link_where_the_way_to_the_workspace_was,
        another_directory_there,
        a_link_in_place_of_a_cover,
        a_cover_that_nobody_may_enter,
        more_files_than_are_removed,
    ],
)
def test_a_room_that_is_not_as_it_was_is_not_used_again_and_nothing_outside_is_removed(
    root: Path, room: Covers, leave: Callable[[Path], None]
) -> None:
    leave(root)
    assert not room.clear()
    assert (root / "outside" / "mine").read_text() == "kept"


def test_much_is_left_to_the_kernel(
    root: Path, room: Covers, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "tmp" / "large").write_text("left")
    monkeypatch.setattr(covers, "FEW_BYTES", -1)
    assert not room.clear()
    assert (root / "tmp" / "large").exists()
