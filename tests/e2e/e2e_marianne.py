"""The installed program with a home of its own, as a user would run it."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import warm_program
import yaml

from ipc.client import Client
from ipc.errors import RemoteError

PROGRAM = Path(sys.executable).with_name("marianne")


@dataclass(frozen=True)
class Done:
    """What a call of the program left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The condition's first true value; fails when it does not come in time.

    The deadline says that something hangs, not that it is slow: a machine may be busy.
    """
    never = threading.Event()
    deadline = time.monotonic() + seconds
    pause = 0.01
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited too long for {condition}"
        never.wait(pause)
        pause = min(pause * 1.3, 0.1)
    return value


SLOTS = "MARIANNE_MAX_CONCURRENT_SHEETS"
USUAL = {"max_concurrent_sheets": 25}
"""In the file of a home whose settings tests change: a variable would go before it."""


MISTAKES = tuple(
    f"error: {kind.__name__}"
    for kind in (
        ArithmeticError, AssertionError, AttributeError, IndexError, KeyError, NameError,
        TypeError, UnboundLocalError, UnicodeError, ValueError, ZeroDivisionError,
    )
)  # fmt: skip
"""How the log begins to tell of a crash that no fault of the machine explains."""


@contextmanager
def conductor(
    place: Path, config: str = "", env: Mapping[str, str] | None = None
) -> Iterator[Marianne]:
    """One that runs, for several tests; at the end no process of its home lives."""
    program = Marianne(place)
    program.env |= env or {}
    program.home.mkdir(mode=0o700)
    if config:
        (program.home / "conductor.yaml").write_text(config)
        if "max_concurrent_sheets" in config:
            del program.env[SLOTS]
    program("start")
    try:
        yield program
    finally:
        program("stop", "--force", code=None)
    until(lambda: not program.processes())
    assert program.mistakes() == []


class Marianne:
    """One home: its directory, its program, its processes."""

    def __init__(self, place: Path, home: Path | None = None) -> None:
        self.place = place
        self.home = home or place / "home"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("MARIANNE")}
        self.env |= {"MARIANNE_HOME": str(self.home), "MARIANNE_FAULTS": "1", "NO_COLOR": "1"}
        # What a test shows does not depend on how many processors there are.
        self.env[SLOTS] = "25"

    def __call__(self, *argv: str, code: int | None = 0, timeout: float = 60.0) -> Done:
        """Runs the program and checks its exit code (None: any)."""
        process = warm_program.call(argv, env=self.env, cwd=self.place, timeout=timeout)
        done = Done(process.returncode, process.stdout, process.stderr)
        assert code is None or done.code == code, (argv, done)
        return done

    def score(self, name: str, text: str) -> str:
        """Writes a score into the place; its path."""
        path = self.place / f"{name}.yaml"
        path.write_text(f"name: {name}\nworkspace: ./{name}\n{text}")
        return str(path)

    def submit(self, name: str, text: str) -> str:
        """Submits a score; the job's id. Its workspace is there: tests put files into it."""
        (self.place / name).mkdir(exist_ok=True)
        return str(self("run", self.score(name, text), "--json").json["job_id"])

    def play(self, name: str, text: str, code: int = 0) -> str:
        """Runs a score to its end; the job's id."""
        return str(
            self("run", self.score(name, text), "--wait", "--json", code=code).json["job_id"]
        )

    def status(self, job: str) -> dict[str, Any]:
        """What the verb prints with --json, asked without a process of its own: tests ask often."""
        return dict(self.request("job.status", {"job_id": job}))

    def sheet(self, job: str, num: int) -> dict[str, Any]:
        return dict(self.status(job)["sheets"][num - 1])

    def wait(self, job: str, code: int | None = 0) -> dict[str, Any]:
        done = self("wait", job, "--timeout", "50", code=None)
        assert code is None or done.code == code, (done, self.status(job))
        return dict(self("status", job, "--json").json)

    def request(self, method: str, params: dict[str, Any] | None = None) -> Any:
        with Client(self.home / "conductor.sock") as client:
            return client.request(method, params or {}, deadline=30.0)

    def configure(self, text: str = "") -> None:
        """These settings and else the usual ones; a conductor that runs takes them."""
        settings = USUAL | (yaml.safe_load(text) or {})
        (self.home / "conductor.yaml").write_text(json.dumps(settings))
        told = self("reload", "--json", code=None)
        assert told.code == 3 or told.json["restart_needed"] == [], told

    def crash(self, actor: str) -> None:
        """Makes the named actor fail at its next message."""
        self.request("daemon.fault", {"name": actor})

    def tree(self) -> dict[str, dict[str, Any]]:
        """Every node of the tree by its name."""
        nodes: dict[str, dict[str, Any]] = {}
        todo = list(self.request("daemon.tree"))
        while todo:
            node = todo.pop()
            nodes[node["name"]] = node
            todo += node["children"]
        return nodes

    def pids(self) -> dict[str, int]:
        """The conductor's and the heart's pid, by the lock's file."""
        conductor, heart = (self.home / "conductor.pid").read_text().split()[:2]
        return {"conductor": int(conductor), "heart": int(heart)}

    def serves(self) -> bool:
        try:
            return bool(self.request("hello"))
        except (RemoteError, TimeoutError):
            return False

    def mistakes(self) -> list[str]:
        """Of its log: actors that failed by a mistake of ours. Supervision goes on over them, and
        nobody would see it."""
        found = []
        for file in (self.home / "logs").glob("conductor.log*"):
            for line in file.read_text(errors="replace").splitlines():
                if '"actor_crashed"' in line and line.startswith("{") and line.endswith("}"):
                    error = json.loads(line)["error"]
                    found += [error] if error.startswith(MISTAKES) else []
        return found

    def processes(self) -> dict[int, str]:
        """Living processes of this home, by the home in their environment: our own look."""
        mark = f"MARIANNE_HOME={self.home}".encode()
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if mark in (entry / "environ").read_bytes().split(b"\0") and state != "Z":
                    line = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                    found[int(entry.name)] = line.decode(errors="replace")
            except OSError:
                continue
        return found
