"""Messages on a stream come whole and in order, and a peer that is gone is noticed."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

import pytest

from ipc.errors import CodecError
from marianne.executors import stream_line
from marianne.executors.frames import Frames, framed
from marianne.executors.stream_line import StreamLine

Pair = tuple[StreamLine, StreamLine]


@pytest.fixture
def pair() -> Iterator[Pair]:
    one, other = socket.socketpair()
    lines = StreamLine(one), StreamLine(other)
    yield lines
    for line in lines:
        line.close()


def test_messages_are_put_together_from_any_pieces() -> None:
    data = framed({"kind": "a", "text": "x" * 1000}) + framed({"kind": "b"})
    frames = Frames()
    found = [m for at in range(len(data)) for m in frames.feed(data[at : at + 1])]
    assert [message["kind"] for message in found] == ["a", "b"]


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"\0\0\0\x01\xc1", b"\0\0\0\x01\x05"])
def test_what_is_no_message_ends_the_stream(data: bytes) -> None:
    with pytest.raises(CodecError):
        Frames().feed(data)


def wait(line: StreamLine) -> None:
    assert select.select([line.fileno()], [], [], 60.0)[0]


def test_what_the_other_end_has_no_room_for_waits_and_arrives(pair: Pair) -> None:
    one, other = pair
    for number in range(100):
        one.send({"number": number, "data": b"x" * 100_000})
    assert one.waiting
    found: list[int] = []
    while len(found) < 100:
        wait(other)
        found += [message["number"] for message in other.drain()]
        one.drain()
    assert found == list(range(100))
    assert not one.waiting


def test_a_line_whose_other_end_is_gone_fires_and_says_so(pair: Pair) -> None:
    one, other = pair
    other.send({"last": "word"})
    other.close(1.0)
    wait(one)
    assert one.drain() == [{"last": "word"}]
    assert one.closed
    one.send({"to": "nobody"})
    assert one.drain() == []


def test_a_peer_that_never_reads_is_hung_up_on(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_line, "MOST_WAITING", 1_000_000)
    one, _ = pair
    for _ in range(100):
        one.send({"data": b"x" * 100_000})
    assert one.closed
    wait(one)
