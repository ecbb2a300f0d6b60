"""What is large: 100,000 sheets in one job, 50 tails, 200 clients. Takes minutes."""

from __future__ import annotations

import time

import bare
from bench_latency import middle
from conductor import Conductor
from table import Row

from ipc.client import Client

ON_DEMAND = True

SHEETS = 100_000
FEW = 200
TAILS = 50
CLIENTS = 200
REQUESTS = 20


def sheets() -> list[Row]:
    """One job of 100,000 sheets against one of 200."""
    with Conductor() as conductor:
        few = sorted(conductor.play(conductor.score(f"few{n}", FEW)) for n in range(5))[2] / FEW
        score = conductor.score("large", SHEETS)
        begun = time.perf_counter()
        job_id = conductor.submit(score)
        submitted = time.perf_counter() - begun
        conductor.wait(job_id)
        many = (time.perf_counter() - begun) / SHEETS
        page = middle(lambda: conductor.request("job.status", job_id=job_id), 10)
        memory = conductor.memory()
    return [
        Row("a sheet of 100,000 / of 200", many * 1e3, few * 1e3, "ms", 1.3, best=1.1),
        Row("job of 100,000 sheets submitted", submitted, None, "s", None),
        Row("a page of 5,000 of its sheets", page * 1e3, None, "ms", None),
        Row("conductor after it", memory, None, "MB", None),
    ]


def tails() -> Row:
    """Seconds until each of 50 tails has every event of a job of 1,000 sheets."""
    with Conductor() as conductor:
        conductor.play(conductor.score("first", 10))
        conductor.submit(conductor.score("alive", 1, play="hold"))
        last = conductor.request("events.since", seq=0)["last"]
        count = last + 2_000
        listeners = [
            bare.start("tail", conductor.home / "events.sock", count) for _ in range(TAILS)
        ]
        number = 0
        for listener in listeners:
            assert listener.stdout is not None
            while not bare.readable(listener):
                number += 1
                conductor.play(conductor.score(f"wake{number}", 1))
            listener.stdout.readline()
        begun = time.perf_counter()
        conductor.play(conductor.score("told", 1_000))
        for listener in listeners:
            listener.wait()
        seconds = time.perf_counter() - begun
        if any(listener.returncode for listener in listeners):
            raise RuntimeError("a tail lost events")
    return Row("1,000 sheets told to 50 tails", seconds, None, "s", None)


def clients() -> Row:
    """The median wait for ``daemon.health`` of 200 connected clients that ask in turn."""
    with Conductor() as conductor:
        connected = [Client(conductor.home / "conductor.sock") for _ in range(CLIENTS)]
        for client in connected:
            client.request("daemon.health")
        turn = iter(connected * REQUESTS)
        wait = middle(lambda: next(turn).request("daemon.health"), CLIENTS * REQUESTS)
        for client in connected:
            client.close()
    return Row("health, 200 clients connected", wait * 1e6, None, "us", None)


def measure() -> list[Row]:
    """All rows."""
    return [*sheets(), tails(), clients()]
