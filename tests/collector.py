"""A collector of traces as tests need one: real HTTP, and it reads what it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Collector(ThreadingHTTPServer):
    """``spans`` in the order in which they came. It answers ``status``, with ``reply``; while
    ``held`` is clear it has taken them and does not say so."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Taker)
        self.spans: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.resources: list[dict[str, Any]] = []
        self.status, self.reply, self.location = 200, b"{}", ""
        self.held = threading.Event()
        self.held.set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def named(self, name: str) -> list[dict[str, Any]]:
        return [span for span in list(self.spans) if span["name"] == name]

    def take(self, body: dict[str, Any]) -> None:
        for whole in body["resourceSpans"]:
            self.resources.append(attributes(whole["resource"]))
            for scope in whole["scopeSpans"]:
                assert scope["scope"]["name"] == "marianne"
                self.spans += [checked(span) for span in scope["spans"]]


class Taker(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["Content-Type"] == "application/json"
        server.paths.append(self.path)
        server.headers.append({name.lower(): value for name, value in self.headers.items()})
        status = server.status
        if status == 200:
            server.take(body)
        server.held.wait(60)
        try:
            self.send_response(status)
            if server.location:
                self.send_header("Location", server.location)
            self.send_header("Content-Length", str(len(server.reply)))
            self.end_headers()
            self.wfile.write(server.reply)
        except OSError:
            pass  # whoever told us was killed

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        pass


def checked(span: dict[str, Any]) -> dict[str, Any]:
    """As the JSON mapping of OTLP has it: lower-case hex, times as text, a known kind."""
    for name, size in (("traceId", 32), ("spanId", 16), ("parentSpanId", 16)):
        if name in span or name != "parentSpanId":
            assert len(span[name]) == size
            assert int(span[name], 16)
            assert span[name] == span[name].lower()
    began, ended = span["startTimeUnixNano"], span["endTimeUnixNano"]
    assert isinstance(began, str)
    assert 10**18 < int(began) <= int(ended) < 10**19
    assert span["kind"] == 1
    return span


def attributes(holder: dict[str, Any]) -> dict[str, Any]:
    """By name, as plain values."""
    found = {}
    for one in holder["attributes"]:
        ((kind, value),) = one["value"].items()
        found[one["key"]] = int(value) if kind == "intValue" else value
    return found


@contextmanager
def collecting(port: int = 0) -> Iterator[Collector]:
    """One that serves until the end."""
    server = Collector(port)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.held.set()
        server.shutdown()
        thread.join()
        server.server_close()
