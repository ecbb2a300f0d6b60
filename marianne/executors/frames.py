"""Messages on a stream of bytes: a length of four bytes, then the message as ipc packs it."""

from __future__ import annotations

import struct
from typing import Any

from ipc.codec import FRAME_LIMIT, pack, unpack
from ipc.errors import CodecError

Message = dict[str, Any]

_HEAD = struct.Struct(">I")


def framed(message: Message) -> bytes:
    """The bytes of a message. Raises CodecError for one that cannot be sent."""
    payload = pack(message)
    return _HEAD.pack(len(payload)) + payload


class Frames:
    """Puts the messages of a stream together again."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are whole now. CodecError ends the stream: its other end is no peer."""
        self._data += data
        found: list[Message] = []
        at = 0
        while at + _HEAD.size <= len(self._data):
            (length,) = _HEAD.unpack_from(self._data, at)
            if length > FRAME_LIMIT:
                raise CodecError(f"message of {length:,} bytes: more than {FRAME_LIMIT:,}")
            start = at + _HEAD.size
            if start + length > len(self._data):
                break
            message = unpack(bytes(self._data[start : start + length]))
            if not isinstance(message, dict):
                raise CodecError(f"a message is a map, not {type(message).__name__}")
            found.append(message)
            at = start + length
        del self._data[:at]
        return found
