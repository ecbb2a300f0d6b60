"""Whoever of heart, conductor, forkserver and worker dies: no process outlives its job.

One sheet holds all kinds of children. The real heart and the real worker, a conductor of paper
between them. The look that counts survivors is this file's own.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgpack
import pytest

import marianne
from marianne.score.pack import pack_plan
from marianne.score.plan import Instrument, Plan, Prompt, SheetPlan

pytestmark = pytest.mark.slow

T = TypeVar("T")
HEART = Path(marianne.__file__).with_name("heart.py")
PAPER = Path(__file__).with_name("paper_conductor.py")
GRACE = 0.5
NASTY = """
sleep 600 >/dev/null 2>&1 &                      # a plain child
sleep 600 &                                      # one that holds stdout
setsid sleep 600 &                               # one in a session of its own
(setsid bash -c 'sleep 600 & ' &)                # a daemon, forked twice
(trap '' TERM; while :; do sleep 0.1; done) &    # one that ignores TERM
env -i setsid -f sleep 600                       # one that shed group, session, environment
for i in $(seq 10); do (for j in $(seq 20); do sleep 600 & done; wait) & done   # a tree of 200
"""
COUNT = 219
UNSET = """
subcommand auto_approve_flag output_format_flag output_format_value model_flag timeout_flag
working_dir_flag prompt_flag stdin_sentinel allowed_tools_flag system_prompt_flag mcp_config_flag
required_env
"""


def wait_for(condition: Callable[[], T], timeout: float = 15.0) -> T:
    deadline = time.monotonic() + timeout
    while not (held := condition()):
        assert time.monotonic() < deadline, "the condition did not hold in time"
        select.select([], [], [], 0.01)
    return held


def start_time(pid: int) -> int | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return None
    return None if text[0] in "ZX" else int(text[19])


def locked(fd: int) -> bool:
    """Takes the lock, which a process that is just dying may still hold."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class House:
    """A home with a heart, a conductor of paper, and one job of one sheet."""

    def __init__(self, folder: Path, script: str = NASTY + "touch up; sleep 600") -> None:
        self.folder = folder
        self.workspace = folder / "ws"
        (folder / "owner").write_text(os.urandom(16).hex() + "\n")
        (folder / "job").mkdir()
        profile = dict.fromkeys(UNSET.split())
        command: dict[str, Any] = {
            "executable": "bash",
            "prompt_via_file": True,
            "prompt_via_stdin": False,
            "leading_flags": [],
            "mcp_disable_args": [],
            "extra_flags": [],
            "env": {},
        }
        shell = Instrument("shell", raw_prompt=True, command=profile | command)
        sheet = SheetPlan(1, "nasty", 1, shell, Prompt(script, script=True))
        plan = Plan("job", str(self.workspace), (sheet,), total_stages=1)
        (folder / "job/plan").write_bytes(pack_plan(plan))
        (folder / "job/env").write_bytes(msgpack.packb({"PATH": os.environ["PATH"]}))
        self.hearts: list[subprocess.Popen[bytes]] = []
        self.orphan_grace = 20.0

    def start(self) -> None:
        """A heart; returns when its conductor serves."""
        lock = os.open(self.folder / "conductor.pid", os.O_RDWR | os.O_CREAT, 0o600)
        wait_for(lambda: locked(lock))
        ready, theirs = os.pipe()
        settings = {
            "job_id": "job",
            "job_dir": str(self.folder / "job"),
            "socket": str(self.folder / "workers.sock"),
            "owner": (self.folder / "owner").read_text().strip(),
            "orphan_grace_seconds": self.orphan_grace,
            "sheet_grace_seconds": GRACE,
        }
        conductor = [sys.executable, str(PAPER), "--home", str(self.folder)]
        heart = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", str(HEART), "--home", str(self.folder)),
                *("--lock-fd", str(lock), "--ready-fd", str(theirs)),
                *("--", *conductor, "--settings", json.dumps(settings)),
            ],
            pass_fds=(lock, theirs),
            cwd=self.folder,
            start_new_session=True,
        )
        self.hearts.append(heart)
        os.close(lock)
        os.close(theirs)
        assert os.read(ready, 1) == b"1"
        os.close(ready)

    def up(self) -> None:
        """Waits until the sheet and all of its children run."""
        wait_for((self.workspace / "up").exists)
        wait_for(lambda: len(self.alive()) >= COUNT)

    def alive(self) -> list[int]:
        """The processes that work in the workspace, workers aside."""
        found = []
        for name in os.listdir("/proc"):
            with contextlib.suppress(OSError):
                if name.isdigit() and os.readlink(f"/proc/{name}/cwd") == str(self.workspace):
                    found.append(int(name))
        return [pid for pid in found if not self.is_worker(pid) and start_time(pid)]

    def is_worker(self, pid: int) -> bool:
        try:
            return b"multiprocessing" in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False

    def of_the_house(self) -> list[int]:
        """Every process that names this folder, the sheet's aside."""
        found = []
        for name in os.listdir("/proc"):
            with contextlib.suppress(OSError):
                if not name.isdigit() or int(name) == os.getpid():
                    continue
                inside = os.readlink(f"/proc/{name}/cwd").startswith(str(self.folder))
                line = Path(f"/proc/{name}/cmdline").read_bytes()
                if (inside or str(self.folder).encode() in line) and start_time(int(name)):
                    found.append(int(name))
        return found

    @property
    def heart(self) -> int:
        return self.hearts[-1].pid

    @property
    def conductors(self) -> list[int]:
        return [int(word) for word in (self.folder / "conductors").read_text().split()]

    @property
    def forkserver(self) -> int:
        return int((self.folder / "forkserver").read_text())

    @property
    def worker(self) -> int:
        pid: int = json.loads((self.folder / "worker").read_text())[0]
        return pid

    def results(self) -> list[dict[str, Any]]:
        try:
            lines = (self.folder / "results").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines if line]

    def kill(self, *pids: int) -> None:
        """SIGKILL to all of them as nearly at once as can be."""
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for heart in self.hearts:
            if heart.pid in pids:
                heart.wait()

    def nothing_left(self, within: float) -> None:
        """Waits until a look finds no process of the sheet."""
        wait_for(lambda: not self.alive(), within)

    def close(self) -> None:
        """Kills by pid what is left."""
        for _ in range(20):
            for pid in {*self.of_the_house(), *self.alive()}:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        for heart in self.hearts:
            heart.wait()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def test_killed_worker(house: House) -> None:
    house.start()
    house.up()
    house.kill(house.worker)
    house.nothing_left(5)


