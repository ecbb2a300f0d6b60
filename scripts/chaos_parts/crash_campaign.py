"""A real conductor, real jobs, several clients; something of it dies again and again.

After each death: it recovers by itself, and every invariant holds as seen from outside.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from crash_checks import TERMINAL, Witness, of_home
from crash_clients import Customer, Ledger
from crash_power import Outage

from ipc.client import Client
from ipc.errors import IpcError, RemoteError
from marianne.crashpoints import POINTS, VARIABLE

PROGRAM = Path(sys.executable).with_name("marianne")
# Retention is not what is tried here: the witness looks at each job to the end.
CONFIG = """sheet_grace_seconds: 0.5
max_concurrent_jobs: 8
max_concurrent_sheets: 12
max_job_history: 1000000
"""
RECOVERY = 30.0
"""Seconds within which a conductor serves again after any death."""

# Kinds of death and how often each is chosen.
KINDS = {"conductor": 35, "point": 30, "actor": 15, "worker": 12, "both": 5, "heart": 3}
ACTORS = ("store", "services", "scheduler", "jobs", "manager", "server")
SERVICES = ("events", "monitor", "rates", "learning", "parser", "health", "notifications",
            "retention", "schedules", "link", "beside", "spare")  # fmt: skip


@dataclass
class Plan:
    """What a campaign is made of. ``live`` jobs a client keeps, ``sheets`` and ``longest`` (in
    seconds) of each at most; an outage every ``outage`` deaths, cut at ``cuts`` random places."""

    kills: int
    seed: int
    clients: int = 3
    live: int = 3
    sheets: int = 14
    longest: float = 1.5
    outage: int = 10
    cuts: int = 3


@dataclass
class Report:
    """What happened."""

    kinds: Counter[str] = field(default_factory=Counter)
    with_running: int = 0
    outages: int = 0
    requests: int = 0
    jobs: int = 0
    acks: int = 0
    events: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)


class Campaign:
    """One home below ``place``, which must be empty."""

    def __init__(self, place: Path, plan: Plan, say: Callable[[str], object] = lambda _: None):
        self.place, self.plan, self.report, self._say = place, plan, Report(), say
        self._home = place / "home"
        self._points = place / "points"
        self._random = Random(plan.seed)
        self._env = {k: v for k, v in os.environ.items() if not k.startswith("MARIANNE")}
        self._env |= {
            "MARIANNE_HOME": str(self._home),
            "MARIANNE_FAULTS": "1",
            VARIABLE: str(self._points),
        }
        self._db = self._home / "state.db"
        self._ledger = Ledger(self._db)
        self._witness = Witness(place, self._db, self._ledger)
        self._pause = threading.Event()

    def run(self) -> Report:
        """The campaign, to the end of its last job; never leaves a process."""
        begun = time.monotonic()
        self._points.mkdir()
        self._home.mkdir(mode=0o700)
        (self._home / "conductor.yaml").write_text(CONFIG)
        self._marianne("start")
        try:
            self._kill_and_kill()
            self._settle()
        finally:
            self._marianne("stop", "--force", check=False)
        self._until(lambda: not of_home(self._home, self.place), 60.0, "leftover processes", True)
        self._look("after the stop")
        report, ledger = self.report, self._ledger
        report.wrong += self._witness.untold()
        report.wrong += ledger.wrong
        report.requests, report.acks, report.jobs = (
            ledger.requests,
            len(ledger.acks),
            len(ledger.scores),
        )
        report.events = self._witness.events
        report.seconds = time.monotonic() - begun
        return report

    # -- deaths ---------------------------------------------------------------------------------

    def _kill_and_kill(self) -> None:
        plan = self.plan
        shape = (plan.live, plan.sheets, plan.longest)
        customers = [
            Customer(
                self.place, self._home / "conductor.sock", self._ledger, plan.seed * 100 + n, shape
            )
            for n in range(plan.clients)
        ]
        for customer in customers:
            customer.start()
        self._until(lambda: self._running() > 0, 60.0, "a first running sheet")
        for number in range(1, plan.kills + 1):
            self._wait_a_little()
            if plan.outage and number % plan.outage == 0:
                self._outage(number)
            kind = self._random.choices(tuple(KINDS), tuple(KINDS.values()))[0]
            running = self._running()
            what = getattr(self, f"_kill_{kind}")()
            self.report.kinds[kind] += 1
            self.report.with_running += running > 0
            took = self._recovered()
            self.report.slowest = max(self.report.slowest, took)
            self._say(f"{number:4} {what}, {running} sheets running, serves after {took:.2f} s")
            self._look(f"death {number} ({what})")
        for customer in customers:
            customer.finish()
        for customer in customers:
            customer.join(90.0)
            if customer.is_alive():
                self.report.wrong.append(f"{customer.name} still waits for an answer")

    def _wait_a_little(self) -> None:
        """A random moment; mostly one when sheets run again after the last death."""
        if self._random.random() < 0.85:
            deadline = time.monotonic() + 4.0
            while not self._running() and time.monotonic() < deadline:
                self._pause.wait(0.05)
        self._pause.wait(self._random.uniform(0.0, 0.8))

    def _kill_conductor(self) -> str:
        self._signal(self._pids()[0])
        return "conductor killed"

    def _kill_both(self) -> str:
        conductor, workers = self._pids()[0], self._workers()
        for pid in (conductor, *workers):
            self._signal(pid)
        return f"conductor and {len(workers)} workers killed"

    def _kill_worker(self) -> str:
        workers = self._workers()
        if not workers:
            return self._kill_conductor()
        self._signal(self._random.choice(workers))
        return "worker killed"

    def _kill_heart(self) -> str:
        """The heart, and as nobody replaces a conductor then, an orderly stop and a start."""
        self._signal(self._pids()[1])
        self._marianne("stop", check=False)
        self._until(lambda: not self._holder(), RECOVERY, "the end of a heartless conductor")
        self._marianne("start")
        return "heart killed"

    def _kill_actor(self) -> str:
        jobs = self._rows("SELECT job_id FROM jobs JOIN ids USING (key) WHERE status = 'running'")
        names = [f"job:{job}/{part}" for (job,) in jobs for part in ("job", "worker")]
        name = self._random.choice(self._random.choice([ACTORS, SERVICES, names or ACTORS]))
        self._request("daemon.fault", {"name": name, "now": True})
        return f"actor {name} crashed"

    def _kill_point(self) -> str:
        """The next process to pass the point dies there; if none does in time, the conductor."""
        name = self._random.choice(POINTS)
        order, hit = self._points / name, self._points / f"{name}.hit"
        hit.unlink(missing_ok=True)
        order.touch()
        deadline = time.monotonic() + 3.0
        while not hit.exists() and time.monotonic() < deadline:
            self._pause.wait(0.01)
        order.unlink(missing_ok=True)
        if hit.exists():
            return f"died at {name}"
        return f"nobody passed {name}: " + self._kill_conductor()

    # -- what comes after -----------------------------------------------------------------------

    def _recovered(self) -> float:
        begun = time.monotonic()
        self._until(lambda: self._request("hello", {}), RECOVERY, "a conductor that serves")
        return time.monotonic() - begun

    def _outage(self, number: int) -> None:
        with self._ledger.lock:
            acks, last = list(self._ledger.acks), self._ledger.last
        try:
            outage = Outage(self.place / f"outage-{number}", self._db, self._pids()[0], last)
        except ProcessLookupError:
            return
        self.report.outages += 1
        found = outage.check(acks, self._random, self.plan.cuts)
        self.report.wrong += [f"outage {number}: {text}" for text in found]

    def _look(self, when: str) -> None:
        self.report.wrong += [f"{when}: {text}" for text in self._witness.look()]

    def _settle(self) -> None:
        """Lets every job come to its end: resumes what was paused, by whomever."""

        def over() -> bool:
            open_jobs = self._rows(
                "SELECT job_id, status FROM jobs JOIN ids USING (key) WHERE status NOT IN "
                f"({', '.join(repr(status) for status in TERMINAL)})"
            )
            paused = [job for job, status in open_jobs if status in ("paused", "pausing")]
            if paused:
                self._request("job.resume", {"ids": paused})
            return not open_jobs

        self._until(over, 120.0, "the end of all jobs", pause=0.2)

    # -- small parts ----------------------------------------------------------------------------

    def _marianne(self, *words: str, check: bool = True) -> None:
        done = subprocess.run(
            [PROGRAM, *words], env=self._env, capture_output=True, text=True, check=False
        )
        if check and done.returncode:
            raise RuntimeError(f"marianne {' '.join(words)}: {done.stdout}{done.stderr}")

    def _request(self, method: str, params: dict[str, Any]) -> Any:
        try:
            with Client(self._home / "conductor.sock") as client:
                return client.request(method, params, 5.0)
        except (RemoteError, IpcError, TimeoutError):
            return None

    def _holder(self) -> bool:
        look = ["flock", "-n", self._home / "conductor.pid", "true"]
        return bool(subprocess.run(look, check=False).returncode)

    def _pids(self) -> tuple[int, int]:
        lines: list[str] = []
        while len(lines) < 2:  # the heart is just writing who is next
            lines = (self._home / "conductor.pid").read_text().split()
        return int(lines[0]), int(lines[1])

    def _signal(self, pid: int) -> None:
        """Kills what carries our home in its environment, and nothing else."""
        if pid in of_home(self._home, self.place):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def _workers(self) -> list[int]:
        ours = of_home(self._home, self.place)
        rows = self._rows("SELECT worker_pid FROM jobs WHERE status IN ('running', 'pausing')")
        return sorted(pid for (pid,) in rows if pid in ours)

    def _running(self) -> int:
        """Sheets that run, by the look of /proc: leaders of sheets are bash with a script."""
        found = of_home(self._home, self.place)
        return sum(line.startswith("sheet") and "bash" in line for line in found.values())

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(f"file:{self._db}?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def _until(
        self,
        condition: Callable[[], Any],
        seconds: float,
        what: str,
        negative: bool = False,
        pause: float = 0.02,
    ) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                found = sorted(line[:120] for line in of_home(self._home, self.place).values())
                word = "found" if negative else "waited in vain for"
                self.report.wrong.append(f"{word} {what}; alive: {found}")
                return
            self._pause.wait(pause)
