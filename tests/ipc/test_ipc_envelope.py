"""A request is checked field by field, and a refusal finds its way back where an id can be read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc.codec import FRAME_LIMIT, pack, unpack
from ipc.envelope import (
    Request,
    decode_reply,
    decode_request,
    encode_error,
    encode_request,
    encode_result,
    peek_id,
)
from ipc.errors import CODES, RETRYABLE, CodecError, Malformed

GOOD: dict[str, Any] = {"v": 1, "id": "a1", "method": "job.list", "params": {}, "deadline_ms": 500}


def test_a_request_is_read_as_it_was_written() -> None:
    request = Request("a1", "job.list", {"limit": 5}, 1500)
    assert decode_request(encode_request(request)) == request


def test_unknown_fields_are_ignored_and_optional_ones_have_defaults() -> None:
    frame = pack({"v": 1, "id": "a", "method": "x", "new": [1], "params": None})
    assert decode_request(frame) == Request("a", "x", {}, 5000)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"v": 2}, "unsupported_version"),
        ({"v": "1"}, "bad_request"),
        ({"v": True}, "bad_request"),
        ({"method": ""}, "bad_request"),
        ({"method": 7}, "bad_request"),
        ({"method": "m" * 129}, "bad_request"),
        ({"params": [1]}, "bad_request"),
        ({"params": {1: 2}}, "bad_request"),
        ({"deadline_ms": 0}, "bad_request"),
        ({"deadline_ms": 1.5}, "bad_request"),
        ({"deadline_ms": True}, "bad_request"),
        ({"deadline_ms": 10**9}, "bad_request"),
    ],
)
def test_a_bad_field_is_refused_under_the_id(change: dict[str, Any], code: str) -> None:
    with pytest.raises(Malformed) as caught:
        decode_request(pack({**GOOD, **change}))
    assert (caught.value.code, caught.value.request_id) == (code, "a1")


@pytest.mark.parametrize("request_id", [None, 5, "", "x" * 129, b"a1"])
def test_without_a_usable_id_there_is_nobody_to_answer(request_id: object) -> None:
    with pytest.raises(Malformed) as caught:
        decode_request(pack({**GOOD, "id": request_id}))
    assert caught.value.request_id is None


def test_the_id_of_a_frame_that_breaks_off_or_is_too_large_is_found() -> None:
    whole = encode_request(Request("a1", "m", {"x": "y" * 100}))
    assert peek_id(whole[:60]) == "a1"
    with pytest.raises(Malformed) as caught:
        decode_request(pack(GOOD) + b"\xc1")
    assert caught.value.request_id == "a1"
    huge = b"\x83" + pack("id") + pack("a1") + pack("v") + pack(1) + pack("params")
    huge += b"\xc6" + FRAME_LIMIT.to_bytes(4) + b"x" * FRAME_LIMIT
    with pytest.raises(Malformed, match="over the limit") as too_large:
        decode_request(huge)
    assert too_large.value.request_id == "a1"


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_looking_for_an_id_never_fails(frame: bytes) -> None:
    found = peek_id(frame)
    assert found is None or isinstance(found, str)


def test_a_packed_result_is_joined_to_its_envelope() -> None:
    frame = encode_result("a1", pack({"jobs": [1, 2]}))
    assert unpack(frame) == {"v": 1, "id": "a1", "ok": True, "result": {"jobs": [1, 2]}}
    assert decode_reply(frame).result == {"jobs": [1, 2]}


def test_a_result_over_the_limit_cannot_be_sent() -> None:
    with pytest.raises(CodecError, match="over the limit"):
        encode_result("a1", b"x" * FRAME_LIMIT)


def test_a_refusal_is_always_sendable() -> None:
    reply = decode_reply(encode_error("a1", "internal", "bad \ud800 text", data={"x": object()}))
    assert reply.error == {"code": "internal", "message": "bad ? text", "hint": None, "data": {}}


@pytest.mark.parametrize("frame", [pack([1]), pack({}), pack({"id": 3}), b"\xc1"])
def test_what_is_no_reply_is_refused(frame: bytes) -> None:
    with pytest.raises(CodecError):
        decode_reply(frame)


def test_a_reply_without_result_or_error_is_the_servers_fault() -> None:
    reply = decode_reply(pack({"id": "a1", "ok": False}))
    assert reply.error is not None
    assert reply.error["code"] == "internal"


def test_every_retryable_code_is_a_code() -> None:
    assert RETRYABLE < CODES
