"""All threads of the conductor on one core.

Python runs one of its threads at a time, so a second core is of little use to it; but to wake a
thread on another core takes up to ten times as long as on one's own, and a request is handed over
several times.
"""

from __future__ import annotations

import os


def stay_on_one_core() -> frozenset[int]:
    """Binds this thread, and those that it will start, to the core that it runs on.

    Returns those that it might run on before: children need them back, since they inherit it.
    """
    before = frozenset(os.sched_getaffinity(0))
    here = _here()
    try:
        os.sched_setaffinity(0, {here if here in before else min(before)})
    except OSError:  # a sandbox may forbid it: slower, not wrong
        pass
    return before


def _here() -> int:
    with open("/proc/thread-self/stat", "rb") as file:
        # Field 39, processor (proc_pid_stat(5)); the name in field 2 may hold anything.
        return int(file.read().rpartition(b")")[2].split()[36])
