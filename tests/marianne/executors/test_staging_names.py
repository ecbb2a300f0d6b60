"""A name that the other side says is below what it is joined to, or it is refused."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
from pathlib import Path
from typing import Any, NoReturn

import pytest
from staging_stage import files

from marianne.executors.staging.commit import STAGED, clear_left, clear_room, commit, make_room
from marianne.executors.staging.names import StagingError, checked, declared
from marianne.executors.staging.tree import Tree


@pytest.mark.parametrize("name", ["a", "a/b.txt", "a b/ü", "..a", "a..", ".hidden/x"])
def test_a_name_below_a_workspace_is_taken(name: str) -> None:
    assert checked(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "..", "a/../b", "../a", "a//b", "./a", "a/", "a\0b", "x" * 5_000, 7, None],
)
def test_a_name_that_may_lead_elsewhere_is_none(name: object) -> None:
    with pytest.raises(StagingError, match="no name below a workspace"):
        checked(name)


def test_what_is_ours_in_a_workspace_is_nobodys_output() -> None:
    with pytest.raises(StagingError):
        checked(".marianne-fresh/job.json")


@pytest.mark.parametrize(
    ("path", "pattern", "fits"),
    [
        ("out.txt", "out.txt", True),
        ("out.txt", "*.txt", True),
        ("a/out.txt", "*.txt", False),
        ("out/deep/x", "out", True),
        ("out/deep/x", "out/", True),
        ("out/deep/x", "./out", True),
        ("output", "out", False),
        ("a/b/c.txt", "**/*.txt", True),
        ("c.txt", "**/*.txt", True),
        ("a/b/c.csv", "**/*.txt", False),
        ("a/b", "a/*/c", False),
        ("a/b/c/d", "a/**", True),
        ("b", "a/**", False),
    ],
)
def test_only_what_is_declared_is_taken(path: str, pattern: str, fits: bool) -> None:
    assert declared(path, [pattern]) is fits


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "ws" / "data" / "deep").mkdir(parents=True)
    (tmp_path / "ws" / "one.csv").write_text("1")
    (tmp_path / "ws" / "data" / "deep" / "two").write_text("2")
    (tmp_path / "ws" / "data" / "empty").mkdir()
    (tmp_path / "secret").write_text("s")
    return tmp_path / "ws"


def names(root: Path, *patterns: str) -> list[str]:
    return [entry.path for entry in Tree(str(root), patterns, "inputs").entries()]


def test_files_globs_and_directories_are_found_each_once(root: Path) -> None:
    found = names(root, "*.csv", "data/", "data/deep/two", "one.csv")
    assert sorted(found) == ["data", "data/deep", "data/deep/two", "data/empty", "one.csv"]


def test_the_whole_workspace_is_brought_without_what_is_ours(root: Path) -> None:
    (root / STAGED).mkdir()
    (root / STAGED / "half").write_text("h")
    assert "one.csv" in names(root, ".")
    assert not [name for name in names(root, ".") if "half" in name]


def test_a_pattern_that_nothing_matches_is_named(root: Path) -> None:
    tree = Tree(str(root), ["one.csv", "none.*", "data/gone"], "outputs")
    assert len(list(tree.entries())) == 1
    assert tree.missing == ["none.*", "data/gone"]


def test_a_link_to_a_file_of_the_workspace_is_the_file(root: Path) -> None:
    (root / "latest").symlink_to("one.csv")
    (entry,) = Tree(str(root), ["latest"], "inputs").entries()
    assert entry.source == str(root / "one.csv")


@pytest.mark.parametrize("place", ["link", "data/link"])
def test_a_link_out_of_the_workspace_is_refused(root: Path, place: str) -> None:
    (root / place).symlink_to(root.parent / "secret")
    with pytest.raises(StagingError, match="leads out of the workspace"):
        names(root, place.partition("/")[0])


def test_a_directory_that_is_a_link_out_is_refused(root: Path) -> None:
    (root / "out").symlink_to(root.parent)
    for pattern in ("out", "out/secret", "*/secret"):
        with pytest.raises(StagingError, match="leads out of the workspace"):
            names(root, pattern)


def test_a_link_to_a_directory_within_another_is_refused(root: Path) -> None:
    (root / "data" / "up").symlink_to("..")
    with pytest.raises(StagingError, match="data/up is a link to a directory"):
        names(root, "data")


def test_what_is_no_file_is_refused(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(StagingError, match="pipe is neither a file nor a directory"):
        names(root, "pipe")


def test_a_pattern_out_of_the_workspace_is_refused(root: Path) -> None:
    for pattern in ("../secret", "/etc/hosts", "~/x", "a/../../secret"):
        with pytest.raises(StagingError, match="leads out of the workspace"):
            names(root, pattern)


def received(root: Path, content: dict[str, str]) -> str:
    """What came back and has not taken its place yet."""
    place = make_room(str(root), "j.1.1")
    for name, text in content.items():
        path = Path(place) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return place


def test_what_came_back_takes_its_place_and_leaves_all_else(root: Path) -> None:
    place = received(root, {"one.csv": "new", "data/three": "3", "made/x/y": "y"})
    commit(place, str(root))
    clear_room(place)
    assert files(root) == {
        "one.csv": b"new",
        "data/deep/two": b"2",
        "data/three": b"3",
        "made/x/y": b"y",
    }
    assert not (root / STAGED).exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"a": "1", "one.csv/x": "2"}, "is no directory in the workspace"),
        ({"a": "1", "data": "2"}, "is a directory in the workspace"),
        ({"a": "1", "out/x": "2"}, "leads out of the workspace"),
    ],
)
def test_what_cannot_take_its_place_moves_nothing(
    root: Path, content: dict[str, str], says: str
) -> None:
    (root / "out").symlink_to(root.parent)
    before = files(root)
    place = received(root, content)
    with pytest.raises(StagingError, match=says):
        commit(place, str(root))
    clear_room(place)
    assert files(root) == before


def test_a_link_is_replaced_and_not_followed(root: Path) -> None:
    (root / "link").symlink_to(root.parent / "secret")
    commit(received(root, {"link": "new"}), str(root))
    assert (root.parent / "secret").read_text() == "s"
    assert (root / "link").read_text() == "new"


def test_a_kill_between_two_renames_leaves_each_file_old_or_new(root: Path) -> None:
    old = {f"data/{n}": b"old" for n in range(6)}
    new = {f"data/{n}": "new" for n in range(6)} | {"fresh/deep/a": "new", "fresh/b": "new"}
    for name, content in old.items():
        (root / name).write_bytes(content)
    for kills in range(1, 8):
        place = received(root, new)
        pid = os.fork()
        if pid == 0:
            dies_at(kills, place, str(root))
        _, status = os.waitpid(pid, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL
        found = {name: text for name, text in files(root).items() if STAGED not in name}
        assert set(old) <= set(found)
        assert set(found.values()) <= {b"old", b"new", b"1", b"2"}
        assert len([name for name in found if name.startswith("fresh/")]) in (0, 2)
        clear_room(place)
        for name, content in old.items():
            (root / name).write_bytes(content)
        shutil.rmtree(root / "fresh", ignore_errors=True)
    commit(received(root, new), str(root))
    assert {files(root)[name] for name in new} == {b"new"}


def dies_at(step: int, place: str, root: str) -> NoReturn:
    """Commits, and dies at its so many-th rename."""
    steps = itertools.count(1)

    def deadly(real: Any) -> Any:
        def rename(*args: Any) -> None:
            if next(steps) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            real(*args)

        return rename

    try:
        os.replace, os.rename = deadly(os.replace), deadly(os.rename)
        commit(place, root)
    finally:
        os._exit(1)


def test_what_a_dead_process_left_is_cleared_and_no_other_jobs(root: Path) -> None:
    ours = received(root, {"x": "1"})
    for name in ("j.1.1.4194305.ab", "j.2.1.4194305.ab", "other.1.1.4194305.ab"):
        (root / STAGED / name).mkdir()
    clear_left(str(root), "j")
    assert sorted(path.name for path in (root / STAGED).iterdir()) == sorted(
        [Path(ours).name, "other.1.1.4194305.ab"]
    )