def test_killed_forkserver_hurts_nobody(house: House) -> None:
    house.start()
    house.up()
    house.kill(house.forkserver)
    wait_for(lambda: start_time(house.forkserver) is None)
    assert len(house.alive()) >= COUNT
    worker = house.worker
    house.kill(worker)
    house.nothing_left(5)


def test_killed_conductor_touches_no_sheet(house: House) -> None:
    house.start()
    house.up()
    before, worker = set(house.alive()), house.worker
    for count in (2, 3, 4):
        house.kill(house.conductors[-1])
        wait_for(lambda: len(house.conductors) == count)  # noqa: B023
        wait_for((house.folder / "worker").exists)
        assert house.worker == worker
    assert {p for p in before if start_time(p)} >= {p for p in house.alive() if p in before}
    assert len(house.alive()) >= COUNT
    house.kill(worker)
    house.nothing_left(5)


def test_killed_worker_and_conductor(house: House) -> None:
    house.start()
    house.up()
    before = house.alive()
    house.kill(house.worker, house.conductors[-1])
    wait_for(lambda: not [p for p in before if start_time(p)], 5)


def test_killed_forkserver_and_conductor(house: House) -> None:
    house.start()
    house.up()
    worker = house.worker
    house.kill(house.forkserver, house.conductors[-1])
    wait_for(lambda: len(house.conductors) == 2)
    wait_for(lambda: len(house.alive()) >= COUNT)
    assert start_time(worker)
    assert house.worker == worker


def test_stopped_worker_and_killed_conductor(house: House) -> None:
    house.start()
    house.up()
    before = house.alive()
    os.kill(house.worker, signal.SIGSTOP)
    house.kill(house.conductors[-1])
    wait_for(lambda: not [p for p in before if start_time(p)], 8)


def test_killed_heart_leaves_conductor_and_sheets_alone(house: House) -> None:
    house.start()
    house.up()
    conductor = house.conductors[-1]
    house.kill(house.heart)
    assert start_time(conductor)
    assert len(house.alive()) >= COUNT
    os.kill(conductor, signal.SIGTERM)
    house.nothing_left(5)
    wait_for(lambda: not house.of_the_house())


def test_killed_heart_and_conductor(house: House) -> None:
    house.orphan_grace = 1.0
    house.start()
    house.up()
    house.kill(house.heart, house.conductors[-1])
    house.nothing_left(7)
    wait_for(lambda: not house.of_the_house())


def test_everything_killed_then_started_again(house: House) -> None:
    house.start()
    house.up()
    before = house.alive()
    house.kill(house.heart, house.conductors[-1], house.forkserver, house.worker)
    # Nobody is left who could do it; also the one without any trace goes, by its watermark.
    assert len([p for p in before if start_time(p)]) >= COUNT - 7
    house.start()
    wait_for(lambda: not [p for p in before if start_time(p)], 5)


def test_stop_leaves_nothing_of_the_house(house: House) -> None:
    house.start()
    house.up()
    begin = time.monotonic()
    os.kill(house.heart, signal.SIGTERM)
    assert house.hearts[-1].wait(10) == 0
    assert time.monotonic() - begin < GRACE + 3
    assert house.alive() == []
    assert house.of_the_house() == []


def test_a_counting_sheet_outlives_three_conductors(tmp_path: Path) -> None:
    house = House(tmp_path, "for i in $(seq 60); do echo $i; sleep 0.05; done")
    try:
        house.start()
        for count in (2, 3, 4):
            wait_for((house.folder / "worker").exists)
            house.kill(house.conductors[-1])
            wait_for(lambda: len(house.conductors) == count)  # noqa: B023
        result = wait_for(house.results)[0]
        assert (result["attempt"], result["outcome"]) == (1, "completed")
        out = (house.folder / "job/sheets/1.1.out").read_text().split()
        assert out == [str(n) for n in range(1, 61)]
    finally:
        house.close()
