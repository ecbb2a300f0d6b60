"""A warden as a process of its own, and the other end of its socket."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from ipc import codec
from marianne.environment import packable
from marianne.executors.stream_line import StreamLine
from marianne.model.plan import Instrument, Plan, Prompt, SheetPlan
from marianne.run.spool import read_spool
from marianne.score.pack import pack_plan

SHELL = Instrument(
    profile="shell",
    raw_prompt=True,
    command={
        "executable": "bash",
        "leading_flags": ["-eu", "-o", "pipefail"],
        "prompt_via_file": True,
        "prompt_via_stdin": False,
        "mcp_disable_args": [],
        "extra_flags": [],
        "env": {},
        **dict.fromkeys(
            (
                *("subcommand", "auto_approve_flag", "output_format_flag", "required_env"),
                *("output_format_value", "model_flag", "timeout_flag", "working_dir_flag"),
                *("prompt_flag", "stdin_sentinel", "allowed_tools_flag", "system_prompt_flag"),
                "mcp_config_flag",
            )
        ),
    },
    errors={"success_exit_codes": [0]},
)


def alive(tag: str) -> list[int]:
    """Pids of living processes whose command line holds ``tag``: the tests' own look."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = Path(f"/proc/{name}/cmdline").read_bytes()
            state = Path(f"/proc/{name}/stat").read_text().rpartition(") ")[2][0]
        except OSError:
            continue
        if tag.encode() in line and state not in "ZX" and int(name) != os.getpid():
            found.append(int(name))
    return found


def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Waits for it."""
    deadline = time.monotonic() + seconds
    while not (held := condition()):
        assert time.monotonic() < deadline, "the condition did not hold in time"
        select.select([], [], [], 0.01)
    return held


class Node:
    """One warden; ``renews`` says whether its lease is renewed while its messages are read."""

    program: tuple[str, ...] = ("-m", "marianne.executors.warden")

    def __init__(
        self, folder: Path, name: str = "node-1", lease: float = 60.0, **more: Any
    ) -> None:
        self.folder, self.name = folder, name
        self.job_dir, self.workspace = folder.parent / "job", folder.parent / "ws"
        self.tag = f"tag-{uuid4().hex}"
        self.renews = True
        self.heard: list[dict[str, Any]] = []
        self.processes: list[subprocess.Popen[bytes]] = []
        folder.mkdir(mode=0o700)
        self.workspace.mkdir(exist_ok=True)
        settings = {
            "node": name,
            "owner": uuid4().hex,
            "lease_seconds": lease,
            "sheet_grace_seconds": 0.5,
            **more,
        }
        (folder / "settings").write_bytes(codec.pack(settings))
        self.line: StreamLine | None = None

    def start(self) -> subprocess.Popen[bytes]:
        """Starts the warden and connects."""
        process = self.spawn()
        self.connect()
        return process

    def spawn(self) -> subprocess.Popen[bytes]:
        """Starts the warden, for somebody else to connect: it hears the newest alone."""
        argv = [sys.executable, *self.program, str(self.folder)]
        with open(self.folder / "err", "ab") as err:
            process = subprocess.Popen(argv, stderr=err)
        self.processes.append(process)
        return process

    def connect(self) -> dict[str, Any]:
        """A new connection; returns the hello."""
        if self.line is not None:
            self.line.close()
        self.heard.clear()

        def connected() -> socket.socket | None:
            link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                link.connect(str(self.folder / "warden.sock"))
            except OSError:
                link.close()
                return None
            return link

        self.line = StreamLine(until(connected))
        return self.wait("hello")

    def send(self, kind: str, **fields: Any) -> None:
        """To the warden."""
        assert self.line is not None
        self.line.send({"kind": kind, **fields})

    def pump(self, seconds: float = 0.05) -> None:
        """Reads what came, and renews the lease."""
        assert self.line is not None
        select.select([self.line.fileno()], [], [], seconds)
        for message in self.line.drain():
            if message["kind"] == "beat" and self.renews:
                self.send("renew", at=message["at"])
            self.heard.append(message)

    def wait(self, kind: str, job: str | None = None, **like: Any) -> dict[str, Any]:
        """The first message of that kind (or of that kind of the job's worker) with such fields;
        it and those before it are forgotten."""

        def fits(message: dict[str, Any]) -> bool:
            inner = message.get("message", {}) if job else message
            same = inner.get("kind") == (job or kind)
            return same and all(inner.get(name) == value for name, value in like.items())

        deadline = time.monotonic() + 60.0
        while True:
            for at, message in enumerate(self.heard):
                if fits(message):
                    del self.heard[: at + 1]
                    return dict(message.get("message", message)) if job else message
            assert time.monotonic() < deadline, f"no {job or kind} in time: {self.heard}"
            self.pump()

    def open(self, *scripts: str, job_id: str = "a-job") -> None:
        """Opens a job of these scripts, once the lease is held."""
        self.wait("beat")
        self.job_dir.mkdir(exist_ok=True)
        sheets = tuple(
            SheetPlan(num, f"s{num}", 1, SHELL, Prompt(script.replace("$TAG", self.tag)))
            for num, script in enumerate(scripts, 1)
        )
        plan = Plan("job", str(self.workspace), sheets, total_stages=1)
        (self.job_dir / "plan").write_bytes(pack_plan(plan))
        env = packable({"PATH": os.environ["PATH"]})
        (self.job_dir / "env").write_bytes(codec.pack(env))
        settings = {
            "job_id": job_id,
            "job_dir": str(self.job_dir),
            "spool": str(self.job_dir / "nodes" / self.name / "spool"),
            "orphan_grace_seconds": 0.3,
            "sheet_grace_seconds": 0.5,
        }
        self.send("open", settings=settings)

    def run(self, *attempts: tuple[int, int], job_id: str = "a-job") -> None:
        """Grants them."""
        sheets = [{"num": num, "attempt": attempt} for num, attempt in attempts]
        message = {"kind": "run", "slots": None, "sheets": sheets}
        self.send("job", job_id=job_id, message=message)

    def results(self, count: int) -> list[dict[str, Any]]:
        """So many results."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            message = self.wait("job", job="results")
            found += message["results"]
        return found

    def spooled(self) -> list[str]:
        """The categories of the results that its spool has of the job, the oldest first."""
        results = read_spool(str(self.job_dir / "nodes" / self.name / "spool"))
        return [result["category"] for result in results]

    def workers(self) -> list[int]:
        """The worker processes below the last warden."""
        pid = self.processes[-1].pid
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def close(self) -> None:
        """Ends all."""
        if self.line is not None:
            self.line.close()
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(20.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pid in alive(self.tag):
            os.kill(pid, signal.SIGKILL)
