"""Who has the figures served: a place that is taken, a process that dies, another setting."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from actors import Handle, System
from actors.process import Process
from marianne.daemon.config import DaemonConfig
from marianne.daemon.config.metrics import MetricsConfig
from marianne.daemon.context import Context
from marianne.daemon.services.metrics import Metrics
from marianne.daemon.services.serving import Serving
from marianne.daemon.shared.figures import Figures
from marianne.home import Home


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        threading.Event().wait(0.005)


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as one:
        return int(one.getsockname()[1])


class Stage:
    """The actor, and the processes that it has started."""

    def __init__(self, place: Path, listen: str | None) -> None:
        self.system = System("metrics")
        self.started: list[Process] = []
        start = self.system.processes.start

        def noted(*args: Any) -> Process:
            self.started.append(start(*args))
            return self.started[-1]

        self.system.processes.start = noted  # type: ignore[method-assign,assignment]
        self.context = cast(
            "Context",
            SimpleNamespace(
                system=self.system, home=Home(place), figures=Figures(), client=None, config=None
            ),
        )
        self.set(listen)

    def set(self, listen: str | None) -> None:
        self.context.config = DaemonConfig(metrics=MetricsConfig(listen=listen))

    def begin(self) -> Handle[Serving]:
        self.system.spawn(Serving, self.context, Metrics, name="metrics")
        return Handle(self.system, "metrics")

    @property
    def unserved(self) -> str | None:
        return self.context.figures.unserved


def _status(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with closing(connection):
        connection.request("GET", "/other")
        return connection.getresponse().status


def test_nothing_is_served_unless_it_is_said_where(tmp_path: Path) -> None:
    stage = Stage(tmp_path, None)
    stage.begin().ask(Serving.apply)
    assert not stage.started
    stage.system.shutdown(timeout=10)


def test_a_socket_whose_file_was_removed_is_bound_again(tmp_path: Path) -> None:
    path = tmp_path / "m.sock"
    stage = Stage(tmp_path, str(path))
    actor = stage.begin()
    actor.ask(Serving.look)
    assert len(stage.started) == 1
    path.unlink()
    actor.ask(Serving.look)
    with closing(socket.socket(socket.AF_UNIX)) as client:
        client.settimeout(60)
        client.connect(str(path))
        client.sendall(b"GET /other HTTP/1.0\r\n\r\n")
        assert b" 404 " in client.recv(100)
    assert stage.unserved is None
    stage.system.shutdown(timeout=10)


@pytest.mark.slow
def test_a_process_that_dies_is_replaced_and_who_waits_is_answered(tmp_path: Path) -> None:
    port = _free_port()
    stage = Stage(tmp_path, f"127.0.0.1:{port}")
    stage.begin()
    assert _status(port) == 404
    os.kill(stage.started[0].pid, signal.SIGKILL)
    assert _status(port) == 404  # it waited at the socket, which is ours
    assert len(stage.started) == 2
    stage.system.shutdown(timeout=10)
    assert stage.started[1].wait(60) is not None


def test_a_place_that_is_taken_is_said_and_tried_again(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        stage = Stage(tmp_path, f"127.0.0.1:{port}")
        stage.begin().ask(Serving.apply)
        assert stage.unserved is not None
        assert "in use" in stage.unserved
    _until(lambda: stage.unserved is None)
    assert _status(port) == 404
    stage.system.shutdown(timeout=10)


def test_another_place_is_served_at_once_and_the_old_one_no_more(tmp_path: Path) -> None:
    path = tmp_path / "m.sock"
    stage = Stage(tmp_path, str(path))
    actor = stage.begin()
    actor.ask(Serving.apply)
    assert path.is_socket()
    port = _free_port()
    stage.set(f"127.0.0.1:{port}")
    actor.ask(Serving.apply)
    assert not path.exists()
    assert _status(port) == 404
    stage.set(None)
    actor.ask(Serving.apply)
    assert all(process.wait(60) is not None for process in stage.started)
    with pytest.raises(ConnectionRefusedError):
        _status(port)
    stage.system.shutdown(timeout=10)
