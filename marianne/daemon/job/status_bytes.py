"""Statuses as bytes: what clients ask for again and again is packed once.

A status of 200 sheets is 3,000 values. For a job that runs, each sheet is kept packed until its row
on disk or that of one of its needs changes; a whole answer is kept until anything does
(:mod:`marianne.daemon.shared.status_cache`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

import msgpack

from ipc import codec
from marianne.daemon.job.ledger import Ledger
from marianne.daemon.shared.status_cache import Packed
from marianne.daemon.views import queries, wire
from marianne.state.changes import Change, GrowPlan, HoldWork, SaveSheet
from marianne.state.models import SheetRow, SheetStatus
from marianne.state.reader import Reader
from marianne.state.rows import COUNTED, read_counts
from marianne.state.work_time import WorkTime

if TYPE_CHECKING:
    from marianne.replies.job import Progress


def status(top: Mapping[str, Any], sheets: Sequence[bytes]) -> Packed:
    """A job's map with its packed sheets."""
    packer = msgpack.Packer(autoreset=False)
    packer.pack_map_header(len(top) + 1)
    for name, value in top.items():
        packer.pack(name)
        packer.pack(value)
    packer.pack("sheets")
    packer.pack_array_header(len(sheets))
    return Packed(b"".join((packer.bytes(), *sheets)))


class Sheets:
    """The sheets of one job that runs, as they are on disk: packed, and counted. For the thread of
    its actor, which says what is committed."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._rows = {num: copy(row) for num, row in ledger.rows.items()}
        self._counts = Counter(row.status for row in self._rows.values())
        self._packed: dict[int, bytes] = {}
        job = ledger.job
        running = self._counts[SheetStatus.RUNNING]
        self.work = WorkTime(running, job.worked, job.work_since, job.work_until)
        self.total = len(ledger.plan.sheets)
        known = [(num, row.status) for num, row in self._rows.items()]
        self._states = wire.states(self.total, known)

    def committed(self, changes: Iterable[Change]) -> None:
        """These are on disk."""
        for change in changes:
            if type(change) is SaveSheet:
                self._save(change.row)
            elif type(change) is GrowPlan:
                self._states += wire.states(change.sheet_count - self.total, ())
                self.total = change.sheet_count
            elif type(change) is HoldWork:
                self.work.hold(change.on, change.ts)

    def began(self, num: int) -> None:
        """The ledger knows better when the sheet's attempt began."""
        row = self._rows.get(num)
        if row is not None:
            self._date(row)
            self._packed.pop(num, None)

    def of(self, nums: Iterable[int]) -> list[bytes]:
        """These sheets."""
        plan, packed = self._ledger.plan, self._packed
        found = []
        for num in nums:
            told = packed.get(num)
            if told is None:
                told = packed[num] = codec.pack(wire.sheet_map(plan, self._rows, num))
            found.append(told)
        return found

    def states(self) -> bytes:
        """One letter for each of them."""
        return bytes(self._states)

    def progress(self) -> Progress:
        """How many of them stand where."""
        counted = [self._counts[status] for status in COUNTED]
        return read_counts(self.total, counted).progress()

    def _save(self, row: SheetRow) -> None:
        before = self._rows.get(row.num)
        self.work.saved(SheetStatus.PENDING if before is None else before.status, row)
        if before is not None:
            self._counts[before.status] -= 1
        self._counts[row.status] += 1
        self._rows[row.num] = row
        self._states[row.num - 1] = wire.LETTERS[row.status][0]
        self._date(row)
        for num in (row.num, *self._ledger.dependents(row.num)):
            self._packed.pop(num, None)

    def _date(self, row: SheetRow) -> None:
        """An attempt's true start and walls are shown as soon as they are known; they are written
        with its end."""
        now = self._ledger.peek(row.num)
        if row.status is SheetStatus.RUNNING and now.attempt == row.attempt:
            row.started_at, row.node, row.walls = now.started_at, now.node, now.walls


def at_rest(reader: Reader, job_id: str, first: int, last: int) -> Packed:
    """The job from disk with sheets ``first`` to ``last``; refuses with ``not_found``."""
    return Packed(codec.pack(queries.status(reader, job_id, first, last)))
