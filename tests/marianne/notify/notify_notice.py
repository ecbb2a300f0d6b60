"""A notice, and an address that takes it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from marianne.notify.notice import Notice
from marianne.state.models import Event, JobRow, JobStatus


def notice(kind: str, **config: Any) -> Notice:
    row = JobRow("a", "a", JobStatus.FAILED, "/w", 1.0, 1, error="it broke")
    receiver = {"type": kind, "on_events": [], "config": config}
    return Notice(Event(1, 0, 2.0, "a", None, "job.failed", {}), row, 1, receiver)


SECRET = "s3cret"


@contextmanager
def receiver(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """An address on this machine that gives one answer, whatever it is told."""
    told: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                head, _, body = connection.recv(65_536).partition(b"\r\n\r\n")
                while len(body) < int(head.lower().partition(b"content-length: ")[2].split()[0]):
                    body += connection.recv(65_536)
                told.append(body)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/{SECRET}", told
        thread.join(10.0)
