"""Nasty children, and a look at processes that is the tests' own, not imported from marianne."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from marianne.run.loop import Loop
from marianne.run.nursery import Nursery
from marianne.run.spawn import Command
from marianne.run.watermark import Watermark

T = TypeVar("T")


def wait_for(condition: Callable[[], T], timeout: float = 60.0) -> T:
    """Waits until the condition holds, at most ``timeout`` seconds; answers what it gave."""
    deadline = time.monotonic() + timeout
    while not (held := condition()):
        assert time.monotonic() < deadline, "the condition did not hold in time"
        select.select([], [], [], 0.005)
    return held


def tagged(tag: str) -> list[int]:
    """Pids of living processes whose command line holds ``tag``."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            line = Path(f"/proc/{name}/cmdline").read_bytes()
            state = Path(f"/proc/{name}/stat").read_text().rpartition(") ")[2][0]
        except OSError:
            continue
        if tag.encode() in line and state not in "ZX":
            found.append(int(name))
    return found


def working_in(folder: Path) -> list[int]:
    """Pids of living processes whose working directory is ``folder``."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            if os.readlink(f"/proc/{name}/cwd") == str(folder):
                found.append(int(name))
        except OSError:
            continue
    return found


class Stage:
    """A nursery with a loop and SIGCHLD, as the worker has them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loop = Loop()
        self.owner = uuid4().hex
        self.tag = f"tag-{uuid4().hex}"
        self.nursery = Nursery(self.loop, self.owner, Watermark(self.owner, "a-job", claim=False))
        self.count = 0

    def command(self, script: str, env: dict[str, str] | None = None) -> Command:
        """A bash script; ``$TAG`` in it marks command lines for ``alive``."""
        self.count += 1
        out = self.folder / f"{self.count}.out"
        env = {"PATH": os.environ["PATH"], "MARIANNE_OWNER": self.owner} | (env or {})
        return Command(
            ["bash", "-c", script.replace("$TAG", self.tag), self.tag],
            env,
            str(self.folder),
            str(out),
            str(self.folder / f"{self.count}.err"),
        )

    def turn_until(self, condition: Callable[[], object], timeout: float = 60.0) -> None:
        """Runs the loop until the condition holds."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, "the condition did not hold in time"
            self.loop.turn(0.02)

    def daemons(self) -> list[int]:
        """Those of them that lead a session."""
        found = []
        for pid in self.alive():
            try:
                if os.getsid(pid) == pid:
                    found.append(pid)
            except ProcessLookupError:
                continue
        return found

    def alive(self) -> list[int]:
        """The test's own count of this stage's processes."""
        return tagged(self.tag)
