"""Who talks to the workers' socket and is no worker: refused, counted, and of no effect."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import zmq
from e2e_marianne import Marianne, until
from test_spare_worker import named

from ipc import codec, curve
from marianne.model.result import AttemptResult

HELD = "sheets:\n  - {name: held, run: 'touch begun; until test -e go; do sleep 0.02; done'}\n"


class Stranger:
    """Connects under a name of its choice, as any process of this user may."""

    def __init__(self, marianne: Marianne, name: bytes) -> None:
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.ROUTING_ID, name)
        self.socket.setsockopt(zmq.LINGER, 500)
        curve.ask_for(self.socket, bytes.fromhex((marianne.home / "workers.key").read_text()))
        self.socket.connect(f"ipc://{marianne.home}/workers2.sock")

    def say(self, *messages: Any) -> None:
        for message in messages:
            self.socket.send(message if isinstance(message, bytes) else codec.pack(message))

    def close(self) -> None:
        self.socket.close()
        self.context.term()


@pytest.fixture
def held(marianne: Marianne) -> tuple[str, int]:
    """A job whose sheet runs, and its worker's pid."""
    job = marianne.submit("held", HELD)
    until((marianne.place / "held/begun").exists)
    until(lambda: marianne.sheet(job, 1)["status"] == "running")
    (worker,) = named(marianne, "marianne-worker")
    return job, worker


def visible_name(pid: int) -> bytes:
    """What workers were once called on the link: anybody can work it out."""
    start = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return f"{pid}-{start}".encode()


def refused(marianne: Marianne) -> int:
    return int(marianne.request("daemon.health")["refused_worker_messages"])


def forged() -> list[Any]:
    now = time.time()
    result = AttemptResult(1, 1, "completed", now, now, serial=1, exit_code=0).to_map()
    nothing: dict[str, Any] = {"running": [], "queued": [], "ended": []}
    return [
        {"kind": "results", "results": [result], "started": []},
        {"kind": "hello", "unacked": [result], "round": 0, **nothing},
        {"kind": "hello", "unacked": [{**result, "finished_at": 1e300}], **nothing},
        {"kind": "hello"},
        {"kind": "withdrawn", "sheets": [[1, 1]]},
        {"kind": 7},
        b"\xc1",
        b"",
    ]


def test_a_stranger_under_a_workers_visible_name_changes_nothing(
    marianne: Marianne, held: tuple[str, int]
) -> None:
    job, worker = held
    stranger = Stranger(marianne, visible_name(worker))
    stranger.say(*forged())
    until(lambda: refused(marianne) >= len(forged()) - 1)
    assert marianne.sheet(job, 1)["status"] == "running"
    (marianne.place / "held/go").touch()  # while the stranger is still connected
    assert marianne.wait(job)["status"] == "completed"
    assert marianne.sheet(job, 1)["attempt"] == 1
    stranger.close()


def test_the_name_of_a_worker_is_nowhere_to_be_read(
    marianne: Marianne, held: tuple[str, int]
) -> None:
    job, worker = held
    os.kill(marianne.pids()["conductor"], signal.SIGSTOP)  # or the files change under us
    try:
        told = [Path(f"/proc/{worker}/{name}").read_bytes() for name in ("cmdline", "environ")]
        files = [path for path in marianne.home.rglob("*") if path.is_file()]
        for path in files:
            with suppress(FileNotFoundError):  # the spare process rehearses meanwhile
                told.append(path.read_bytes())
        memory = Path(f"/proc/{worker}/mem")
        assert memory.exists()
    finally:
        os.kill(marianne.pids()["conductor"], signal.SIGCONT)
    name = name_in_memory(worker)
    assert name is not None
    assert not any(name in text for text in told)
    assert marianne.status(job)["status"] == "running"


def name_in_memory(pid: int) -> bytes | None:
    """The one thing that looks like a link name in the memory of the worker."""
    import re

    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            area, rights, *_ = line.split()
            if not rights.startswith("rw") or "[v" in line:
                continue
            first, last = (int(part, 16) for part in area.split("-"))
            try:
                memory.seek(first)
                found = re.search(rb"guarded-[0-9a-f]{32}", memory.read(last - first))
            except OSError:
                continue
            if found:
                return found[0]
    return None


def test_the_next_conductor_knows_the_worker_and_still_no_stranger(
    marianne: Marianne, held: tuple[str, int]
) -> None:
    job, worker = held
    before = marianne.pids()["conductor"]
    os.kill(before, signal.SIGKILL)
    until(lambda: marianne.pids()["conductor"] != before and marianne.serves())
    stranger = Stranger(marianne, visible_name(worker))
    stranger.say(*forged())
    until(lambda: refused(marianne) > 0)
    (marianne.place / "held/go").touch()
    assert marianne.wait(job)["status"] == "completed"
    assert marianne.sheet(job, 1)["attempt"] == 1
    stranger.close()
