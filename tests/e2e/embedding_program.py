"""Programs that embed a conductor, each a process of its own, and what is left of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from marianne.run import marked

DEADLINE = 60.0

LIFE = """
import asyncio, os, resource, signal, tempfile, threading
from pathlib import Path
from marianne.daemon import *

SCORE = "name: {0}\\nworkspace: ./{0}\\nsheets:\\n  - name: one\\n    run: {1}\\n" \\
    "  - name: two\\n    needs: [one]\\n    run: echo done\\n"

def mine():
    return (
        os.getpgrp(), os.umask(os.umask(0)), os.getcwd(), tempfile.gettempdir(),
        signal.pthread_sigmask(signal.SIG_BLOCK, ()), signal.getsignal(signal.SIGTERM),
        sorted(os.sched_getaffinity(0)), *map(resource.getrlimit, range(15)),
    )

def submit(manager, name, run):
    Path(name + ".yaml").write_text(SCORE.format(name, run))
    return manager.submit_job(JobRequest(config_path=Path(name + ".yaml")))

async def reaches(manager, job, *wanted):
    while (status := (await manager.get_job_status(job))["status"]) not in wanted:
        await asyncio.sleep(0.05)
    return status
"""


def run(place: Path, program: str) -> subprocess.Popen[bytes]:
    """Starts it. It prints into a file: its workers, which hold on to a pipe, may outlive it."""
    (place / "program.py").write_text(program)
    with (place / "said").open("wb") as said:
        return subprocess.Popen(
            [sys.executable, "program.py"],
            cwd=place,
            env={**os.environ, "MARIANNE_HOME": str(place / "home")},
            stdout=said,
            stderr=subprocess.STDOUT,
        )


def ends(place: Path, program: str) -> str:
    """Runs it to its end, which is a good one; what it said. One that has none is killed."""
    process = run(place, program)
    try:
        code = process.wait(DEADLINE)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    said = (place / "said").read_text()
    assert code == 0, said
    return said


def left_behind(place: Path) -> list[int]:
    owner = (place / "home" / "owner").read_text().partition("\n")[0]
    return [one.pid for one in marked.left_behind(owner) if not one.dead]


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def nothing_is_left(place: Path) -> None:
    """The forkserver ends with its program, which is a moment after it."""
    until(lambda: not left_behind(place), "nothing is left")
