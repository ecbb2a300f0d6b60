"""Serves the figures by HTTP: the main of a process that a conductor starts for it.

It is a client like any other, so whatever is asked of it, and however often, its conductor is asked
once a second at most. It ends with its conductor.
"""

from __future__ import annotations

import signal
import socket
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ipc.client import Client
from ipc.errors import IpcError
from marianne.metrics.exposition import CONTENT_TYPE, exposition

ASK_SECONDS = 5.0
"""For the conductor to answer; a scrape has ten by default."""

FRESH_SECONDS = 1.0
"""So long the last answer serves others."""

IDLE_SECONDS = 10.0
"""A connection that says nothing for so long is closed."""

AT_ONCE = 16
"""Connections; the next ones are closed."""


class Figures:
    """The conductor's figures as text, asked for by one thread at a time."""

    def __init__(self, conductor: str) -> None:
        self._client = Client(conductor, timeout=ASK_SECONDS)
        self._lock = threading.Lock()
        self._text, self._read = "", float("-inf")

    def text(self) -> str:
        """Those of this second. IpcError where the conductor does not answer."""
        with self._lock:
            if time.monotonic() - self._read >= FRESH_SECONDS:
                self._text = exposition(self._client.request("daemon.metrics")["families"])
                self._read = time.monotonic()
            return self._text


class Server(ThreadingHTTPServer):
    """Listens where it is told to; ``listener`` is bound already."""

    daemon_threads = True

    def __init__(self, listener: socket.socket, figures: Figures) -> None:
        super().__init__(("", 0), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.figures = figures
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def process_request(self, request: Any, client_address: Any) -> None:
        """In a thread of its own, while there are few."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Its thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked has gone, which is nothing to tell; or we are wrong, which is."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """GET /metrics."""

    server: Server
    timeout = IDLE_SECONDS
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "marianne", ""

    def do_GET(self) -> None:
        """The figures; 503 with a sentence where the conductor does not answer."""
        if self.path.partition("?")[0] not in ("/metrics", "/"):
            self._answer(HTTPStatus.NOT_FOUND, "the figures are at /metrics\n", "text/plain")
            return
        try:
            text = self.server.figures.text()
        except IpcError as error:
            said = f"the conductor does not answer: {error}\n"
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, said, "text/plain; charset=utf-8")
        else:
            self._answer(HTTPStatus.OK, text, CONTENT_TYPE)

    def _answer(self, status: HTTPStatus, text: str, kind: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Who asks how often is nobody's business."""

    def address_string(self) -> str:
        """A Unix socket's peer has none."""
        return "-"


def serve_main(listener: socket.socket, conductor: str) -> None:
    """The process: serves ``listener`` with the figures of the conductor at that socket."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Server(listener, Figures(conductor)).serve_forever()
