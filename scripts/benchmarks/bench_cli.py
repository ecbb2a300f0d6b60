"""The command line as a person waits for it, against a Python that does nothing."""

from __future__ import annotations

import subprocess
import sys
import time

import bare
from conductor import PROGRAM, Conductor
from table import Row, compared

STATUSES = 21
STARTS = 7


def measure() -> list[Row]:
    """``status`` of a small job; ``start`` until the conductor serves."""
    nothing = [sys.executable, "-c", "pass"]
    status, base, starts, start_base = [], [], [], []
    conductor = Conductor()
    for _ in range(STARTS):
        start_base.append(bare.timed(nothing))
        begun = time.perf_counter()
        conductor.__enter__()
        starts.append(time.perf_counter() - begun)
        conductor.__exit__()
    with conductor:
        job_id = conductor.submit(conductor.score("small", 3))
        conductor.wait(job_id)
        for _ in range(STATUSES):
            base.append(bare.timed(nothing))
            begun = time.perf_counter()
            subprocess.run([PROGRAM, "status", job_id], env=conductor.env, check=True, stdout=-3)
            status.append(time.perf_counter() - begun)
    return [
        compared("status / python -c pass", status, base, "ms", 8, best=6, scale=1e3),
        compared("start / python -c pass", starts, start_base, "ms", 25, best=16, scale=1e3),
    ]
