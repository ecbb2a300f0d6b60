"""What a conductor costs that has nothing to do."""

from __future__ import annotations

import time

from conductor import Conductor
from table import Row

SECONDS = 31.0
"""Two looks of the monitor are in it, whenever it begins."""

JOBS = 100


def measure() -> list[Row]:
    """Two conductors at rest, side by side: one without jobs, one with 100 paused ones."""
    with Conductor() as empty, Conductor(max_concurrent_jobs=1) as full:
        full.submit(full.score("alive", 1, play="hold"))
        score = full.score("paused", 1)
        for number in range(JOBS):
            full.request("job.pause", ids=[full.submit(score, id=f"p{number}")])
        time.sleep(3.0)  # the log, the ticks and the probes of the start are over
        before = empty.cpu(), full.cpu()
        time.sleep(SECONDS)
        used = [100 * (c.cpu() - b) / SECONDS for c, b in zip((empty, full), before, strict=True)]
        memory = empty.memory()
    return [
        Row("conductor at rest, memory", memory, None, "MB", 60, best=45),
        Row("conductor at rest, processor", used[0], None, "%", 0.2, best=0.05),
        Row("the same with 100 paused jobs", used[1], None, "%", 0.2, best=0.05),
    ]
