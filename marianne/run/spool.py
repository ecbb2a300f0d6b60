"""Results that the conductor has not confirmed yet, on disk.

A record is the length and the CRC of its payload (two big-endian 32-bit numbers), then the payload:
one result as a msgpack map. A result is appended before it is sent, with one write and without
fsync: it survives the death of every process, and a power loss takes the running sheets anyway.
A record that is cut off or damaged ends the file: what a dying machine wrote last.
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
            return _parse(file.read())[0]
    except FileNotFoundError:
        return []


def _record(result: dict[str, Any]) -> bytes:
    payload: bytes = msgpack.packb(result, use_bin_type=True)
    return _HEAD.pack(len(payload), zlib.crc32(payload)) + payload


class Spool:
    """The worker's end: appends, remembers what is unconfirmed, forgets what is confirmed.

    Opened again after a crash it goes on with what it finds: unconfirmed results are offered anew
    and serial numbers continue above them.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with open(path, "rb") as file:
            found, end = _parse(file.read())
        os.ftruncate(self._fd, end)  # a torn tail would hide what is appended behind it
        self._size = end
        self._unacked = {int(r["serial"]): r for r in found}
        self._last = max(self._unacked, default=0)

    def append(self, result: dict[str, Any]) -> dict[str, Any]:
        """Numbers the result, writes it, and answers it as it is to be sent.

        A full disk raises OSError; the result is numbered, in ``unacked`` and not in the file.
        """
        self._last += 1
        result["serial"] = self._last
        self._unacked[self._last] = result
        data = _record(result)
        crash_point("spool.before-write")
        try:
            if os.write(self._fd, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self._path)
        except OSError:
            os.ftruncate(self._fd, self._size)  # half a record would hide those behind it
            raise
        self._size += len(data)
        crash_point("spool.after-write")
        return result

    def ack(self, serials: list[int]) -> None:
        """Forgets confirmed results; unknown numbers are ignored."""
        for serial in serials:
            self._unacked.pop(serial, None)
        if not self._unacked:
            if self._size > _COMPACT_BYTES:
                os.ftruncate(self._fd, 0)
                self._size = 0
        elif self._size > _COMPACT_BYTES:
            self._compact()

    def _compact(self) -> None:
        data = b"".join(_record(r) for r in self._unacked.values())
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
