"""A home of the installed program, a sheet with nasty children, and a look that counts them.

The look is this file's own: nothing of it comes from marianne. A process belongs to the sheet when
its command line carries this home's token or names the sheet's script, or when it works in the
workspace and is no worker. None of these is what marianne itself goes by.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import warm_program

T = TypeVar("T")
MARIANNE = Path(sys.executable).with_name("marianne")
GRACE = 0.5

# Forks, ends, and goes on in the child, in a new session each time: no look sees it twice. For ten
# minutes, as the sleeps: where a test is killed, nobody else would ever end it.
WANDERER = (
    """python3 -c 'import os, time; end = time.monotonic() + 600; """
    """any(os.fork() or time.monotonic() > end or os.setsid() or time.sleep(0.01) """
    """for _ in iter(int, 1))' 600.TOKEN &"""
)

# What a sheet may leave behind: a line of bash, and how many processes stay. TOKEN stands in the
# command line of each sleep: a child may leave its directory as well.
KINDS: dict[str, tuple[str, int]] = {
    "plain child": ("sleep 600.TOKEN >/dev/null 2>&1 </dev/null &", 1),
    "holds stdout": ("sleep 600.TOKEN &", 1),
    "setsid child": ("setsid -f sleep 600.TOKEN", 1),
    "daemon, forked twice": (
        "(cd / && setsid bash -c '(trap \"\" HUP TERM; sleep 600.TOKEN) &' >/dev/null 2>&1 &)",
        1,
    ),
    "ignores TERM": ("(trap '' TERM INT HUP; while :; do sleep 0.2; done) &", 1),
    "cleared environment": ("(cd / && env -i setsid -f sleep 600.TOKEN)", 1),
    "tree of 200": (
        "for i in $(seq 10); do (for j in $(seq 19); do sleep 600.TOKEN & done; wait) & done",
        200,
    ),
    "tree of 40": (
        "for i in $(seq 4); do (for j in $(seq 9); do sleep 600.TOKEN & done; wait) & done",
        40,
    ),
    "never the same process": (WANDERER, 0),
}

WALLED_KINDS: dict[str, tuple[str, int]] = {
    # The limit that carries our mark is set anew, as a sound server does.
    "sheds everything": (
        "(cd / && env -i prlimit --rttime=1000000000:1000000000 setsid -f sleep 600.TOKEN)",
        1,
    ),
}
"""What carries no proof at all any more: found by a wall, or below a worker that lives."""

EVERY_KIND = KINDS | WALLED_KINDS

FEW = tuple(kind for kind in KINDS if kind != "tree of 200")
"""All kinds, and no more processes than it takes to have them."""

STEPS = (b"os.fork()", b"sleep\x000.")
"""In the command lines of what the children and the sheet itself start and end all the time."""


def wait_for(condition: Callable[[], T], timeout: float = 60.0) -> T:
    """The condition's first true value; AssertionError when it does not come in time."""
    deadline = time.monotonic() + timeout
    while not (held := condition()):
        assert time.monotonic() < deadline, "the condition did not hold in time"
        select.select([], [], [], 0.02)
    return held


def field(pid: int, number: int) -> str:
    """A field of /proc/PID/stat, counted from 1; empty when the process is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return ""
    return "" if text[0] in "ZX" else text[number - 3]


def line_of(pid: int) -> bytes:
    """The command line of a process, with NUL between the words; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


