"""What ``marianne top`` costs before a job of 10,000 sheets that end as quickly as they can."""

from __future__ import annotations

import os
import pty
import struct
import subprocess
import termios
import threading
import time
from fcntl import ioctl
from pathlib import Path

from conductor import PROGRAM, Conductor
from table import Row

ON_DEMAND = True

SHEETS = 10_000
SECONDS = 20.0
LINES, COLUMNS = 40, 140


def _drained(fd: int) -> None:
    """Reads what is drawn, as a terminal does."""
    try:
        while os.read(fd, 1 << 16):
            pass
    except OSError:  # its other end is closed
        return


def measure() -> list[Row]:
    """One screen, its job running."""
    with Conductor() as conductor:
        job = conductor.submit(conductor.score("many", SHEETS))
        screen, inner = pty.openpty()
        ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        env = {**conductor.env, "TERM": "xterm-256color"}
        process = subprocess.Popen(
            [PROGRAM, "top", job], env=env, stdin=inner, stdout=inner, stderr=inner
        )
        os.close(inner)
        threading.Thread(target=_drained, args=(screen,), daemon=True).start()
        time.sleep(5.0)  # it has begun
        tasks = Path(f"/proc/{process.pid}/task")

        def cpu() -> float:
            return sum(int((t / "schedstat").read_text().split()[0]) for t in tasks.iterdir()) / 1e9

        before, done = cpu(), _done(conductor, job)
        time.sleep(SECONDS)
        used, ended = cpu() - before, _done(conductor, job) - done
        status = Path(f"/proc/{process.pid}/status").read_text()
        memory = int(status.partition("VmRSS:")[2].split()[0]) / 1024
        os.write(screen, b"q")
        process.wait(60)
        os.close(screen)
    return [
        Row("a screen of 10,000 sheets that run", 100 * used / SECONDS, None, "%", 15),
        Row("sheets that ended meanwhile", ended / SECONDS, None, "1/s", None),
        Row("memory of the screen", memory, None, "MB", None),
    ]


def _done(conductor: Conductor, job: str) -> int:
    return int(conductor.request("job.map", job_id=job)["progress"]["completed"])
