"""Whose files are forgotten: the old ones, then the oldest of what is too much."""

from __future__ import annotations

import os
from pathlib import Path

from marianne.daemon.services.retention import empty_if_longer, too_much
from marianne.state.models import JobRow, JobStatus


def _ended(*times: float) -> list[JobRow]:
    return [
        JobRow(f"j{at:g}", "j", JobStatus.COMPLETED, "/w", 0.0, 1, finished_at=at) for at in times
    ]


def test_within_the_limits_everything_stays() -> None:
    jobs = _ended(1.0, 2.0)
    assert too_much(jobs, {"j1": 10, "j2": 10}, oldest=0.5, limit=20) == []


def test_what_ended_too_long_ago_goes() -> None:
    jobs = _ended(1.0, 2.0)
    assert too_much(jobs, {"j1": 10, "j2": 10}, oldest=1.5, limit=100) == ["j1"]


def test_the_oldest_go_until_the_rest_fits() -> None:
    jobs = _ended(3.0, 1.0, 2.0)
    assert too_much(jobs, {"j1": 1, "j2": 15, "j3": 10}, oldest=0.0, limit=20) == ["j2", "j1"]


def test_the_newest_stays_though_it_is_too_much_by_itself_but_not_for_ever() -> None:
    jobs, sizes = _ended(1.0, 2.0), {"j1": 10, "j2": 21}
    assert too_much(jobs, sizes, oldest=0.0, limit=20) == ["j1"]
    assert too_much(jobs, sizes, oldest=3.0, limit=20) == ["j2", "j1"]


def test_a_file_of_last_words_that_is_too_long_is_emptied_under_its_writers(tmp_path: Path) -> None:
    """Workers write there for as long as a conductor lives, which may be months."""
    words = tmp_path / "conductor.err"
    empty_if_longer(words, 10)
    assert not words.exists()
    writer = os.open(words, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(writer, b"0123456789")
    empty_if_longer(words, 10)
    assert words.read_bytes() == b"0123456789"
    os.write(writer, b"more")
    empty_if_longer(words, 10)
    os.write(writer, b"last")
    os.close(writer)
    assert words.read_bytes() == b"last"
