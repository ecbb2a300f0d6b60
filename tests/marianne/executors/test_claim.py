"""At most one node starts an attempt, however many are told to."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from marianne.executors.claim import DIRECTORY, claim, prepare


@pytest.fixture
def job_dir(tmp_path: Path) -> str:
    prepare(str(tmp_path))
    prepare(str(tmp_path))
    return str(tmp_path)


def test_the_first_has_it_and_keeps_it(job_dir: str) -> None:
    assert claim(job_dir, 3, 1, "a") == "a"
    assert claim(job_dir, 3, 1, "b") == "a"
    assert claim(job_dir, 3, 1, "a") == "a"


def test_each_attempt_is_claimed_by_itself(job_dir: str) -> None:
    assert claim(job_dir, 3, 1, "a") == "a"
    assert claim(job_dir, 3, 2, "b") == "b"
    assert claim(job_dir, 31, 2, "c") == "c"


def test_of_many_at_once_one_wins_and_all_hear_the_same_name(job_dir: str) -> None:
    nodes = [f"node-{number}" for number in range(16)]
    with ThreadPoolExecutor(len(nodes)) as pool:
        for attempt in range(1, 30):
            heard = set(pool.map(lambda node, n=attempt: claim(job_dir, 1, n, node), nodes))
            assert len(heard) == 1
            assert heard < set(nodes)


def test_nothing_but_claims_is_left(job_dir: str) -> None:
    claim(job_dir, 1, 1, "a")
    claim(job_dir, 1, 1, "b")
    assert os.listdir(f"{job_dir}/{DIRECTORY}") == ["1.1"]


def test_where_it_cannot_be_made_out_nobody_has_it(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        claim(str(tmp_path / "gone"), 1, 1, "a")
