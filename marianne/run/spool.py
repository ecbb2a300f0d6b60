"""What the conductor may not know yet, on disk: attempts that began, results it has not confirmed.

A record is the length and the CRC of its payload (two big-endian 32-bit numbers), then the payload
as a msgpack map: one result, or ``{"begun": [num, attempt, time]}``. A beginning is appended before
anything of the attempt runs, so that its number is used even if worker and conductor die before
the conductor has it on disk; waiting for that commit instead would put an fsync before every sheet.
A result is appended before it is sent. Each is one write without fsync: it survives the death of
every process, and a power loss takes the running sheets anyway. A record that is cut off or damaged
ends the file: what a dying machine wrote last. What is no file of ours at all (a directory, a fifo,
a link, records that we would not write) is set aside under another name, and work goes on from what
the conductor knows.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import time
import zlib
from collections.abc import Iterable
from typing import Any

import msgpack

from marianne.crashpoints import crash_point
from marianne.run.acceptable import UnacceptableError, check, count, moment
from marianne.run.complain import complain

_HEAD = struct.Struct(">II")
_BEGUN = "begun"
# Rewriting costs a file; below this many confirmed bytes it is not worth it.
_COMPACT_BYTES = 256 * 1024


# Far above what any job leaves unconfirmed; a larger file is somebody else's.
_MOST_BYTES = 2**30
_NOT_OURS = (errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.ENOTDIR)


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
        data = _read(path)
    except FileNotFoundError:
        return []
    records = _parse(data or b"")[0]
    return [record for record in records if _BEGUN not in record and _is_ours(record)]


def _read(path: str) -> bytes | None:
    """The content of a regular file that we may have written; None for anything else."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in _NOT_OURS:
            return None
        raise
    look = os.fstat(fd)
    good = stat.S_ISREG(look.st_mode) and look.st_size <= _MOST_BYTES
    if not good or look.st_uid != os.geteuid():
        os.close(fd)
        return None
    with open(fd, "rb") as file:
        return file.read()


def _is_ours(record: dict[str, Any]) -> bool:
    if _BEGUN not in record:
        try:
            check(record)
        except UnacceptableError:
            return False
        return True
    begun = record[_BEGUN]
    if type(begun) is not list or len(begun) != 3:
        return False
    return count(begun[0]) and count(begun[1]) and moment(begun[2])


def _set_aside(path: str, why: str) -> None:
    aside = f"{path}.aside-{time.time_ns()}"
    os.rename(path, aside)
    complain(f"{path} is not what was written there ({why}): set aside as {aside}")


def _keep_only(path: str, records: Iterable[dict[str, Any]], why: str) -> int:
    """Replaces the file by one of these records, and sets it aside; returns the new size."""
    aside = f"{path}.aside-{time.time_ns()}"
    os.link(path, aside)
    fd, size = _write_anew(path, records)
    os.close(fd)
    complain(f"{path} is not all what was written there ({why}): kept as {aside}")
    return size


def _write_anew(path: str, records: Iterable[dict[str, Any]]) -> tuple[int, int]:
    """Puts a file of these records in the place of the old one; its descriptor and its size."""
    fresh = path + ".new"
    data = b"".join(map(_record, records))
    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    fd = os.open(fresh, flags, 0o600)
    try:
        if os.write(fd, data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), fresh)
        os.replace(fresh, path)
    except OSError:
        os.close(fd)
        raise
    return fd, len(data)


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
        found = self._open_file()
        self._unacked: dict[int, dict[str, Any]] = {}
        self._open: dict[tuple[int, int], dict[str, Any]] = {}
        for record in found:
            if _BEGUN in record:
                num, attempt, _ = record[_BEGUN]
                self._open[num, attempt] = record
            else:
                self._unacked[record["serial"]] = record
                self._open.pop((record["num"], record["attempt"]), None)
        self._last = max(self._unacked, default=0)

    def _open_file(self) -> list[dict[str, Any]]:
        """Opens the file for appending behind its last whole record; returns what is in it."""
        path = self._path
        strange: list[dict[str, Any]] = []
        found: list[dict[str, Any]] = []
        end = 0
        try:
            data = _read(path)
        except FileNotFoundError:
            data = b""
        if data is None:
            _set_aside(path, "no regular file of ours")
        else:
            found, end = _parse(data)
            strange = [record for record in found if not _is_ours(record)]
        if strange:
            found = [record for record in found if record not in strange]
            end = _keep_only(path, found, f"{len(strange)} of its records are strange")
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        self._fd = os.open(path, flags, 0o600)
        os.ftruncate(self._fd, end)  # a torn tail would hide what is appended behind it
        self._size = end
        return found

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
        if sum(len(_record(record)) for record in kept) * 2 > self._size:
            return
        try:
            fd, size = _write_anew(self._path, kept)
        except OSError:
            return  # a disk that is full or fails: the long file does as well
        os.close(self._fd)
        self._fd, self._size = fd, size

    @property
    def unacked(self) -> list[dict[str, Any]]:
        """Results that nobody has confirmed, oldest first."""
        return list(self._unacked.values())

    def close(self) -> None:
        """Closes the file; what is unconfirmed stays in it."""
        os.close(self._fd)
