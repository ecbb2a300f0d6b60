"""A conductor made of one ROUTER socket, and a worker process that talks to it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgpack
import zmq
from run_stage import tagged, working_in

from marianne.model.plan import Instrument, Plan, Prompt, SheetPlan
from marianne.score.pack import pack_plan

_WORKER = """
import json, sys
from multiprocessing import Pipe
from marianne.run.worker import worker_main
settings = json.loads(sys.argv[1])
theirs, ours = Pipe(duplex=False)
ours.send(settings)
place = settings["job_dir"] + "/rehearsal"
worker_main(theirs, settings["socket"], place, settings["owner"], settings["name"].encode())
"""

SHELL = Instrument(
    profile="shell",
    raw_prompt=True,
    command={
        "executable": "bash",
        "leading_flags": ["-eu", "-o", "pipefail"],
        "subcommand": None,
        "auto_approve_flag": None,
        "output_format_flag": None,
        "output_format_value": None,
        "model_flag": None,
        "timeout_flag": None,
        "working_dir_flag": None,
        "prompt_flag": None,
        "prompt_via_file": True,
        "prompt_via_stdin": False,
        "stdin_sentinel": None,
        "allowed_tools_flag": None,
        "system_prompt_flag": None,
        "mcp_config_flag": None,
        "mcp_disable_args": [],
        "extra_flags": [],
        "env": {},
        "required_env": None,
    },
    errors={"success_exit_codes": [0]},
)


def start_time(pid: int) -> int:
    """Field 22 of /proc/PID/stat, the test's own reading."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[19])


class Conductor:
    """Binds, starts workers, collects their messages. ``rebind`` plays a new conductor.

    The worker watches a process of ours that does nothing, so that a test can kill it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tag = f"tag-{uuid4().hex}"
        self.owner = uuid4().hex
        self.workspace = folder / "ws"
        self.job_dir = folder / "job"
        self.job_dir.mkdir()
        self.address = f"ipc://{folder}/w.sock"
        self.context = zmq.Context()
        self.messages: list[dict[str, Any]] = []
        self.results: dict[tuple[int, int], dict[str, Any]] = {}
        self.acking = True
        self.identity = b""
        self.workers: list[subprocess.Popen[bytes]] = []
        self.stand_ins: list[subprocess.Popen[bytes]] = []
        self.bind()

    # -- life

    def bind(self) -> None:
        """Opens the socket, with a new process standing in for the conductor's."""
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.bind(self.address)
        self.stand_in = subprocess.Popen(["sleep", "600"])
        self.stand_ins.append(self.stand_in)

    def die(self) -> None:
        """As kill -9: the process is gone, the socket closed, what was in flight lost."""
        self.stand_in.kill()
        self.stand_in.wait()
        self.socket.close(0)

    def rebind(self) -> None:
        """A new conductor in the place of the dead one."""
        self.messages.clear()
        self.bind()

    def close(self) -> None:
        """Kills by pid what this conductor started and what its sheets left."""
        for process in (*self.workers, *self.stand_ins):
            process.kill()
            process.wait()
        for pid in self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        self.socket.close(0)
        self.context.term()

    def start(self, *scripts: str | SheetPlan, **settings: Any) -> subprocess.Popen[bytes]:
        """A worker for a job of these sheets; ``$TAG`` in a script marks its processes."""
        sheets = tuple(
            self.sheet(num, each) if isinstance(each, str) else each
            for num, each in enumerate(scripts, 1)
        )
        plan = Plan("test", str(self.workspace), sheets, total_stages=len(sheets))
        (self.job_dir / "plan").write_bytes(pack_plan(plan))
        (self.job_dir / "env").write_bytes(msgpack.packb({"PATH": os.environ["PATH"]}))
        return self.start_again(**settings)

    def start_again(self, **settings: Any) -> subprocess.Popen[bytes]:
        """A worker for the same job directory."""
        data = {
            "job_id": "test",
            "job_dir": str(self.job_dir),
            "socket": str(self.folder / "w.sock"),
            "owner": self.owner,
            "name": f"worker-{uuid4().hex}",
            "conductor_pid": self.stand_in.pid,
            "conductor_start_time": start_time(self.stand_in.pid),
            "orphan_grace_seconds": 30.0,
            "sheet_grace_seconds": 0.3,
        } | settings
        worker = subprocess.Popen([sys.executable, "-c", _WORKER, json.dumps(data)])
        self.workers.append(worker)
        return worker

    def sheet(self, num: int, script: str, **fields: Any) -> SheetPlan:
        """One sheet for the shell."""
        return SheetPlan(
            num=num,
            name=f"s{num}",
            stage=num,
            instrument=SHELL,
            prompt=Prompt(script.replace("$TAG", self.tag), script=True),
            **fields,
        )

    # -- talk

    def send(self, **message: Any) -> None:
        """To the worker that spoke last."""
        self.socket.send_multipart([self.identity, msgpack.packb(message)])

    def run(self, *nums: int, slots: int | None = None, attempt: int = 1, **more: Any) -> None:
        """Grants these sheets."""
        sheets = [{"num": n, "attempt": attempt} | more for n in nums]
        self.send(kind="run", slots=slots, sheets=sheets)

    def welcome(self) -> None:
        """Takes the worker on."""
        pid = self.stand_in.pid
        self.send(kind="welcome", pid=pid, start_time=start_time(pid))

    def until(self, condition: Callable[[], Any], timeout: float = 60.0) -> Any:
        """Receives, welcomes and acknowledges until the condition holds."""
        deadline = time.monotonic() + timeout
        while not (held := condition()):
            assert time.monotonic() < deadline, f"not in time; got {self.messages}"
            if self.socket.closed:
                select.select([], [], [], 0.01)
            elif self.socket.poll(20):
                self._receive()
        return held

    def _receive(self) -> None:
        self.identity, payload = self.socket.recv_multipart()
        if not payload:  # a new connection announces itself
            return
        message = msgpack.unpackb(payload, strict_map_key=False)
        self.messages.append(message)
        if message["kind"] == "hello":
            self.welcome()
        news = message.get("results") or message.get("unacked") or ()
        for result in news:
            self.results[result["num"], result["attempt"]] = result
        if news and self.acking:
            self.send(kind="ack", serials=[r["serial"] for r in news])

    def hello(self) -> dict[str, Any]:
        """Waits for a hello."""
        return self.until(lambda: self.of("hello"))[-1]  # type: ignore[no-any-return]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The messages of a kind so far."""
        return [m for m in self.messages if m["kind"] == kind]

    def result(self, num: int = 1, attempt: int = 1) -> dict[str, Any]:
        """Waits for an attempt's result."""
        return self.until(lambda: self.results.get((num, attempt)))  # type: ignore[no-any-return]

    def started(self, num: int) -> int:
        """Waits for the report that a sheet runs; answers its pid."""

        def found() -> list[int]:
            sheets = [s for m in self.of("results") for s in m["started"]]
            return [pid for n, _, pid, _ in sheets if n == num]

        return self.until(found)[-1]  # type: ignore[no-any-return]

    def alive(self) -> list[int]:
        """The test's own count of this conductor's sheets' processes."""
        mine = {worker.pid for worker in self.workers}
        return sorted({*tagged(self.tag), *working_in(self.workspace)} - mine)
