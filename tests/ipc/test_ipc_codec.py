"""Frames hold plain data, and nothing that is no frame gets through."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc.codec import FRAME_LIMIT, pack, unpack
from ipc.errors import CodecError

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(0, 99), inner),
    max_leaves=20,
)


@settings(deadline=None)  # the first example pays for the machine's load
@given(plain)
def test_plain_data_survives_the_way(value: object) -> None:
    assert unpack(pack(value)) == value


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_a_codec_error(frame: bytes) -> None:
    try:
        unpack(frame)
    except CodecError:
        pass


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, 2**64, "\ud800", msgpack.ExtType(5, b"x"), {"a": {"b": object()}}]
)
def test_what_is_not_plain_data_cannot_be_sent(value: object) -> None:
    if isinstance(value, msgpack.ExtType):
        with pytest.raises(CodecError, match="extension"):
            unpack(pack(value))
        return
    with pytest.raises(CodecError, match="cannot be sent"):
        pack(value)


def test_of_text_that_is_not_utf_8_the_error_shows_which() -> None:
    with pytest.raises(CodecError, match=r"^cannot be sent: it is not UTF-8: /home/\\udce9/x$"):
        pack({"path": "/home/\udce9/x"})


def test_nesting_without_end_is_refused_both_ways() -> None:
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(CodecError):
        pack(endless)
    with pytest.raises(CodecError):
        unpack(b"\x91" * 100_000 + b"\xc0")


def test_a_frame_over_the_limit_is_neither_sent_nor_read() -> None:
    with pytest.raises(CodecError, match="over the limit"):
        pack(b"x" * FRAME_LIMIT)
    with pytest.raises(CodecError, match="over the limit"):
        unpack(msgpack.packb(b"x" * FRAME_LIMIT))


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\xc1",
        b"\x81\xa1a",
        b"\xc0\xc0",
        b"\xa1\xff",
        b"\x81\x90\xc0",
        b"\xdf\xff\xff\xff\xff",
    ],
    ids=["empty", "never used", "cut off", "trailing", "bad text", "list as key", "false length"],
)
def test_broken_frames_are_refused(frame: bytes) -> None:
    with pytest.raises(CodecError, match="no valid message"):
        unpack(frame)
