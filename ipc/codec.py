"""Values to frames and back: msgpack, plain data only, bounded in size.

Strings are strict UTF-8 in both directions, so that no peer can hand a string to the code behind
that a database or a terminal then chokes on. What may be any bytes (an environment, a file name)
travels as bytes, which msgpack keeps apart from strings.
"""

from __future__ import annotations

from typing import Any, Final

import msgpack

from ipc.errors import CodecError

FRAME_LIMIT: Final = 8 * 1024 * 1024
"""The largest frame that is sent or accepted, in bytes."""

# ZeroMQ cuts a connection without a word at this size (ZMQ_MAXMSGSIZE). It lies well above the
# limit that is enforced here, so that a frame which is merely too large gets an answer saying so.
CUT_OFF: Final = 2 * FRAME_LIMIT


def pack(value: Any) -> bytes:
    """The frame for a value of None, bool, int, float, str, bytes, list, tuple and dict.

    Raises CodecError for anything else, for text that is not UTF-8 and for a frame over the limit.
    """
    try:
        # msgpack's own first buffer of 256 KiB costs page faults at each call.
        frame: bytes = msgpack.packb(value, buf_size=2048)
    except UnicodeEncodeError as error:  # a path or an argument of other bytes than UTF-8
        text = error.object.encode(errors="backslashreplace").decode()
        raise CodecError(f"cannot be sent: it is not UTF-8: {text}") from error
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise CodecError(f"cannot be sent: {error}") from error
    if len(frame) > FRAME_LIMIT:
        raise CodecError(f"message of {len(frame):,} bytes is over the limit of {FRAME_LIMIT:,}")
    return frame


def unpack(frame: bytes) -> Any:
    """The value of a frame. Raises CodecError for everything that `pack` could not have made."""
    if len(frame) > FRAME_LIMIT:
        raise CodecError(f"message of {len(frame):,} bytes is over the limit of {FRAME_LIMIT:,}")
    try:
        # Keys may be numbers (sheets are): no strict_map_key. A list as a key is a TypeError.
        return msgpack.unpackb(frame, strict_map_key=False, ext_hook=_refuse_extension)
    except (TypeError, ValueError, OverflowError, RecursionError, msgpack.UnpackException) as error:
        raise CodecError(f"no valid message: {error or type(error).__name__}") from error


def _refuse_extension(code: int, data: bytes) -> Any:
    raise CodecError(f"extension type {code} ({len(data)} bytes) is not part of the protocol")
