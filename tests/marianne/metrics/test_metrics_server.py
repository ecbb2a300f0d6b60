"""The process that serves figures: what it answers, and how little it asks."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from ipc.errors import DeadlineExceeded
from marianne.metrics import server as module
from marianne.metrics.server import AT_ONCE, Figures, Server

FAMILY = {
    "name": "m",
    "type": "gauge",
    "help": "It.",
    "samples": [{"name": "m", "labels": {}, "value": 1.0}],
}


class Conductor:
    """Counts what it is asked; silent if it is to be."""

    def __init__(self, path: str, timeout: float) -> None:
        self.asked = 0
        self.silent = False

    def request(self, method: str) -> Any:
        self.asked += 1
        if self.silent:
            raise DeadlineExceeded(method, 5.0, "id", reached=True)
        return {"families": [FAMILY]}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(module, "Client", Conductor)
    server = Server(socket.create_server(("127.0.0.1", 0)), Figures("/no/socket"))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _conductor(server: Server) -> Conductor:
    client: Any = server.figures._client
    assert isinstance(client, Conductor)
    return client


def _get(server: Server, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(*server.socket.getsockname(), timeout=30)
    with closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def test_the_figures_are_at_metrics(server: Server) -> None:
    assert _get(server, "/metrics?x=1") == (200, "# HELP m It.\n# TYPE m gauge\nm 1\n")
    assert _get(server, "/other")[0] == 404


def test_however_often_it_is_asked_it_asks_once_a_second(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FRESH_SECONDS", float("inf"))
    server.figures._read = float("-inf")
    for _ in range(3):
        assert _get(server, "/metrics")[0] == 200
    # inf - (-inf) is inf: the first of them was asked for.
    assert _conductor(server).asked == 1


def test_a_conductor_that_does_not_answer_is_no_figure_at_all(server: Server) -> None:
    _conductor(server).silent = True
    status, said = _get(server, "/metrics")
    assert status == 503
    assert "does not answer" in said
    _conductor(server).silent = False
    assert _get(server, "/metrics")[0] == 200


def test_connections_that_say_nothing_keep_nobody_else_out_for_ever(server: Server) -> None:
    place = server.socket.getsockname()
    silent = [socket.create_connection(place) for _ in range(AT_ONCE)]
    extra = socket.create_connection(place)
    extra.settimeout(30)
    assert extra.recv(1) == b""  # there is no place for it
    for one in (*silent, extra):
        one.close()
    for _ in range(1_000):
        try:
            if _get(server, "/metrics")[0] == 200:
                return
        except (ConnectionError, http.client.HTTPException):
            threading.Event().wait(0.01)  # their threads are about to notice
    pytest.fail("its places are lost")
