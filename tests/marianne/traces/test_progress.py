"""How far the collector was told outlives whoever told it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from marianne.traces import progress
from marianne.traces.progress import Progress


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert progress.read(tmp_path) is None
    for known in (Progress(7), Progress(8, 2, 1, "nobody answered")):
        progress.write(tmp_path, known)
        assert progress.read(tmp_path) == known
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    progress.forget(tmp_path)
    progress.forget(tmp_path)
    assert progress.read(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"seen": "x"}', "null"])
def test_what_cannot_be_read_is_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / progress.NAME).write_text(text)
    assert progress.read(tmp_path) is None


def test_a_write_that_fails_leaves_what_was(tmp_path: Path) -> None:
    (tmp_path / progress.NAME).mkdir()
    (tmp_path / progress.NAME / "x").touch()
    with pytest.raises(OSError, match="directory"):
        progress.write(tmp_path, Progress(1))
    assert [one.name for one in tmp_path.iterdir()] == [progress.NAME]
