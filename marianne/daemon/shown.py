"""Statuses as bytes: what clients ask for again and again is packed once.

A status of 200 sheets is 3,000 values. For a job that runs, each sheet is kept packed until its row
or one of its needs changes; for one that does not, its sheets are kept until its next event.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgpack

from ipc import codec
from marianne.daemon import queries, wire
from marianne.daemon.job_machine import JobMachine
from marianne.state.reader import Reader

KEPT_BYTES = 2 * 2**20
"""Of sheets of jobs that do not run, in all."""


class Packed(bytes):
    """An answer that is msgpack already."""


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
    """The packed sheets of one job that runs. For the thread of its actor."""

    def __init__(self, machine: JobMachine) -> None:
        self._machine = machine
        self._packed: dict[int, bytes] = {}

    def of(self, nums: Iterable[int]) -> list[bytes]:
        """These sheets, as they are now."""
        machine, kept = self._machine, self._packed
        for num in machine.take_changed():
            kept.pop(num, None)
        found = []
        for num in nums:
            packed = kept.get(num)
            if packed is None:
                packed = codec.pack(wire.sheet_map(machine.plan, machine.rows, num))
                kept[num] = packed
            found.append(packed)
        return found


class Resting:
    """The packed sheets of jobs that do not run, those asked for last. For one thread."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._kept: OrderedDict[tuple[str, int, int], tuple[int, list[bytes]]] = OrderedDict()
        self._bytes = 0

    def status(self, job_id: str, first: int, last: int) -> Packed:
        """The job from disk with sheets ``first`` to ``last``; refuses with ``not_found``."""
        key = (job_id, first, last)
        mark = self._reader.last_event(job_id)  # first: what changes after it is read again
        top = queries.summary(self._reader, job_id)
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= sum(map(len, kept[1]))
        if kept is None or kept[0] != mark:
            whole = queries.status(self._reader, job_id, first, last)
            kept = mark, [codec.pack(sheet) for sheet in whole["sheets"]]
        self._kept[key] = kept
        self._bytes += sum(map(len, kept[1]))
        while self._bytes > KEPT_BYTES:
            _, (_, sheets) = self._kept.popitem(last=False)
            self._bytes -= sum(map(len, sheets))
        return status(top, kept[1])
