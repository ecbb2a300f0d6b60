"""Where a warden keeps its files: made, ours alone, or why not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from marianne.executors.node_directory import directory_of, in_words


def test_it_is_ours_alone_also_where_it_was_open_to_others(tmp_path: Path) -> None:
    made = directory_of(str(tmp_path), "a")
    made.parent.chmod(0o755)
    assert directory_of(str(tmp_path), "a") == made
    assert [one.stat().st_mode & 0o777 for one in (made, made.parent)] == [0o700, 0o700]


def test_what_somebody_has_put_in_its_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / f"marianne-{os.getuid()}").symlink_to(tmp_path / "there")
    with pytest.raises(PermissionError, match=r"marianne-.* is no directory of ours: remove it"):
        directory_of(str(tmp_path), "a")


def test_a_full_disk_and_a_place_that_nobody_may_write_are_said_with_their_path() -> None:
    with pytest.raises(OSError) as full, Path("/dev/full").open("wb", buffering=0) as file:
        file.write(b"x")
    assert in_words(full.value, "/node/log") == (
        "/node/log: its disk is full (No space left on device): free some of it"
    )
    with pytest.raises(OSError) as refused:
        directory_of("/proc", "a")
    words = in_words(refused.value, "/node")
    assert words.startswith(f"/proc/marianne-{os.getuid()}: "), words
    assert words.endswith(f"user {os.getuid()} must be able to write there")
