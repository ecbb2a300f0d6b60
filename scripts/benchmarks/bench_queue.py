"""10,000 jobs that wait: how fast they come in, how fast they are listed, what they weigh."""

from __future__ import annotations

import time

import bare
import msgpack
from bench_latency import middle
from conductor import Conductor
from table import Row

CLIENTS = 8
JOBS = 10_000


def measure() -> list[Row]:
    """Submitted by eight clients at once, while the one job that runs does not end."""
    with Conductor(max_concurrent_jobs=1) as conductor:
        conductor.submit(conductor.score("alive", 1, play="hold"))
        score = conductor.score("plain", 1)
        conductor.submit(score, id="first")
        params = msgpack.packb(conductor.submission(score))
        clients = []
        for number in range(CLIENTS):
            client = bare.start(
                "submit", conductor.client._endpoint.path, f"c{number}", JOBS // CLIENTS
            )
            assert client.stdin is not None
            assert client.stdout is not None
            client.stdin.write(b"%d\n" % len(params) + params)
            client.stdin.flush()
            client.stdout.readline()
            clients.append(client)
        begun = time.perf_counter()
        for client in clients:
            assert client.stdin is not None
            client.stdin.write(b"go\n")
            client.stdin.flush()
        for client in clients:
            client.communicate()
        seconds = time.perf_counter() - begun
        if any(client.returncode for client in clients):
            raise RuntimeError("a client failed")
        page = middle(lambda: conductor.request("job.list", limit=100), 50) * 1e3
        memory = conductor.memory()
    return [
        Row("submits a second by 8 clients", JOBS / seconds, None, "/s", 1500, True, 3000),
        Row("10,000 jobs submitted", seconds, None, "s", 20, best=7),
        Row("list of 100 of 10,000 jobs", page, None, "ms", 50, best=20),
        Row("conductor with 10,000 queued jobs", memory, None, "MB", 200, best=120),
    ]
