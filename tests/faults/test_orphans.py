"""Every way for a sheet to end, by the installed program: no process is left over.

One sheet holds all kinds of children; the look that counts survivors is this file's own.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

T = TypeVar("T")
MARIANNE = Path(sys.executable).with_name("marianne")
GRACE = 0.5
SLACK = 5.0
NASTY = """
sleep 600 >/dev/null 2>&1 &
sleep 600 &
setsid sleep 600 &
(setsid bash -c 'sleep 600 & ' &)
(trap '' TERM; while :; do sleep 0.1; done) &
env -i setsid -f sleep 600
for i in $(seq 10); do (for j in $(seq 20); do sleep 600 & done; wait) & done
touch up
"""
COUNT = 219


def wait_for(condition: Callable[[], T], timeout: float = 15.0) -> T:
    deadline = time.monotonic() + timeout
    while not (held := condition()):
        assert time.monotonic() < deadline, "the condition did not hold in time"
        select.select([], [], [], 0.02)
    return held


def field(pid: int, number: int) -> str:
    """A field of /proc/PID/stat, counted from 1; empty when the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return ""
    return "" if text[0] in "ZX" else text[number - 3]


def pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


class Home:
    """A conductor's home and one nasty score."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path, self.workspace = folder, folder / "home", folder / "ws"
        self.path.mkdir(mode=0o700)
        (self.path / "conductor.yaml").write_text(f"sheet_grace_seconds: {GRACE}\n")
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("MARIANNE_")}
        self.env |= {"MARIANNE_HOME": str(self.path)}

    def marianne(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(MARIANNE), *words],
            env=self.env,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=40,
            check=False,
        )

    def run(self, rest: str = "sleep 600", **fields: str) -> None:
        """Submits the nasty sheet; returns when all of its children run."""
        lines = [f"      {line}" for line in (NASTY + rest).strip().splitlines()]
        head = ["name: nasty", "workspace: ./ws", "sheets:", "  - name: all"]
        more = [f"    {key}: {value}" for key, value in fields.items()]
        score = self.folder / "nasty.yaml"
        score.write_text("\n".join([*head, *more, "    run: |", *lines]) + "\n")
        done = self.marianne("run", str(score))
        assert done.returncode == 0, done.stderr
        wait_for(lambda: len(self.alive()) >= COUNT)

    def alive(self) -> list[int]:
        """The processes that work in the workspace, the worker aside."""
        found = []
        for pid in pids():
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/cwd") != str(self.workspace):
                    continue
                if b"multiprocessing" not in Path(f"/proc/{pid}/cmdline").read_bytes() and field(
                    pid, 3
                ):
                    found.append(pid)
        return found

    def ours(self) -> list[int]:
        """Every process whose environment names this home."""
        found = []
        for pid in pids():
            with contextlib.suppress(OSError):
                if str(self.path).encode() in Path(f"/proc/{pid}/environ").read_bytes():
                    found.append(pid)
        return [pid for pid in found if field(pid, 3)]

    @property
    def conductor(self) -> int:
        return int((self.path / "conductor.pid").read_text().split()[0])

    @property
    def forkserver(self) -> int:
        """The conductor's child that makes the workers."""
        return next(
            pid
            for pid in pids()
            if field(pid, 4) == str(self.conductor)
            and b"multiprocessing.forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes()
        )

    @property
    def leader(self) -> int:
        """The sheet's own process: the worker's child that leads the sheet's group."""
        return next(p for p in self.alive() if field(p, 5) == str(p) and field(p, 6) != str(p))

    @property
    def worker(self) -> int:
        return int(field(self.leader, 4))

    def status(self) -> str:
        done = self.marianne("status", "nasty", "--json")
        return str(json.loads(done.stdout).get("status"))

    def none_left(self, seconds: float = GRACE + SLACK) -> None:
        wait_for(lambda: not self.alive(), seconds)

    def close(self) -> None:
        """Kills by pid what a failed test leaves."""
        for _ in range(20):
            for pid in {*self.ours(), *self.alive()}:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    yield made
    made.close()


def test_the_sheet_ends(home: Home) -> None:
    home.run("until [ -e go ]; do sleep 0.02; done")
    (home.workspace / "go").touch()
    home.none_left()
    wait_for(lambda: home.status() == "completed")
    sheet = json.loads(home.marianne("status", "nasty", "--json").stdout)["sheets"][0]
    assert len(sheet["left_running"]) >= 7


def test_the_sheet_runs_out_of_time(home: Home) -> None:
    home.run(timeout="3s")
    home.none_left(3 + GRACE + SLACK)
    wait_for(lambda: home.status() == "failed")


def test_the_leader_is_killed(home: Home) -> None:
    home.run()
    os.kill(home.leader, signal.SIGKILL)
    home.none_left()
    wait_for(lambda: home.status() == "failed")


def test_the_job_is_cancelled(home: Home) -> None:
    home.run()
    assert home.marianne("cancel", "nasty", "--yes").returncode == 0
    assert home.alive() == []


@pytest.mark.parametrize("words", [("stop",), ("stop", "--force")])
def test_the_conductor_is_stopped(home: Home, words: tuple[str, ...]) -> None:
    home.run()
    begin = time.monotonic()
    done = home.marianne(*words)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - begin < GRACE + 3
    assert home.alive() == []
    assert home.ours() == []


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_the_conductor_gets_a_signal_to_stop(home: Home, signum: int) -> None:
    home.run()
    os.kill(home.conductor, signum)
    home.none_left()
    wait_for(lambda: not home.ours())


def test_the_worker_is_killed(home: Home) -> None:
    home.run()
    before = home.alive()
    os.kill(home.worker, signal.SIGKILL)
    wait_for(lambda: not [p for p in before if field(p, 3)], SLACK)


def test_the_forkserver_and_then_the_worker_is_killed(home: Home) -> None:
    home.run()
    before, worker = home.alive(), home.worker
    os.kill(home.forkserver, signal.SIGKILL)
    wait_for(lambda: field(worker, 4) == str(home.conductor))
    assert len(home.alive()) >= COUNT
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: not [p for p in before if field(p, 3)], SLACK)
