"""Where a command of no job runs: at home, and in memory while the disk is full."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from ipc import codec
from marianne.daemon.context import Context
from marianne.daemon.worker import of_no_job
from marianne.environment import unpacked
from marianne.home import Home


def context(home: Home, problem: str | None) -> Context:
    storage = SimpleNamespace(words=lambda: problem)
    return cast("Context", SimpleNamespace(home=home, storage=storage, owner="o" * 32))


def test_it_is_a_private_directory_of_the_home(home: Home) -> None:
    place = of_no_job.directory(context(home, None))
    assert home.path in place.parents
    assert place.stat().st_mode & 0o777 == 0o700


def test_while_the_disk_is_full_it_is_in_memory_and_goes_at_the_end(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_no_job, "MEMORY", tmp_path / "memory")
    full = context(home, "the disk is full")
    place = of_no_job.directory(full)
    assert place == of_no_job.in_memory("o" * 32)
    assert "o" * 16 not in place.name
    (place / "env").touch()
    of_no_job.clear(full)
    assert not place.exists()
    of_no_job.clear(full)


def test_where_there_is_no_memory_of_ours_it_is_at_home(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_no_job, "MEMORY", tmp_path)
    of_no_job.in_memory("o" * 32).touch()  # something else lies there
    assert home.path in of_no_job.directory(context(home, "full")).parents
    shutil.rmtree(home.path / "tmp")
    (home.path / "tmp").touch()
    with pytest.raises(OSError, match="Not a directory"):
        of_no_job.directory(context(home, "full"))


def test_its_environment_is_the_conductors_without_marks_of_sheets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MARIANNE_SHEET", "3")
    found = unpacked(codec.unpack(of_no_job.environment()))
    assert found["PATH"] == os.environ["PATH"]
    assert "MARIANNE_SHEET" not in found