class Home:
    """One home, one score ``nasty`` with one sheet. ``close`` kills by pid whatever is left.

    With a ``house`` it is that home once more, for another job of another folder: the one before
    it has ended, and its conductor may still run.
    """

    def __init__(self, folder: Path, orphan_grace: float = 20.0, house: Home | None = None) -> None:
        self.folder, self.workspace, self.job = folder, folder / "ws", "nasty"
        self.path = house.path if house else folder / "home"
        self.token = str(random.randrange(10**11, 10**12))
        if house is None:
            self.path.mkdir(mode=0o700)
            config = f"sheet_grace_seconds: {GRACE}\norphan_grace_seconds: {orphan_grace}\n"
            (self.path / "conductor.yaml").write_text(config)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("MARIANNE_")}
        self.env |= {"MARIANNE_HOME": str(self.path)}

    def marianne(self, *words: str) -> subprocess.CompletedProcess[str]:
        return warm_program.call(words, env=self.env, cwd=self.folder, timeout=50)

    def must(self, *words: str) -> str:
        """Runs it; its standard output. AssertionError when it exits otherwise than 0."""
        done = self.marianne(*words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    # -- the sheet

    def run(
        self,
        kinds: Sequence[str] = FEW,
        timeout: str | None = None,
        *,
        isolated: bool = False,
    ) -> None:
        """Submits the sheet and returns when all of these children run; ``isolated``: in a
        namespace of processes of their own.

        It ends when the file ``go`` appears. Another attempt of it does nothing and ends well.
        """
        lines = [
            "if [ -e up ]; then exit 0; fi",
            *(EVERY_KIND[kind][0].replace("TOKEN", self.token) for kind in kinds),
            "touch up",
            "until [ -e go ]; do sleep 0.05; done",
        ]
        walls = ["sandbox: {isolate: true}"] if isolated else []
        head = ["name: nasty", "workspace: ./ws", *walls, "sheets:", "  - name: all"]
        more = [] if timeout is None else [f"    timeout: {timeout}"]
        body = [f"      {line}" for line in lines]
        score = self.folder / "nasty.yaml"
        score.write_text("\n".join([*head, *more, "    run: |", *body]) + "\n")
        self.job = json.loads(self.must("run", str(score), "--json"))["job_id"]
        count = 1 + sum(EVERY_KIND[kind][1] for kind in kinds)
        wait_for(lambda: (self.workspace / "up").exists() and len(self.alive()) >= count)

    def alive(self) -> list[int]:
        """The living processes of the sheet."""
        return [pid for pid in pids() if self._is_of_the_sheet(pid) and field(pid, 3)]

    def lasting(self) -> list[int]:
        """Of these, who stays until somebody ends it: no step of a loop, however long it takes."""
        return [pid for pid in self.alive() if not any(step in line_of(pid) for step in STEPS)]

    def _is_of_the_sheet(self, pid: int) -> bool:
        line, place = line_of(pid), ""
        with contextlib.suppress(OSError):
            place = os.readlink(f"/proc/{pid}/cwd")
        if b"600." + self.token.encode() in line:
            return True
        if str(self.path / "jobs").encode() in line:
            return True
        return place == str(self.workspace) and b"multiprocessing" not in line

    def ours(self) -> list[int]:
        """Every living process whose environment or command line names this home."""
        name, found = str(self.path).encode(), []
        for pid in pids():
            if pid == os.getpid():
                continue
            with contextlib.suppress(OSError):
                said = Path(f"/proc/{pid}/environ").read_bytes()
                said += Path(f"/proc/{pid}/cmdline").read_bytes()
                if name in said and field(pid, 3):
                    found.append(pid)
        return found

    @property
    def leader(self) -> int:
        """The sheet's own process: it leads the sheet's group and is no session's leader."""
        return next(p for p in self.alive() if field(p, 5) == str(p) and field(p, 6) != str(p))

    @property
    def worker(self) -> int:
        return int(field(self.leader, 4))

    # -- the house

    @property
    def conductor(self) -> int:
        return int((self.path / "conductor.pid").read_text().split()[0])

    @property
    def heart(self) -> int:
        return int((self.path / "conductor.pid").read_text().split()[1])

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
    def walled(self) -> bool:
        """Whether its sheets stand in control groups."""
        return (self.path / "cgroup").exists()

    def groups(self) -> list[Path]:
        """The control groups of this home that are there, the inner ones first."""
        if not self.walled:
            return []
        base = Path((self.path / "cgroup").read_text().strip())
        return [one for one in (*base.glob("*/*/"), *base.glob("*/"), base) if one.exists()]

    def status(self) -> dict[str, Any]:
        """The job's status as JSON; empty while nobody answers."""
        done = self.marianne("status", self.job, "--json")
        return dict(json.loads(done.stdout)) if done.returncode == 0 else {}

    def sheet(self) -> dict[str, Any]:
        return dict(self.status()["sheets"][0])

    def ends(self, status: str) -> dict[str, Any]:
        """Waits for the job's end, which must be this one; its sheet."""
        done = self.marianne("wait", self.job, "--timeout", "30")
        found = self.status()
        assert found.get("status") == status, (found, done.stderr)
        return dict(found["sheets"][0])

    def serves(self) -> bool:
        """Whether a conductor answers."""
        return self.marianne("ready").returncode == 0

    def close(self) -> None:
        """Kills by pid what a failed test leaves."""
        for _ in range(20):
            for pid in {*self.ours(), *self.alive()}:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        for group in self.groups():
            with contextlib.suppress(OSError):
                group.rmdir()


def kill(*victims: int) -> None:
    """SIGKILL to all of them at once: none of them acts after the first has died.

    Returns when they are dead: one that is still dying holds the lock of its home.
    """
    started = [field(pid, 22) for pid in victims]
    for pid in victims:
        os.kill(pid, signal.SIGSTOP)
    for pid in victims:
        with contextlib.suppress(ProcessLookupError):  # a helper ends with who has it on a leash
            os.kill(pid, signal.SIGKILL)
    for pid, start in zip(victims, started, strict=True):
        wait_for(lambda pid=pid, start=start: field(pid, 22) != start)
