"""What a sheet costs on disk: little, and the same in a job of any size."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from marianne.daemon.job.machine import JobMachine
from marianne.daemon.shared.effects import Complete, Register, Step
from marianne.executors.protocol import Run
from marianne.model.plan import Instrument, Plan, Prompt, SheetPlan
from marianne.model.result import AttemptResult
from marianne.score.pack import pack_plan
from marianne.state.changes import InsertJob
from marianne.state.database import Database
from marianne.state.models import JobRow, JobStatus

SHELL = Instrument("shell")
BURST = 8
"""Sheets whose starts, and whose ends, are committed together."""


def _written() -> int:
    """Bytes that this process has written by its calls so far."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(lines[1].split()[1])


class Costs:
    """A job of ``count`` sheets from its submit to its end: no process, but every commit."""

    def __init__(self, folder: Path, count: int) -> None:
        sheets = tuple(
            SheetPlan(n, f"sheet-{n}", n, SHELL, Prompt("echo hello", script=True), needs=())
            for n in range(1, count + 1)
        )
        plan = Plan("large", str(folder), sheets, total_stages=count)
        row = JobRow("large", "large", JobStatus.RUNNING, str(folder), 1.7e9, count)
        db = folder / "state.db"
        with Database(db) as database:
            database.write([InsertJob(row, pack_plan(plan), "score", b"environment")])
            machine = JobMachine(plan, row, {}, lambda: 0.5)
            before = _written()
            step = machine.recover((), 1.7e9)
            assert isinstance(step.now[0], Register)
            for first in range(1, count + 1, BURST):
                nums = range(first, min(first + BURST, count + 1))
                self._commit(database, [machine.grant(n, 1.7e9 + n) for n in nums], Run)
                ended = [machine.result(_result(n), 1.7e9 + n + 1) for n in nums]
                self._commit(database, ended, Complete)
            assert machine.job.status is JobStatus.COMPLETED
        # With the last checkpoint, or a small job would seem to cost less than it does.
        self.written_per_sheet = (_written() - before) / count
        self.size = sum(os.path.getsize(path) for path in folder.glob("state.db*"))

    def _commit(self, database: Database, steps: list[Step], kind: type) -> None:
        together = Step()
        for step in steps:
            together.extend(step)
        assert any(isinstance(effect, kind) for effect in (*together.now, *together.after))
        database.write(together.changes)


def _result(num: int) -> AttemptResult:
    started = 1.7e9 + num
    return AttemptResult(
        num, 1, "completed", started, started + 0.123456, exit_code=0, serial=num, output_bytes=6
    )


@pytest.mark.slow
def test_10_000_sheets_take_under_10_mb_and_a_sheet_costs_what_it_costs_among_100(
    tmp_path: Path,
) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "large").mkdir()
    small = Costs(tmp_path / "small", 100)
    large = Costs(tmp_path / "large", 10_000)
    print(
        f"{large.size / 2**20:.2f} MiB; {small.written_per_sheet:.0f} B and "
        f"{large.written_per_sheet:.0f} B written a sheet"
    )
    assert large.size < 10_000_000
    assert large.written_per_sheet < 1.5 * small.written_per_sheet
