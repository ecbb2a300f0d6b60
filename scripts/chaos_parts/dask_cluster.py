"""A Dask cluster of separate processes on this machine: a scheduler, nannies with a worker each.

Each part can be killed and started again by itself. At the end nothing of it lives.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

DASK = Path(sys.executable).with_name("dask")


def until(condition: Callable[[], Any], what: str, seconds: float = 120.0) -> Any:
    """The condition's first true value; fails when it does not come in time."""
    never, deadline = threading.Event(), time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited too long for {what}"
        never.wait(0.02)
    return value


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody does."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class DaskCluster:
    """``address`` is the scheduler's. ``nannies`` are the processes by the names of their nodes."""

    def __init__(
        self, place: Path, nodes: dict[str, int], tls: Mapping[str, Path] | None = None
    ) -> None:
        self.place, self.nodes, self.tls = place, nodes, tls
        place.mkdir(exist_ok=True)
        self.directory = place / "wardens"
        """Where the nodes' wardens live: ``node_directory`` of the conductor's configuration."""
        self.beside = place / "beside"
        """The same of another executor's, which are no business of whoever looks at ``wardens``."""
        self.port = free_port()
        self.address = f"{'tls' if tls else 'tcp'}://127.0.0.1:{self.port}"
        self.scheduler: subprocess.Popen[bytes] | None = None
        self.nannies: dict[str, subprocess.Popen[bytes]] = {}
        self.reached_by: dict[str, tuple[int, int]] = {}
        """Of nodes that others reach by another port: their worker's, and that one."""
        self._held: set[str] = set()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._tender = threading.Thread(target=self._tend, daemon=True)

    def __enter__(self) -> DaskCluster:
        self.start_scheduler()
        for name in self.nodes:
            self.start_nanny(name)
        self._tender.start()
        return self

    def _tend(self) -> None:
        """Starts nannies that ended by themselves, as a service manager does: they end with the
        scheduler that they were connected to."""
        while not self._over.wait(0.2):
            for name in list(self.nannies):
                with self._lock:  # what is there now: it may have been replaced meanwhile
                    if self.nannies[name].poll() is not None and name not in self._held:
                        self._start_nanny(name)

    def __exit__(self, *_: object) -> None:
        self.close()

    def start_scheduler(self) -> None:
        """Starts it, and waits until it listens."""
        options = ["--host", self.address.rpartition(":")[0], "--port", str(self.port)]
        options += ["--no-dashboard", "--no-jupyter", *self._tls()]
        self.scheduler = self._start("scheduler", ["scheduler", *options])
        until(lambda: listens(self.port), "the scheduler's port")

    def start_nanny(self, name: str) -> None:
        """Starts a node: a nanny, which starts its worker."""
        with self._lock:
            self._held.discard(name)
            self._start_nanny(name)

    def _start_nanny(self, name: str) -> None:
        options = ["--name", name, "--nthreads", str(self.nodes[name]), "--no-dashboard"]
        options += ["--local-directory", str(self.place / name), "--death-timeout", "3600"]
        options += self._tls()
        if name in self.reached_by:
            port, contact = self.reached_by[name]
            options += ["--listen-address", f"tcp://127.0.0.1:{port}"]
            options += ["--contact-address", f"tcp://127.0.0.1:{contact}"]
        else:
            options += ["--host", "127.0.0.1"]
        self.nannies[name] = self._start(name, ["worker", self.address, *options])

    def _tls(self) -> list[str]:
        if self.tls is None:
            return []
        names = {"ca": "--tls-ca-file", "cert": "--tls-cert", "key": "--tls-key"}
        return [word for name, flag in names.items() for word in (flag, str(self.tls[name]))]

    def _start(self, name: str, argv: list[str]) -> subprocess.Popen[bytes]:
        with open(self.place / f"{name}.log", "ab") as log:
            return subprocess.Popen(
                [str(DASK), *argv], stdout=log, stderr=log, cwd=self.place, start_new_session=True
            )

    def worker_pid(self, name: str) -> int | None:
        """The worker below a nanny, which spawned it."""
        nanny = self.nannies[name].pid
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(") ")[2].split()
                line = Path(f"/proc/{entry}/cmdline").read_bytes()
            except OSError:
                continue
            if int(fields[1]) == nanny and b"spawn_main" in line and fields[0] not in "ZX":
                return int(entry)
        return None

    def wardens(self, node: str = "", directory: Path | None = None) -> list[int]:
        """Wardens and their jobs' workers, of one node or of all: what names their directory."""
        found = []
        mark = f"{directory or self.directory}/".encode()
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                words = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
                state = Path(f"/proc/{entry}/stat").read_text().rpartition(") ")[2][0]
            except OSError:
                continue
            mine = any(word.startswith(mark) and node.encode() in word for word in words)
            if mine and b"marianne.executors.warden" in words and state not in "ZX":
                found.append(int(entry))
        return sorted(found)

    def warden(self, node: str) -> int | None:
        """The warden of a node: the one that is not below another."""
        pids = self.wardens(node)
        for pid in pids:
            try:
                parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])
            except OSError:
                continue
            if parent not in pids:
                return pid
        return None

    def own_wardens(self) -> list[int]:
        """The wardens alone, without their jobs' workers."""
        return [pid for name in self.nodes if (pid := self.warden(name)) is not None]

    def tree(self, name: str) -> list[int]:
        """The nanny and its worker."""
        worker = self.worker_pid(name)
        return [self.nannies[name].pid, *([worker] if worker else [])]

    def kill_nanny(self, name: str) -> None:
        """SIGKILL to both, which stay away until they are started; what is not Dask's goes on."""
        with self._lock:
            self._held.add(name)
        for pid in self.tree(name):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.nannies[name].wait()

    def kill_scheduler(self) -> None:
        """SIGKILL."""
        assert self.scheduler is not None
        self.scheduler.kill()
        self.scheduler.wait()

    def close(self) -> None:
        """Ends all of it."""
        self._over.set()
        if self._tender.is_alive():
            self._tender.join()
        for name, nanny in self.nannies.items():
            if nanny.poll() is None:
                for pid in self.tree(name):
                    try:
                        os.kill(pid, signal.SIGCONT)
                    except ProcessLookupError:
                        pass
                self.kill_nanny(name)
        if self.scheduler is not None and self.scheduler.poll() is None:
            self.kill_scheduler()
        for directory in (self.directory, self.beside):
            for pid in self.wardens("", directory):
                for number in (signal.SIGCONT, signal.SIGTERM):
                    try:
                        os.kill(pid, number)
                    except ProcessLookupError:
                        pass
            until(lambda at=directory: not self.wardens("", at), "the wardens' ends")
