"""What the package offers, what it costs to import, and that its stand-ins behave like it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import ipc
from ipc.errors import DeadlineExceeded, RemoteError
from ipc.publisher import topic_of
from ipc.testing import StubClient, StubLink, StubPublisher, StubResponder


def test_the_names_are_these() -> None:
    assert ipc.__all__ == [
        "FRAME_LIMIT",
        "RETRYABLE",
        "AsyncClient",
        "Client",
        "CodecError",
        "DeadlineExceeded",
        "Dealer",
        "Endpoint",
        "EndpointError",
        "EndpointInUse",
        "IpcError",
        "Publisher",
        "RemoteError",
        "Request",
        "Responder",
        "Router",
        "Server",
        "Subscriber",
        "pack",
        "topic_of",
        "unpack",
    ]
    assert all(getattr(ipc, name) is not None for name in ipc.__all__)
    with pytest.raises(AttributeError):
        _ = ipc.no_such_name


def test_a_client_costs_zmq_and_msgpack_and_nothing_else() -> None:
    text = """
import sys, zmq, msgpack
before = set(sys.modules)
import ipc.client
print(*sorted(name for name in set(sys.modules) - before if not name.startswith("ipc")))
"""
    extra = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert extra.stdout.split() == []


def test_nothing_heavy_is_imported_by_the_answering_side() -> None:
    text = """
import sys, zmq, msgpack
before = set(sys.modules)  # what these two import differs from version to version
import ipc.server, ipc.dealer, ipc.publisher, ipc.subscriber
heavy = {"asyncio", "pydantic", "logging", "inspect", "multiprocessing", "pykka", "socket"}
print(*sorted(heavy & (set(sys.modules) - before)))
"""
    found = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def dispatch(request: Any, responder: Any) -> None:
    match request.method:
        case "echo":
            responder.ok(request.params)
        case "no":
            responder.error("conflict", "no", "ask nicely")
        case "boom":
            raise ValueError("bad day")


def test_the_stub_client_answers_like_a_server() -> None:
    client = StubClient(dispatch)
    assert client.request("echo", {"a": (1, 2)}) == {"a": [1, 2]}
    with pytest.raises(RemoteError, match="conflict: no"):
        client.request("no")
    with pytest.raises(RemoteError, match="internal: boom: ValueError"):
        client.request("boom")
    with pytest.raises(DeadlineExceeded):
        client.request("never")
    assert [request.method for request in client.requests] == ["echo", "no", "boom", "never"]


def test_the_stub_responder_keeps_the_first_answer() -> None:
    responder = StubResponder("job.list")
    assert responder.open
    assert responder.ok([1])
    assert not responder.error("internal", "late")
    assert responder.reply is not None
    assert responder.reply.result == [1]


def test_the_stub_publisher_keeps_events() -> None:
    publisher = StubPublisher()
    body = {"seq": 1, "job_id": "j", "event": "job.started"}
    publisher.publish(topic_of("j", "job.started"), body)
    assert (publisher.events, publisher.topics) == ([body], ["job.j.job.started"])
    with pytest.raises(ValueError, match="not the topic"):
        publisher.publish("daemon.tick", body)


def test_the_stub_link_stands_for_either_end() -> None:
    link = StubLink()
    link.send(b"j/1", ipc.pack({"kind": "run"}))
    link.send({"kind": "bye"})
    link.incoming.append({"kind": "stop"})
    assert link.sent == [(b"j/1", {"kind": "run"})]
    assert link.said == [{"kind": "bye"}]
    assert link.drain() == [{"kind": "stop"}]
    assert link.drain() == []
