"""Every request gets one answer, and no client can hurt another."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from ipc.client import Client
from ipc.codec import CUT_OFF, FRAME_LIMIT, pack, unpack
from ipc.envelope import Request
from ipc.errors import CodecError, DeadlineExceeded, RemoteError
from ipc.server import Responder, Server

Serve = Callable[..., Server]


class Held:
    """A dispatch that answers echo at once and keeps everything else for the test to answer."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.responders: list[Responder] = []

    def __call__(self, request: Request, responder: Responder) -> None:
        if request.method == "echo":
            responder.ok(request.params)
        elif request.method == "boom":
            raise ValueError("no such luck")
        else:
            self.requests.append(request)
            self.responders.append(responder)


FORGOTTEN = """
import gc, sys, threading
from ipc.client import Client

def ask():
    client = Client(sys.argv[1])
    around = [client]
    around.append(around)
    print(client.request("echo", {"n": 1}), flush=True)

asks = threading.Thread(target=ask)
asks.start()
asks.join()
gc.collect()
print("goes on")
"""


@pytest.fixture
def held() -> Held:
    return Held()


@pytest.fixture
def raw(place: Path) -> Iterator[Callable[..., zmq.Socket[bytes]]]:
    """Bare DEALER sockets, for what no client of ours would send."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    made: list[zmq.Socket[bytes]] = []

    def make(reads_ahead: int = 1000) -> zmq.Socket[bytes]:
        socket = context.socket(zmq.DEALER)
        socket.setsockopt(zmq.RCVTIMEO, 5000)
        socket.setsockopt(zmq.RCVHWM, reads_ahead)
        socket.connect(f"ipc://{place}/s.sock")
        made.append(socket)
        return socket

    yield make
    for socket in made:
        socket.close(0)
    context.term()


def ask(socket: zmq.Socket[bytes], frame: bytes) -> Any:
    socket.send(frame)
    return unpack(socket.recv())


def frame_of(request_id: str, method: str = "echo", **fields: Any) -> bytes:
    return pack({"v": 1, "id": request_id, "method": method, "params": {}, **fields})


def test_a_request_is_answered(serve: Serve, client: Client, held: Held) -> None:
    serve(held)
    assert client.request("echo", {"text": "ü", "n": [1, None]}) == {"text": "ü", "n": [1, None]}


def test_an_answer_may_come_later_from_another_thread(
    serve: Serve, client: Client, held: Held, wait_until: Any
) -> None:
    serve(held)

    def answer() -> None:
        wait_until(lambda: held.responders)
        assert held.responders[0].ok_packed(pack("done"))

    thread = threading.Thread(target=answer)
    thread.start()
    assert client.request("later") == "done"
    thread.join()


def test_a_refusal_carries_code_message_hint_and_data(serve: Serve, client: Client) -> None:
    serve(lambda _, responder: responder.error("conflict", "is paused", "resume it", {"n": 1}))
    with pytest.raises(RemoteError) as caught:
        client.request("job.cancel")
    error = caught.value
    assert (error.code, error.message) == ("conflict", "is paused")
    assert (error.hint, error.data) == ("resume it", {"n": 1})


def test_a_handler_that_raises_fails_its_request_only(
    serve: Serve, client: Client, held: Held
) -> None:
    server = serve(held)
    with pytest.raises(RemoteError, match="internal: boom: ValueError: no such luck"):
        client.request("boom")
    assert client.request("echo") == {}
    assert server.counters()["failures"] == 1
    assert isinstance(server.last_error, ValueError)


def test_only_the_first_answer_counts(serve: Serve, client: Client) -> None:
    answers: list[bool] = []

    def twice(request: Request, responder: Responder) -> None:
        answers.extend([responder.ok(1), responder.ok(2), responder.error("internal", "3")])
        assert not responder.open

    server = serve(twice)
    assert client.request("x") == 1
    assert client.request("x") == 1
    assert answers == [True, False, False] * 2
    assert server.counters()["late"] == 4


def test_a_result_that_cannot_be_sent_is_an_internal_error(serve: Serve, client: Client) -> None:
    results = [object(), b"x" * FRAME_LIMIT, b"x" * (FRAME_LIMIT - 20)]
    serve(lambda request, responder: responder.ok(results[request.params["n"]]))
    for n in range(3):
        with pytest.raises(RemoteError, match="internal"):
            client.request("x", {"n": n})


def test_the_server_answers_for_a_handler_that_does_not(serve: Serve, held: Held, raw: Any) -> None:
    server = serve(held)
    reply = ask(raw(), frame_of("a1", "never", deadline_ms=30))
    assert reply["error"]["code"] == "deadline"
    assert not held.responders[0].ok("too late")
    assert server.counters()["expired"] == server.counters()["late"] == 1
    assert server.counters()["open"] == 0


def test_the_client_gives_up_at_its_deadline(serve: Serve, client: Client, held: Held) -> None:
    serve(held)
    begin = time.monotonic()
    with pytest.raises(DeadlineExceeded, match=r"no answer within 0\.2 s") as caught:
        client.request("never", deadline=0.2)
    assert time.monotonic() - begin > 0.15
    assert caught.value.request_id == held.requests[0].id


def test_without_a_server_the_client_says_that_nobody_listens(client: Client) -> None:
    with pytest.raises(DeadlineExceeded, match="nobody is listening"):
        client.request("echo", deadline=0.1)


def test_malformed_frames_are_answered_or_counted_and_hurt_nobody(
    serve: Serve, client: Client, held: Held, raw: Any, wait_until: Any
) -> None:
    server = serve(held)
    socket = raw()
    for junk in (b"", b"\xc1", b"\x00" * 50, pack([1, 2]), pack({"id": 5})):
        socket.send(junk)
    socket.send_multipart([b"", frame_of("a0")])
    socket.send_multipart([b"x"] * 5)
    assert ask(socket, frame_of("a1", v=9))["error"]["code"] == "unsupported_version"
    assert ask(socket, frame_of("a2", params=3))["error"]["code"] == "bad_request"
    assert ask(socket, frame_of("a3"))["ok"]
    assert client.request("echo") == {}
    assert server.counters()["malformed"] == 9


def test_an_oversized_request_is_not_sent(serve: Serve, client: Client, held: Held) -> None:
    serve(held)
    with pytest.raises(CodecError, match="over the limit"):
        client.request("echo", {"x": b"x" * FRAME_LIMIT})
    assert client.request("echo") == {}


def test_a_frame_over_the_limit_is_refused_and_one_far_over_is_cut_off(
    serve: Serve, client: Client, held: Held, raw: Any
) -> None:
    serve(held)
    head = b"\x82" + pack("id") + pack("a1") + pack("x") + b"\xc6"
    reply = ask(raw(), head + FRAME_LIMIT.to_bytes(4) + b"x" * FRAME_LIMIT)
    assert reply["id"] == "a1"
    assert "over the limit" in reply["error"]["message"]
    raw().send(b"x" * (CUT_OFF + 1))
    assert client.request("echo") == {}


def test_clients_that_connect_and_say_nothing_hurt_nobody(
    serve: Serve, client: Client, held: Held, raw: Any
) -> None:
    serve(held)
    idle = [raw() for _ in range(5)]
    for _ in range(50):
        assert client.request("echo") == {}
    assert len(idle) == 5


def test_a_client_that_never_reads_loses_its_own_answers_only(
    serve: Serve, client: Client, raw: Any, wait_until: Any
) -> None:
    big = pack(b"x" * 20_000)
    server = serve(lambda _, responder: responder.ok_packed(big))
    slow = raw(reads_ahead=1)
    for n in range(6000):
        slow.send(frame_of(f"s{n}"))
    assert len(client.request("x")) == 20_000
    wait_until(lambda: server.counters()["answered"] == 6001)
    wait_until(lambda: server.counters()["dropped_slow"] > 0)
    assert len(client.request("x")) == 20_000


def test_overload_is_refused_with_a_retryable_code(serve: Serve, held: Held, raw: Any) -> None:
    server = serve(held, max_open=4, max_open_per_client=3)
    greedy, other = raw(), raw()
    for n in range(3):
        greedy.send(frame_of(f"g{n}", "hold"))
    reply = ask(greedy, frame_of("g3", "hold"))
    assert reply["error"]["code"] == "unavailable"
    assert ask(other, frame_of("o1"))["ok"]
    other.send(frame_of("o2", "hold"))
    assert ask(other, frame_of("o3", "hold"))["error"]["code"] == "unavailable"
    for responder in held.responders:
        responder.ok()
    assert {unpack(greedy.recv())["id"] for _ in range(3)} == {"g0", "g1", "g2"}
    assert server.counters()["overloaded"] == 2
    assert server.counters()["open"] == 0


def test_a_resent_request_is_answered_once_and_acts_once(
    serve: Serve, held: Held, raw: Any, wait_until: Any
) -> None:
    server = serve(held)
    socket = raw()
    for _ in range(3):
        socket.send(frame_of("a1", "hold"))
    wait_until(lambda: server.counters()["resent"] == 2)
    held.responders[0].ok("one")
    assert unpack(socket.recv())["result"] == "one"
    assert ask(socket, frame_of("a2"))["id"] == "a2"
    assert len(held.requests) == 1


def test_the_answer_reaches_the_connection_that_asked_last(
    serve: Serve, held: Held, raw: Any, wait_until: Any
) -> None:
    server = serve(held)
    lost, again = raw(), raw()
    lost.send(frame_of("a1", "hold"))
    wait_until(lambda: held.requests)
    lost.close(0)
    again.send(frame_of("a1", "hold"))
    wait_until(lambda: server.counters()["resent"] == 1)
    held.responders[0].ok("here")
    assert unpack(again.recv())["result"] == "here"


def test_an_id_in_use_for_another_question_is_refused(serve: Serve, held: Held, raw: Any) -> None:
    serve(held)
    socket = raw()
    socket.send(frame_of("a1", "hold"))
    assert ask(socket, frame_of("a1", "hold", params={"x": 1}))["error"]["code"] == "bad_request"
    held.responders[0].ok("mine")
    assert unpack(socket.recv())["result"] == "mine"


def test_answered_deadlines_do_not_add_up(serve: Serve, client: Client, held: Held) -> None:
    server = serve(held)
    with pytest.raises(DeadlineExceeded):
        client.request("hold", deadline=0.05)
    with Client(server._router.endpoint.path) as other:
        thread = threading.Thread(target=lambda: other.request("hold", deadline=60))
        thread.start()
        for _ in range(1500):
            client.request("echo", deadline=3600)
        assert len(server._deadlines) < 1100
        held.responders[-1].ok()
        thread.join()


def test_a_server_stops_with_its_last_answers_sent(
    place: Path, held: Held, raw: Any, wait_until: Any
) -> None:
    server = Server(place / "s.sock", held)
    server.start()
    socket = raw()
    socket.send(frame_of("a1", "hold"))
    wait_until(lambda: held.responders)
    held.responders[0].ok("bye")
    assert server.stop()
    assert server.stop()
    assert unpack(socket.recv())["result"] == "bye"
    assert not (place / "s.sock").exists()


def test_a_client_that_nobody_has_any_more_holds_nobody_up(
    serve: Serve, held: Held, place: Path
) -> None:
    """ZeroMQ's context, collected before its socket, waits for that for ever."""
    serve(held)
    words = [sys.executable, "-c", FORGOTTEN, str(place / "s.sock")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == "{'n': 1}\ngoes on\n", done.stderr
