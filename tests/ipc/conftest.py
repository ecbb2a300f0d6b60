"""What the tests of the wire share: places, servers in this and in other processes, waiting."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ipc.client import Client
from ipc.server import Dispatch, Server

WaitUntil = Callable[[Callable[[], object]], None]


@pytest.fixture
def wait_until() -> WaitUntil:
    """Returns once a condition holds; fails the test if it does not within 60 seconds."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true in time"
            time.sleep(0.002)  # the one pause of these tests: between two looks

    return wait


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory of our own with a short path, as sockets want it."""
    with tempfile.TemporaryDirectory(prefix="ipc-") as name:
        yield Path(name)


@pytest.fixture
def serve(place: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers at `place / "s.sock"` and stops them after the test."""
    started: list[Server] = []

    def start(dispatch: Dispatch, **options: int) -> Server:
        server = Server(place / "s.sock", dispatch, **options)
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        assert server.stop()


@pytest.fixture
def client(place: Path) -> Iterator[Client]:
    """A client of the server at `place / "s.sock"`."""
    with Client(place / "s.sock") as connected:
        yield connected


@pytest.fixture
def spawn() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Runs a program text in a Python of its own, until it prints its first line."""
    running: list[subprocess.Popen[str]] = []

    def start(text: str, *args: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", text, *map(str, args)]
        process = subprocess.Popen(command, stdin=-1, stdout=-1, text=True)
        running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()
