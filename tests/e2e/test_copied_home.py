"""A copy of a home runs beside its original, and neither touches the other's processes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_marianne import Marianne, until

SHEET = """
sheets:
  - name: one
    run: |
      echo $$ >> pids
      until test -e go; do sleep 0.05; done
"""


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Marianne]:
    """Another home's program; its home is made by the test."""
    (tmp_path / "other").mkdir()
    program = Marianne(tmp_path / "other")
    yield program
    program("stop", "--force", code=None)
    until(lambda: not program.processes())


def _copy(marianne: Marianne, copy: Marianne) -> None:
    subprocess.run(["cp", "-a", marianne.home, copy.home], check=True)


def _sheets(program: Marianne) -> list[int]:
    """The pids of the score's sheet, one of each attempt."""
    file = program.place / "one" / "pids"
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def _finish(program: Marianne) -> None:
    """Lets the sheet end; it was one attempt, of one process."""
    (program.place / "one" / "go").touch()
    assert [s["attempt"] for s in program.wait("one")["sheets"]] == [1]
    assert len(_sheets(program)) == 1


def _stop(program: Marianne) -> None:
    """Stops, which sweeps all that is left of the home; nothing was, then or at the start."""
    program("stop")
    log = (program.home / "logs" / "conductor.log").read_text()
    assert "swept_at" not in log
    assert not program.processes()


def test_a_copy_and_its_original_run_beside_each_other(marianne: Marianne, copy: Marianne) -> None:
    marianne("start")
    marianne("stop")
    _copy(marianne, copy)
    marianne.submit("one", SHEET)
    until(lambda: _sheets(marianne))
    copy("start")
    until(lambda: "home_was_copied" in (copy.home / "logs" / "conductor.log").read_text())
    assert (marianne.home / "owner").read_text() != (copy.home / "owner").read_text()
    _stop(copy)
    assert marianne.serves()
    copy.submit("one", SHEET)
    until(lambda: _sheets(copy))
    _finish(marianne)
    _stop(marianne)
    _finish(copy)
    _stop(copy)


def test_a_copy_leaves_recorded_workers_to_the_original(marianne: Marianne, copy: Marianne) -> None:
    marianne.submit("one", SHEET)
    until(lambda: _sheets(marianne))
    until(lambda: marianne.sheet("one", 1)["status"] == "running")
    _copy(marianne, copy)
    copy("start")
    # Its database says that the job runs: it goes on with it, in the same workspace.
    until(lambda: len(_sheets(marianne)) == 2)
    copy("cancel", "one")
    _stop(copy)
    assert Path("/proc", str(_sheets(marianne)[0])).exists()
    (marianne.place / "one" / "go").touch()
    assert [s["attempt"] for s in marianne.wait("one")["sheets"]] == [1]
    _stop(marianne)
