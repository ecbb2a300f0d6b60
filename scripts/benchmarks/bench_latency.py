"""How long a client waits for an answer, and how long until its sheet begins."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import bare
import zmq
from conductor import PLACE, Conductor
from table import Row, compared

ROUNDS = 7
CALLS = 200
FIRSTS = 25
REST = 0.1
SHEETS = 200


def middle(work: Callable[[], object], count: int) -> float:
    """The median seconds of one call of many."""
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


@contextmanager
def cores_apart(conductor: Conductor, echo: subprocess.Popen[bytes]) -> Iterator[None]:
    """The echo runs on the core that the conductor has chosen, the client on the others.

    Else the kernel puts client and echo on one core or on two, for a whole run, and two take three
    times as long.
    """
    before = os.sched_getaffinity(0)
    chosen = os.sched_getaffinity(conductor.pid)
    os.sched_setaffinity(echo.pid, chosen)
    os.sched_setaffinity(0, before - chosen or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def requests() -> list[Row]:
    """Requests of one client, against a bare ROUTER that sends everything back."""
    address = PLACE / "echo.sock"
    server = bare.start("echo", address)
    socket = zmq.Context().socket(zmq.DEALER)
    socket.connect(f"ipc://{address}")

    def echo() -> None:
        socket.send(b"x" * 200)
        socket.recv()

    numbers = iter(range(10**6))
    times: dict[str, list[float]] = {}
    # One job at a time, and that one does not end: what is submitted stays in the queue.
    with Conductor(max_concurrent_jobs=1) as conductor:
        ended = conductor.submit(conductor.score("ended", SHEETS))
        conductor.wait(ended)
        plain = conductor.score("plain", 1)
        padded = Path(plain).read_text() + "# a line\n" * 13
        Path(plain).write_text(padded)
        alive = conductor.submit(conductor.score("alive", SHEETS, play="hold", at_once=2))
        conductor.submit(plain, id="first")
        works: dict[str, Callable[[], object]] = {
            "echo": echo,
            "health": lambda: conductor.request("daemon.health"),
            "status": lambda: conductor.request("job.status", job_id=alive),
            "ended": lambda: conductor.request("job.status", job_id=ended),
            "submit": lambda: conductor.submit(plain, id=f"q{next(numbers)}"),
        }
        with cores_apart(conductor, server):
            for _ in range(ROUNDS):
                for name, work in works.items():
                    times.setdefault(name, []).append(middle(work, CALLS))
    server.kill()
    server.wait()

    def row(name: str, what: str, bar: float, best: float) -> Row:
        base = times["echo"]
        return compared(f"{name} / echo", times[what], base, "us", bar, best=best, scale=1e6)

    return [
        row("health", "health", 2, 1.4),
        row("status of 200 sheets, running", "status", 6, 3),
        row("status of 200 sheets, ended", "ended", 6, 3),
        row("submit of one sheet", "submit", 12, 8),
    ]


def first_instruction() -> Row:
    """From the submission until the sheet's program says so, against the program by Popen.

    Each job comes to a conductor at rest: the spare worker is there again.
    """
    ours, base = [], []
    with Conductor() as conductor:
        pipe = os.open(conductor.pipe, os.O_RDWR)
        command = ["/bin/sh", "-c", f"echo $PPID > {conductor.pipe}"]
        score = conductor.score("first", 1, play="tell")
        conductor.play(score)
        os.read(pipe, 100)
        for _ in range(FIRSTS):
            time.sleep(REST)
            begun = time.perf_counter()
            with subprocess.Popen(command):
                os.read(pipe, 100)
                base.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            job_id = conductor.submit(score)
            os.read(pipe, 100)
            ours.append(time.perf_counter() - begun)
            conductor.wait(job_id)
        os.close(pipe)
    name = "submit to a sheet's first instruction / Popen"
    return compared(name, ours, base, "ms", 6, best=3, scale=1e3)


def measure() -> list[Row]:
    """All rows."""
    return [*requests(), first_instruction()]
