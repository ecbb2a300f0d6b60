"""A conductor of paper: the least that starts, adopts, hears and sweeps one worker of one job.

It stands between the real heart and the real worker, so that deaths of each can be tested without
the daemon. Files in its home tell the test what happened: ``worker`` (pid and start time),
``results`` (a line each), ``conductors`` (pids), ``forkserver`` (pid).
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import sys
import time
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import Any

import msgpack
import zmq

from marianne.run import confine, procfs
from marianne.run.worker import worker_main

SILENCE_SECONDS = 1.0
JOB = "job"


class PaperConductor:
    """``settings`` are the worker's; grants sheet 1 as soon as a worker says hello idle."""

    def __init__(self, home: Path, ready: int, settings: dict[str, Any]) -> None:
        self.home, self.ready, self.settings = home, ready, settings
        self.owner = (home / "owner").read_text().strip()
        self.stopping = False
        self.attempt = 1

    def run(self) -> None:
        confine.become_subreaper()
        signal.signal(signal.SIGTERM, self._term)
        with (self.home / "conductors").open("a") as file:
            print(os.getpid(), file=file)
        multiprocessing.set_forkserver_preload(["marianne.run.worker"])
        self.router = zmq.Context().socket(zmq.ROUTER)
        self.router.setsockopt(zmq.ROUTER_HANDOVER, 1)
        self.router.bind(f"ipc://{self.home}/workers.sock")
        self.worker = self._recorded() or self._start()
        confine.sweep_orphans(self.owner, spare=[self.worker[0]])
        os.write(self.ready, b"1")
        heard = time.monotonic()
        said_hello = False
        while self._alive():
            if self.router.poll(20):
                said_hello = self._hear() or said_hello
            if not said_hello and time.monotonic() - heard > SILENCE_SECONDS:
                confine.signal_exact(*self.worker, signal.SIGKILL)
        confine.sweep_orphans(self.owner, JOB)
        (self.home / "worker").unlink()
        while not self.stopping:
            signal.pause()
        confine.sweep_orphans(self.owner)
        for helper in self._helpers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(helper, signal.SIGKILL)
        os._exit(0)

    def _term(self, *_: object) -> None:
        self.stopping = True
        if (self.home / "worker").exists():
            stop = {"kind": "stop", "grace": 0.5, "category": "stopped"}
            self.router.send_multipart([self.identity, msgpack.packb(stop)])

    def _recorded(self) -> tuple[int, int] | None:
        try:
            pid, start = json.loads((self.home / "worker").read_text())
        except FileNotFoundError:
            return None
        if procfs.start_time(pid) == start:
            return pid, start
        confine.sweep_orphans(self.owner, JOB)
        self.attempt += 1
        return None

    def _start(self) -> tuple[int, int]:
        mine = {
            "conductor_pid": os.getpid(),
            "conductor_start_time": procfs.start_time(os.getpid()),
        }
        context = multiprocessing.get_context("forkserver")
        process = context.Process(target=worker_main, args=(self.settings | mine,))
        process.start()
        assert process.pid is not None
        start = procfs.start_time(process.pid)
        assert start is not None
        (self.home / "worker").write_text(json.dumps([process.pid, start]))
        (self.home / "forkserver").write_text(str(self._helpers()[0]))
        self.process = process
        return process.pid, start

    @staticmethod
    def _helpers() -> list[int]:
        pids = (forkserver._forkserver._forkserver_pid, resource_tracker._resource_tracker._pid)  # type: ignore[attr-defined]
        return [pid for pid in pids if pid]

    def _alive(self) -> bool:
        look = procfs.stat(self.worker[0])
        return look is not None and not look.dead and look.start_time == self.worker[1]

    def _hear(self) -> bool:
        self.identity, payload = self.router.recv_multipart()
        if not payload:
            return False
        message = msgpack.unpackb(payload, strict_map_key=False)
        if message["kind"] == "hello":
            pid = os.getpid()
            self._send(kind="welcome", pid=pid, start_time=procfs.start_time(pid))
            if not message["running"] and not message["unacked"]:
                self._send(kind="run", slots=None, sheets=[{"num": 1, "attempt": self.attempt}])
        results = message.get("results") or message.get("unacked") or []
        with (self.home / "results").open("a") as file:
            for result in results:
                print(json.dumps(result), file=file)
        self._send(kind="ack", serials=[result["serial"] for result in results])
        return True

    def _send(self, **message: Any) -> None:
        self.router.send_multipart([self.identity, msgpack.packb(message)])


if __name__ == "__main__":
    given = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
    PaperConductor(
        Path(given["--home"]), int(given["--ready-fd"]), json.loads(given["--settings"])
    ).run()
