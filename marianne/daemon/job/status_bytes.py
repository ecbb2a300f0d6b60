"""Statuses as bytes: what clients ask for again and again is packed once.

A status of 200 sheets is 3,000 values. For a job that runs, each sheet is kept packed until its row
or one of its needs changes; a whole answer is kept until anything does
(:mod:`marianne.daemon.shared.status_cache`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgpack

from ipc import codec
from marianne.daemon.job.ledger import Ledger
from marianne.daemon.shared.status_cache import Packed
from marianne.daemon.views import queries, wire
from marianne.state.reader import Reader


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

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._packed: dict[int, bytes] = {}

    def of(self, nums: Iterable[int]) -> list[bytes]:
        """These sheets, as they are now."""
        ledger, kept = self._ledger, self._packed
        for num in ledger.take_changed():
            kept.pop(num, None)
        found = []
        for num in nums:
            packed = kept.get(num)
            if packed is None:
                packed = codec.pack(wire.sheet_map(ledger.plan, ledger.rows, num))
                kept[num] = packed
            found.append(packed)
        return found


def at_rest(reader: Reader, job_id: str, first: int, last: int) -> Packed:
    """The job from disk with sheets ``first`` to ``last``; refuses with ``not_found``."""
    return Packed(codec.pack(queries.status(reader, job_id, first, last)))
