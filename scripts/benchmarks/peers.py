"""Other tools that run many commands, where they are installed: 1,000 tasks, two at a time.

Each in its normal durable or logging mode. HyperQueue and Dask are Python packages; ``python`` is
the interpreter that has them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

python: str | None = None
"""Set by ``--peers``; None measures none."""


@dataclass(frozen=True)
class Peer:
    """``run(n)`` gives the seconds that n tasks take; ``judged`` are held against a bar."""

    name: str
    run: Callable[[int], float]
    judged: bool = False


def installed() -> list[Peer]:
    """The peers that are there."""
    if python is None:
        return []
    found = []
    if shutil.which("parallel"):
        found.append(Peer("GNU parallel", _parallel))
    if spooler := shutil.which("tsp") or shutil.which("ts"):
        found.append(Peer("task-spooler", lambda count: _spooler(spooler, count)))
    for name, module, text in (
        ("HyperQueue", "hyperqueue", _HYPERQUEUE),
        ("Dask", "distributed", _DASK),
    ):
        look = subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False)
        if look.returncode == 0:
            found.append(Peer(name, lambda count, text=text: _package(text, count), judged=True))
    return found


def _parallel(count: int) -> float:
    with tempfile.TemporaryDirectory() as place:
        log = ["--joblog", f"{place}/log", "--results", f"{place}/out"]
        begun = time.perf_counter()
        command = ["parallel", "-j2", *log, "/bin/true"]
        numbers = "\n".join(map(str, range(count)))
        subprocess.run(command, input=numbers, text=True, check=True, capture_output=True)
        return time.perf_counter() - begun


def _spooler(program: str, count: int) -> float:
    with tempfile.TemporaryDirectory() as place:
        environment = {**os.environ, "TS_SOCKET": f"{place}/socket", "TMPDIR": place}

        def call(*argv: str) -> None:
            subprocess.run([program, *argv], env=environment, check=True, capture_output=True)

        call("-S", "2")
        begun = time.perf_counter()
        for _ in range(count):
            call("/bin/true")
        call("-w")
        seconds = time.perf_counter() - begun
        call("-K")
        return seconds


def _package(text: str, count: int) -> float:
    assert python is not None
    with tempfile.TemporaryDirectory() as place:
        command = [python, "-c", text, str(count)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=place)
    return float(done.stdout.split()[-1])


# The time of starting the server and its worker does not count, as it does not count for ours.
_HYPERQUEUE = """
import sys, time
from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig
if __name__ == "__main__":
    with LocalCluster() as cluster:
        cluster.start_worker(WorkerConfig(cores=2))
        client = cluster.client()
        def play(count):
            job = Job()
            for _ in range(count):
                job.program(["/bin/true"])
            client.wait_for_jobs([client.submit(job)])
        play(2)
        begun = time.perf_counter()
        play(int(sys.argv[1]))
        print(time.perf_counter() - begun)
"""
_DASK = """
import subprocess, sys, time
from distributed import Client, LocalCluster
if __name__ == "__main__":
    options = dict(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        def task(number):
            return subprocess.run(["/bin/true"]).returncode
        client.gather(client.map(task, range(2), pure=False))
        begun = time.perf_counter()
        client.gather(client.map(task, range(int(sys.argv[1])), pure=False))
        print(time.perf_counter() - begun)
"""
