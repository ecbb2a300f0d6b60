"""What is sent of running output and not taken is bounded, and none of it waits for ever."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marianne.executors.staging import attempts
from marianne.executors.staging.following import Followed
from marianne.executors.staging.stream import PIECE, WINDOW
from marianne.run.outputs import Files


@pytest.fixture
def follow(tmp_path: Path) -> Callable[[int], tuple[Followed, list[dict[str, Any]]]]:
    def begin(count: int) -> tuple[Followed, list[dict[str, Any]]]:
        (tmp_path / "sheets").mkdir()
        told: list[dict[str, Any]] = []
        followed = Followed(told.append)
        for num in range(count):
            message = {"job_id": "j", "num": num, "attempt": 1, "have": {}}
            followed.follow(str(tmp_path), message)
        return followed, told

    return begin


def prints(place: Path, num: int, data: bytes) -> None:
    with open(Files(str(place), num, 1).out, "ab") as file:
        file.write(data)


def test_no_more_pieces_are_on_their_way_than_may_wait(follow: Any, tmp_path: Path) -> None:
    followed, told = follow(50)
    for _ in range(60):
        for num in range(50):
            prints(tmp_path, num, b".")
        followed.look()
    assert 1_000 < len(told) <= attempts.MOST_WAITING


def test_no_more_bytes_are_on_their_way_than_a_window(follow: Any, tmp_path: Path) -> None:
    followed, told = follow(20)
    for num in range(20):
        prints(tmp_path, num, bytes(4 * PIECE))
    followed.look()
    assert sum(len(one["data"]) for one in told) <= WINDOW + 2 * PIECE


def test_none_waits_for_ever_for_those_that_print_much(follow: Any, tmp_path: Path) -> None:
    followed, told = follow(20)
    for num in range(20):
        prints(tmp_path, num, bytes(40 * PIECE))
    taken = 0
    for _ in range(20):
        followed.look()
        for one in told[taken:]:
            followed.took(len(one["data"]))
        taken = len(told)
    assert {one["num"] for one in told} == set(range(20))
    ahead = {num: sum(one["num"] == num for one in told) for num in range(20)}
    assert max(ahead.values()) - min(ahead.values()) <= 2
