"""What the conductor may not know yet, on disk: attempts that began, results it has not confirmed.

A record is the length and the CRC of its payload (two big-endian 32-bit numbers), then the payload
as a msgpack map: one result, or ``{"begun": [num, attempt, time]}``. A beginning is appended before
anything of the attempt runs, so that its number is used even if worker and conductor die before
the conductor has it on disk; waiting for that commit instead would put an fsync before every sheet.
A result is appended before it is sent. Each is one write without fsync: it survives the death of
every process, and a power loss takes the running sheets anyway. A record that is cut off or damaged
ends the file: what a dying machine wrote last.
"""

from __future__ import annotations

import errno
import os
import struct
import zlib
from typing import Any

import msgpack

from marianne.crashpoints import crash_point

_HEAD = struct.Struct(">II")
_BEGUN = "begun"
# Rewriting costs a file; below this many confirmed bytes it is not worth it.
_COMPACT_BYTES = 256 * 1024


def _parse(data: bytes) -> tuple[list[dict[str, Any]], int]:
    """The whole records of ``data`` and where they end."""
    found: list[dict[str, Any]] = []
    at = 0
    while at + _HEAD.size <= len(data):
        length, crc = _HEAD.unpack_from(data, at)
        payload = data[at + _HEAD.size : at + _HEAD.size + length]
        if len(payload) < length or zlib.crc32(payload) != crc:
            break
        try:
            record = msgpack.unpackb(payload, strict_map_key=False)
        except (ValueError, msgpack.UnpackException):
            break
        if isinstance(record, dict):
            found.append(record)
        at += _HEAD.size + length
    return found, at


def read_spool(path: str) -> list[dict[str, Any]]:
    """All results in a spool, oldest first; none when there is no such file.

    For whoever comes after a worker that died. Confirmed ones may still be among them: results
    are idempotent.
    """
    try:
        with open(path, "rb") as file:
            return [record for record in _parse(file.read())[0] if _BEGUN not in record]
    except FileNotFoundError:
        return []


# One for all: making a packer costs more than packing.
_packer = msgpack.Packer(use_bin_type=True)


def _record(content: dict[str, Any]) -> bytes:
    payload: bytes = _packer.pack(content)
    return _HEAD.pack(len(payload), zlib.crc32(payload)) + payload


class Spool:
    """The worker's end: appends, remembers what is unconfirmed, forgets what is confirmed.

    Opened again after a crash it goes on with what it finds: unconfirmed results are offered anew
    and serial numbers continue above them. ``unfinished`` are the attempts that began and have no
    result here, as (sheet, attempt, time of its beginning): after a crash, those that it ended.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with open(path, "rb") as file:
            found, end = _parse(file.read())
        os.ftruncate(self._fd, end)  # a torn tail would hide what is appended behind it
        self._size = end
        self._unacked: dict[int, dict[str, Any]] = {}
        self._open: dict[tuple[int, int], dict[str, Any]] = {}
        for record in found:
            if _BEGUN in record:
                num, attempt, _ = record[_BEGUN]
                self._open[num, attempt] = record
            else:
                self._unacked[int(record["serial"])] = record
                self._open.pop((record["num"], record["attempt"]), None)
        self._last = max(self._unacked, default=0)

    def begin(self, num: int, attempt: int, at: float) -> None:
        """Notes that an attempt begins. A full disk raises OSError; then it must not."""
        record = {_BEGUN: [num, attempt, at]}
        self._write(record)
        self._open[num, attempt] = record

    @property
    def unfinished(self) -> list[tuple[int, int, float]]:
        """Attempts that began and have no result, oldest first."""
        return [tuple(record[_BEGUN]) for record in self._open.values()]

    def append(self, result: dict[str, Any]) -> dict[str, Any]:
        """Numbers the result, writes it, and answers it as it is to be sent.

        A full disk raises OSError; the result is numbered, in ``unacked`` and not in the file.
        """
        self._last += 1
        result["serial"] = self._last
        self._unacked[self._last] = result
        self._open.pop((result["num"], result["attempt"]), None)
        self._write(result)
        return result

    def _write(self, content: dict[str, Any]) -> None:
        data = _record(content)
        crash_point("spool.before-write")
        try:
            if os.write(self._fd, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self._path)
        except OSError:
            os.ftruncate(self._fd, self._size)  # half a record would hide those behind it
            raise
        self._size += len(data)
        crash_point("spool.after-write")

    def ack(self, serials: list[int]) -> None:
        """Forgets confirmed results; unknown numbers are ignored."""
        for serial in serials:
            self._unacked.pop(serial, None)
        if not self._unacked and not self._open:
            if self._size > _COMPACT_BYTES:
                os.ftruncate(self._fd, 0)
                self._size = 0
        elif self._size > _COMPACT_BYTES:
            self._compact()

    def _compact(self) -> None:
        kept = (*self._open.values(), *self._unacked.values())
        data = b"".join(map(_record, kept))
        if len(data) * 2 > self._size:
            return
        fresh = self._path + ".new"
        fd = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.write(fd, data)
        os.replace(fresh, self._path)
        os.close(self._fd)
        self._fd, self._size = fd, len(data)

    @property
    def unacked(self) -> list[dict[str, Any]]:
        """Results that nobody has confirmed, oldest first."""
        return list(self._unacked.values())

    def close(self) -> None:
        """Closes the file; what is unconfirmed stays in it."""
        os.close(self._fd)
