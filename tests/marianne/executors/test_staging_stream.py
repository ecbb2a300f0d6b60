"""What is sent arrives whole, or nothing of it counts; no side holds more than a window of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from staging_stage import End, carry, files

from marianne.executors.staging.names import StagingError
from marianne.executors.staging.stream import (
    PIECE,
    WINDOW,
    GoneError,
    Receiver,
    Sender,
    TransferError,
)
from marianne.executors.staging.tree import Tree


def no_role(head: dict[str, Any]) -> int:
    raise KeyError(head["role"])


def receive(place: Path, limit: int = 2**40, wanted: Any = lambda path: True, **more: Any) -> Any:
    def work(end: End) -> None:
        Receiver(end, str(place), limit, wanted, no_role, **more).receive()
        end.send({"what": "stored"})

    return work


def send(root: Path, *patterns: str, limit: int = 2**40, **more: Any) -> Any:
    def work(end: End) -> None:
        sender = Sender(end, limit, "inputs are too much")
        sender.tree(Tree(str(root), patterns, "inputs"), **more)
        sender.done()

    return work


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("from", "to"):
        (tmp_path / name).mkdir()
    return tmp_path / "from", tmp_path / "to"


def test_files_arrive_as_they_are(places: tuple[Path, Path]) -> None:
    root, place = places
    (root / "big").write_bytes(os.urandom(3 * WINDOW + 17))
    (root / "deep" / "er").mkdir(parents=True)
    (root / "deep" / "er" / "tool").write_text("#!")
    (root / "deep" / "er" / "tool").chmod(0o755)
    os.utime(root / "deep" / "er" / "tool", ns=(1_000_000_000, 1_000_000_000))
    (root / "none").touch()
    (root / "empty").mkdir()
    assert carry(send(root, "*"), receive(place)) == (None, None)
    assert files(place) == files(root)
    assert (place / "empty").is_dir()
    found = (place / "deep" / "er" / "tool").stat()
    assert found.st_mode & 0o777 == 0o755
    assert found.st_mtime_ns == 1_000_000_000


def test_no_more_than_a_window_is_on_its_way(places: tuple[Path, Path]) -> None:
    root, place = places
    (root / "big").write_bytes(bytes(20 * WINDOW))
    seen: list[int] = []

    def slow(end: End) -> None:
        receive(place)(end)
        seen.append(end.most)

    assert carry(send(root, "big"), slow) == (None, None)
    assert 0 < seen[0] <= WINDOW + 2 * PIECE


def test_names_alone_are_empty_files(places: tuple[Path, Path]) -> None:
    root, place = places
    (root / "a").write_text("content")
    assert carry(send(root, "a", names_only=True), receive(place)) == (None, None)
    assert files(place) == {"a": b""}


def test_more_than_the_limit_is_refused_by_either_side_in_words(
    places: tuple[Path, Path],
) -> None:
    root, place = places
    (root / "a").write_bytes(bytes(1_000))
    sent, heard = carry(send(root, "a", limit=999), receive(place))
    assert str(sent) == str(heard) == "inputs are too much"
    (place / "a").unlink()
    sent, heard = carry(send(root, "a"), receive(place, limit=999))
    assert isinstance(sent, StagingError)
    assert isinstance(heard, StagingError)


@pytest.mark.parametrize(
    "path", [b"../up", b"/etc/x", b"a/../../up", b"", b"a//b", b".marianne-fresh/x", b"other"]
)
def test_a_name_that_was_not_declared_writes_nothing(
    places: tuple[Path, Path], path: bytes
) -> None:
    root, place = places

    def hostile(end: End) -> None:
        end.send({"what": "file", "path": path, "mode": 0o600, "mtime_ns": 0, "at": 0})
        end.send({"what": "piece", "data": b"evil"})
        while end.receive()["what"] == "took":
            pass

    _, heard = carry(hostile, receive(place, wanted=lambda name: name == "mine"))
    assert isinstance(heard, StagingError)
    assert files(place) == files(root) == {}


def test_a_file_that_comes_damaged_is_none(places: tuple[Path, Path]) -> None:
    _, place = places

    def damaged(end: End) -> None:
        end.send({"what": "file", "path": b"a", "mode": 0o600, "mtime_ns": 0, "at": 0})
        end.send({"what": "piece", "data": b"half"})
        end.send({"what": "end", "digest": b"0" * 32})

    _, heard = carry(damaged, receive(place))
    assert isinstance(heard, TransferError)
    assert "damaged" in str(heard)


def test_a_connection_that_ends_in_between_ends_both(places: tuple[Path, Path]) -> None:
    root, place = places
    (root / "big").write_bytes(bytes(4 * WINDOW))

    def cut(end: End) -> None:
        for _ in range(3):
            end.receive()
        end.cut()
        raise GoneError

    sent, _ = carry(send(root, "big"), cut)
    assert isinstance(sent, GoneError)
    assert files(place) == {}


def test_a_file_that_cannot_be_written_says_so_to_the_sender(places: tuple[Path, Path]) -> None:
    root, place = places
    (root / "a").write_text("1")
    (place / "a").write_text("there")  # no fresh directory
    sent, _ = carry(send(root, "a"), receive(place))
    assert isinstance(sent, StagingError)
    assert "File exists" in str(sent)
