"""Requests and replies, version 1: how they look as frames, and what a valid one is.

Checked here by hand and not by a model: an envelope has five fields, and every process that only
wants to ask something would pay for the import. For the same reason the two types are tuples:
`dataclasses` imports `inspect`.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgpack

from ipc.codec import FRAME_LIMIT, pack, unpack
from ipc.errors import BAD_REQUEST, INTERNAL, UNSUPPORTED_VERSION, CodecError, Malformed

VERSION: Final = 1
DEFAULT_DEADLINE_MS: Final = 5_000
MAX_DEADLINE_MS: Final = 24 * 3600 * 1000
MAX_ID: Final = 128
MAX_METHOD: Final = 128

# A reply whose result is already packed is joined, not packed again: the head of a map of four.
_REPLY_HEAD: Final = b"\x84" + pack("v") + pack(VERSION) + pack("id")
_OK_TAIL: Final = pack("ok") + pack(True) + pack("result")


class Request(NamedTuple):
    """One question. `deadline_ms` counts from its arrival; afterwards nobody waits for an answer.

    `id` is chosen by the client, unique for ever: a resent request carries the same.
    """

    id: str
    method: str
    params: dict[str, Any]
    deadline_ms: int = DEFAULT_DEADLINE_MS


class Reply(NamedTuple):
    """One answer: `result` when `ok`, else `error` with code, message, hint and data."""

    id: str
    ok: bool
    result: Any = None
    error: dict[str, Any] | None = None


def encode_request(request: Request) -> bytes:
    """The frame of a request. Raises CodecError when it is too large or not plain data."""
    return pack(
        {
            "v": VERSION,
            "id": request.id,
            "method": request.method,
            "params": request.params,
            "deadline_ms": request.deadline_ms,
        }
    )


def decode_request(frame: bytes) -> Request:
    """The request in a frame; unknown fields are ignored. Raises Malformed, with the id if any."""
    try:
        body = unpack(frame)
    except CodecError as error:
        raise Malformed(BAD_REQUEST, str(error), peek_id(frame)) from error
    if type(body) is not dict:
        raise Malformed(BAD_REQUEST, "a request is a map")
    request_id = body.get("id")
    if type(request_id) is not str or not 0 < len(request_id) <= MAX_ID:
        raise Malformed(BAD_REQUEST, f"id: a string of 1 to {MAX_ID} characters")
    version = body.get("v")
    if type(version) is not int:
        raise Malformed(BAD_REQUEST, "v: the protocol version, a whole number", request_id)
    if version != VERSION:
        text = f"version {version} is not spoken here, only {VERSION}"
        raise Malformed(UNSUPPORTED_VERSION, text, request_id)
    method = body.get("method")
    if type(method) is not str or not 0 < len(method) <= MAX_METHOD:
        text = f"method: a string of 1 to {MAX_METHOD} characters"
        raise Malformed(BAD_REQUEST, text, request_id)
    params = body.get("params")
    if params is None:
        params = {}
    elif type(params) is not dict or (params and not all(type(key) is str for key in params)):
        raise Malformed(BAD_REQUEST, "params: a map with names as keys", request_id)
    deadline_ms = body.get("deadline_ms", DEFAULT_DEADLINE_MS)
    if type(deadline_ms) is not int or not 0 < deadline_ms <= MAX_DEADLINE_MS:
        text = f"deadline_ms: a whole number from 1 to {MAX_DEADLINE_MS:,}"
        raise Malformed(BAD_REQUEST, text, request_id)
    return Request(request_id, method, params, deadline_ms)


def peek_id(frame: bytes) -> str | None:
    """The id of a frame that cannot be read to its end, where it stands among the first fields."""
    reader = msgpack.Unpacker(strict_map_key=False, max_buffer_size=1024)
    try:
        reader.feed(frame[:1024])
        for _ in range(min(reader.read_map_header(), 4)):
            if reader.unpack() == "id":
                found = reader.unpack()
                return found if type(found) is str and 0 < len(found) <= MAX_ID else None
            reader.skip()
    except (ValueError, TypeError, msgpack.UnpackException):
        pass
    return None


def encode_result(request_id: str, packed: bytes) -> bytes:
    """The frame of a good answer whose result is packed already. Raises CodecError if too large."""
    frame = b"".join((_REPLY_HEAD, pack(request_id), _OK_TAIL, packed))
    if len(frame) > FRAME_LIMIT:
        raise CodecError(f"answer of {len(frame):,} bytes is over the limit of {FRAME_LIMIT:,}")
    return frame


def encode_error(
    request_id: str,
    code: str,
    message: str,
    hint: str | None = None,
    data: dict[str, Any] | None = None,
) -> bytes:
    """The frame of a refusal. Never raises: what cannot be packed is left out of it."""
    error = {"code": code, "message": message, "hint": hint, "data": data or {}}
    reply = {"v": VERSION, "id": request_id, "ok": False, "error": error}
    try:
        return pack(reply)
    except CodecError:
        readable = message.encode(errors="replace").decode()[:1000]
        reply["error"] = {"code": code, "message": readable, "hint": None, "data": {}}
        return pack(reply)


def decode_reply(frame: bytes) -> Reply:
    """The answer in a frame. Raises CodecError for what no server of this protocol sends."""
    body = unpack(frame)
    if type(body) is not dict or type(body.get("id")) is not str:
        raise CodecError("no valid reply: a map with an id was expected")
    if body.get("ok") is True:
        return Reply(body["id"], True, body.get("result"))
    error = body.get("error")
    if type(error) is not dict:
        error = {"code": INTERNAL, "message": "the server sent a reply without result and error"}
    return Reply(body["id"], False, None, error)
