"""Which changes of files count, and that each burst of them is heard of."""

from __future__ import annotations

import os
import queue
import shutil
from pathlib import Path

import pytest

from marianne.cli.changes import Watched, look
from marianne.cli.errors import CliError
from marianne.cli.repeating import next_step


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("src/deep", "out/in", "home"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "s.yaml").touch()
    (tmp_path / "data.csv").touch()
    return tmp_path


def test_the_score_and_what_lies_below_a_named_directory_count(place: Path) -> None:
    watched = Watched.of(str(place / "s.yaml"), [str(place / "src")])
    assert watched.counts(str(place / "s.yaml"), [])
    assert watched.counts(str(place / "src/deep/new.c"), [])
    assert not watched.counts(str(place / "data.csv"), [])
    assert not watched.counts(str(place / "srcs"), [])


def test_without_paths_it_is_the_directory_of_the_score(place: Path) -> None:
    watched = Watched.of(str(place / "s.yaml"), [])
    assert watched.counts(str(place / "data.csv"), [])


def test_what_we_write_ourselves_counts_only_where_it_was_named(place: Path) -> None:
    ours = [str(place / "out"), str(place / "home")]
    everything = Watched.of(str(place / "s.yaml"), [])
    assert not everything.counts(str(place / "out/log"), ours)
    assert not everything.counts(str(place / "home/state.db"), ours)
    inside = Watched.of(str(place / "s.yaml"), [str(place / "out/in")])
    assert inside.counts(str(place / "out/in/a"), ours)
    assert not inside.counts(str(place / "out/b"), ours)
    in_the_workspace = Watched.of(str(place / "s.yaml"), [])
    assert in_the_workspace.counts(str(place / "s.yaml"), [str(place)])


def test_a_directory_that_is_made_for_what_we_write_is_no_change(place: Path) -> None:
    """The first job in a worktree beside the score was followed by a second one."""
    watched = Watched.of(str(place / "s.yaml"), [])
    assert not watched.counts(str(place / "trees"), [str(place / "trees/job")])
    assert watched.counts(str(place / "trees/other"), [str(place / "trees/job")])
    assert watched.counts(str(place), [str(place / "trees/job")]), "made anew itself"


def test_that_nothing_can_be_seen_is_known(place: Path) -> None:
    everything = Watched.of(str(place / "s.yaml"), [])
    assert everything.sees([str(place / "out")])
    assert not everything.sees([str(place)])
    assert Watched.of(str(place / "s.yaml"), [str(place / "data.csv")]).sees([str(place)])
    assert not Watched.of(str(place / "s.yaml"), [str(place / "out")]).sees([str(place / "out")])


def test_a_link_is_what_it_leads_to(place: Path) -> None:
    (place / "link").symlink_to("src")
    watched = Watched.of(str(place / "s.yaml"), [str(place / "link")])
    assert watched.counts(str(place / "src/a"), [])
    assert watched.counts(str(place / "link/a"), [])


def test_a_path_that_is_not_there_is_refused(place: Path) -> None:
    with pytest.raises(CliError, match="nothing at 'nosuch' to watch"):
        Watched.of(str(place / "s.yaml"), ["nosuch"])


@pytest.mark.parametrize("named", ["file", "directory"])
def test_a_file_that_is_replaced_again_and_again_is_heard_of_each_time(
    place: Path, named: str
) -> None:
    heard: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
    data = place / "data.csv"
    paths = [str(data)] if named == "file" else [str(place)]
    look(Watched.of(str(place / "s.yaml"), paths), 0.05, heard.put, pytest.fail)
    for turn in range(3):
        new = place / "new.part"
        new.write_text(str(turn))
        os.replace(new, data)
        while str(data) not in heard.get(timeout=30):
            pass


@pytest.mark.slow
@pytest.mark.parametrize("beside", ["another", "alone"])
def test_a_directory_that_is_made_anew_is_looked_into(place: Path, beside: str) -> None:
    heard: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
    source, score = place / "src", place / "home" / "s.yaml"
    score.touch()
    paths = [str(source), *([str(place / "out")] if beside == "another" else [])]
    look(Watched.of(str(score), paths), 0.05, heard.put, pytest.fail)
    for turn in range(2):
        shutil.rmtree(source)
        if turn:  # else it is another one at once
            while str(source) not in heard.get(timeout=30):
                pass
        source.mkdir()
        while str(source) not in heard.get(timeout=30):
            pass
        new = source / f"new{turn}"
        new.touch()  # told of by its name, or as the directory in which anything may be new
        while not {str(new), str(source)} & {*heard.get(timeout=30)}:
            pass
        new.write_text("more")
        while str(new) not in heard.get(timeout=30):
            pass


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("Error creating watcher: Too many open files (os error 24)"),
        OSError(28, "x"),
    ],
)
def test_a_watch_that_cannot_be_had_is_told_with_what_helps(
    place: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_paths: str, **_rules: object) -> None:
        raise error

    monkeypatch.setattr("watchfiles.watch", refuse)
    told: queue.SimpleQueue[CliError] = queue.SimpleQueue()
    look(Watched.of(str(place / "s.yaml"), []), 0.05, pytest.fail, told.put)
    found = told.get(timeout=30)
    assert "cannot watch" in found.message
    assert "fs.inotify" in str(found.hint)


def test_what_a_change_leads_to() -> None:
    assert {next_step(rule, runs=False, cancelling=False) for rule in RULES} == {"run"}
    assert [next_step(rule, runs=True, cancelling=False) for rule in RULES] == [
        *("wait", "forget", "cancel")
    ]
    assert next_step("replace", runs=True, cancelling=True) == "wait"


RULES = ("queue", "skip", "replace")
