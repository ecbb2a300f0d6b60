"""How long sheets are gone when the process that runs them is killed."""

from __future__ import annotations

import os
import signal
import statistics
import time

from conductor import Conductor
from table import Row

ROUNDS = 11


def measure() -> list[Row]:
    """From SIGKILL of a job's worker process until its two sheets run again."""
    times = []
    with Conductor() as conductor:
        pipe = os.open(conductor.pipe, os.O_RDWR)

        def worker() -> int:
            said = b""
            while said.count(b"\n") < 2:
                said += os.read(pipe, 100)
            return int(said.split()[0])

        for number in range(ROUNDS):
            # A job each: one whose actors crash all the time is given up.
            job_id = conductor.submit(conductor.score(f"job{number}", 2, play="hold"))
            pid = worker()
            time.sleep(0.2)  # they run for a while: the spare worker is there again
            begun = time.perf_counter()
            os.kill(pid, signal.SIGKILL)
            worker()
            times.append(time.perf_counter() - begun)
            conductor.request("job.cancel", ids=[job_id])
        os.close(pipe)
    middle = statistics.median(times) * 1e3
    return [Row("killed worker to its sheets running again", middle, None, "ms", 25, best=12)]
