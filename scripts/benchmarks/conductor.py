"""A conductor with a home of its own, used as its users do: by the program and over its socket."""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from ipc.client import Client
from ipc.errors import DeadlineExceeded

PROGRAM = Path(sys.executable).with_name("marianne")

# Removed at the end: deleting thousands of files makes ext4 slow at creating others for minutes.
PLACE = Path(tempfile.mkdtemp(prefix="marianne-bench-"))
atexit.register(shutil.rmtree, PLACE, ignore_errors=True)

_numbers = itertools.count(1)


class Conductor:
    """``with Conductor() as conductor``: started, then stopped by force. ``settings`` are those of
    conductor.yaml; ``before`` are the words of a command that starts it. ``pipe`` is a FIFO that
    sheets of the instrument ``tell`` write a line to."""

    def __init__(self, before: Sequence[str] = (), **settings: object) -> None:
        self.before = before
        self.place = PLACE / str(next(_numbers))
        self.home = self.place / "home"
        self.pipe = self.place / "pipe"
        (self.home / "instruments").mkdir(mode=0o700, parents=True)
        os.mkfifo(self.pipe)
        if settings:
            lines = [f"{name}: {value}\n" for name, value in settings.items()]
            (self.home / "conductor.yaml").write_text("".join(lines))
        self.instrument("true", "/bin/true")
        self.instrument("tell", "/bin/sh", "-c", f"echo $PPID > {self.pipe}")
        hold = f"echo $PPID > {self.pipe}; exec sleep 1000"
        self.instrument("hold", "/bin/sh", "-c", hold)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("MARIANNE")}
        self.env["MARIANNE_HOME"] = str(self.home)
        self.client = Client(self.home / "conductor.sock", timeout=60.0)

    def __enter__(self) -> Self:
        self("start", before=self.before)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self("stop", "--force")

    def __call__(self, *argv: str, before: Sequence[str] = ()) -> None:
        """Runs the program; raises CalledProcessError if it fails."""
        command = [*before, PROGRAM, *argv]
        subprocess.run(command, env=self.env, check=True, capture_output=True, cwd=self.place)

    def instrument(self, name: str, executable: str, *flags: str) -> None:
        """A program that sheets can call; it gets the prompt as its standard input."""
        profile = f"""\
name: "{name}"
raw_prompt: true
max_concurrent: null
cli: {{command: {{executable: {executable}, leading_flags: {list(flags)!r}}}}}
"""
        (self.home / "instruments" / f"{name}.yaml").write_text(profile)

    def score(
        self, name: str, sheets: int, *, chain: bool = False, at_once: int = 2, play: str = "true"
    ) -> str:
        """Writes a score of sheets that run an instrument; its path."""
        lines = [f"name: {name}", f"workspace: ./{name}", f'instrument: "{play}"']
        lines += [f"parallel: {{max_concurrent: {at_once}}}", "sheets:"]
        for num in range(1, sheets + 1):
            needs = f", needs: [s{num - 1}]" if chain and num > 1 else ""
            lines.append(f'  - {{name: s{num}, prompt: "{num}"{needs}}}')
        path = self.place / f"{name}.yaml"
        path.write_text("\n".join(lines) + "\n")
        return str(path)

    def request(self, method: str, **params: Any) -> Any:
        return self.client.request(method, params)

    def submission(self, score: str, **params: Any) -> dict[str, Any]:
        """The parameters of ``job.submit``."""
        return {"config_path": score, "environment": self.env, **params}

    def submit(self, score: str, **params: Any) -> str:
        """The id of the new job."""
        return str(self.request("job.submit", **self.submission(score, **params))["job_id"])

    def wait(self, job_id: str) -> None:
        """Until the job is over; raises if it did not complete."""
        while True:
            try:
                status = self.request("job.wait", job_id=job_id)["status"]
            except DeadlineExceeded:
                continue
            if status != "completed":
                raise RuntimeError(f"job {job_id} {status}")
            return

    def play(self, *scores: str) -> float:
        """Seconds from the submission of scores until all their jobs are over."""
        begun = time.perf_counter()
        for job_id in [self.submit(score) for score in scores]:
            self.wait(job_id)
        return time.perf_counter() - begun

    def play_each(self, score: str, ids: list[str]) -> float:
        """As ``play``, of one score under each of these ids."""
        begun = time.perf_counter()
        for job_id in [self.submit(score, id=name) for name in ids]:
            self.wait(job_id)
        return time.perf_counter() - begun

    @property
    def pid(self) -> int:
        """The conductor's process."""
        return int((self.home / "conductor.pid").read_text().split()[0])

    def memory(self) -> float:
        """Resident memory of the conductor's process in MB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def cpu(self) -> float:
        """Seconds of processor time that its threads have used, to the nanosecond."""
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
