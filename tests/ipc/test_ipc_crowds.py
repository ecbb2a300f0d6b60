"""Whoever connects, subscribes or sends too much costs a bounded share and is cut off; the others
are served."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from ipc.client import Client
from ipc.publisher import MAX_SUBSCRIPTIONS_PER_PEER, Publisher

ECHO = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
from ipc.server import Server
server = Server(sys.argv[1], lambda request, responder: responder.ok(request.params))
server.start()
print("ready", flush=True)
sys.stdin.read()
"""

CROWD = """
import resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
held = []
for _ in range(int(sys.argv[2])):
    held.append(socket.socket(socket.AF_UNIX))
    held[-1].connect(sys.argv[1])
print("ready", flush=True)
sys.stdin.read()
"""

# The beginning of a conversation as ZMTP 3.0 has it, of a SUB without security.
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
_READY = b"\x05READY" + b"\x0bSocket-Type" + (3).to_bytes(4, "big") + b"SUB"
READY = b"\x04" + bytes([len(_READY)]) + _READY


@pytest.fixture
def publisher(place: Path) -> Iterator[Publisher]:
    publisher = Publisher(place / "e.sock", max_connections=8)
    publisher.start()
    yield publisher
    publisher.stop()


@pytest.fixture
def subscriber(place: Path) -> Iterator[Any]:
    context: Any = zmq.Context()
    made = context.socket(zmq.SUB)
    made.setsockopt(zmq.LINGER, 0)
    made.setsockopt(zmq.RCVTIMEO, 5000)
    made.connect(f"ipc://{place}/e.sock")
    yield made
    made.close(0)
    context.term()


def _connect(place: Path, name: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(place / name))
    connection.setblocking(False)
    return connection


def _cut_off(connection: socket.socket) -> bool:
    """Whether the other end has hung up; what it said before (its greeting) is read away."""
    with contextlib.suppress(BlockingIOError):
        while True:
            if not connection.recv(4096):
                return True
    return False


def test_more_idle_connections_than_files_leave_the_server_serving(
    place: Path, spawn: Callable[..., subprocess.Popen[str]]
) -> None:
    server = spawn(ECHO, place / "s.sock")
    for _ in range(3):
        spawn(CROWD, place / "s.sock", 1200)
        with Client(place / "s.sock") as client:
            assert client.request("any", {"a": 1}, deadline=10.0) == {"a": 1}
    assert server.poll() is None
    assert len(os.listdir(f"/proc/{server.pid}/fd")) < 300


def test_the_connection_that_was_silent_longest_is_cut_off(
    place: Path, serve: Callable[..., Any], wait_until: Callable[..., None]
) -> None:
    server = serve(lambda request, responder: responder.ok(1), max_connections=4)

    def seen() -> int:
        counted = server.counters()
        return counted["connections"] + counted["cut_off"]

    with contextlib.ExitStack() as stack:
        client = stack.enter_context(Client(place / "s.sock"))
        client.request("any", {})
        idle = []
        for count in range(1, 10):
            idle.append(stack.enter_context(_connect(place, "s.sock")))
            wait_until(lambda count=count: seen() == 1 + count)
            client.request("any", {})
        wait_until(lambda: all(_cut_off(connection) for connection in idle[:6]))
        assert not any(_cut_off(connection) for connection in idle[-2:])
        assert server.counters()["cut_off"] == 6


def test_a_listener_with_too_many_subscriptions_is_cut_off(
    place: Path, publisher: Publisher, subscriber: Any, wait_until: Callable[..., None]
) -> None:
    context: Any = zmq.Context()
    greedy = context.socket(zmq.SUB)
    greedy.setsockopt(zmq.LINGER, 0)
    greedy.setsockopt(zmq.SNDHWM, 0)
    greedy.setsockopt(zmq.RECONNECT_IVL, -1)
    greedy.connect(f"ipc://{place}/e.sock")
    wait_until(lambda: len(publisher.connections) == 2)  # what comes before is not counted
    for number in range(MAX_SUBSCRIPTIONS_PER_PEER + 10):
        greedy.subscribe(f"job.{number}.")

    # Its subscriptions go with it.
    wait_until(lambda: not publisher.wanted and publisher.connections.cut_off == 1)
    greedy.close(0)
    context.term()
    subscriber.subscribe("job.a.")
    wait_until(lambda: publisher.wanted)
    publisher.publish("job.a.b", {"seq": 1})
    assert subscriber.recv_multipart()[0] == b"job.a.b"


def test_a_listener_that_sends_more_than_a_topic_is_cut_off(
    place: Path, publisher: Publisher
) -> None:
    hose = socket.socket(socket.AF_UNIX)
    hose.settimeout(10.0)
    hose.connect(str(place / "e.sock"))
    hose.sendall(GREETING + READY + b"\x02" + (20_000_000).to_bytes(8, "big") + b"\x01")
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        hose.sendall(b"x" * 20_000_000)
    hose.close()
    assert not publisher.wanted


def test_a_process_without_a_descriptor_left_cuts_off_too(
    place: Path,
    serve: Callable[..., Any],
    wait_until: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none_left(descriptor: int) -> int:
        raise OSError(errno.EMFILE, "none left")

    server = serve(lambda request, responder: responder.ok(1), max_connections=2)
    monkeypatch.setattr("ipc.connections.os.dup", none_left)
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(_connect(place, "s.sock"))
        wait_until(lambda: server.counters()["cut_off"] == 2)
