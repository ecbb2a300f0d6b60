"""A whole soak: a home, its customers, its operator, the faults, and what is checked at the end."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import fault_shim
import soak_cgroup
import soak_disk
import soak_ledger
from soak_book import Book
from soak_clients import Caller
from soak_customers import Customer
from soak_ledger import Ledger, Violation
from soak_operator import Operator
from soak_orders import NO, OVER, YES, Order, judge, unfollowed
from soak_places import CLIENT, look, mistakes, refine, still_there, uncollected
from soak_plan import Fault
from soak_scores import COMPLETED, HOOKS, Place, agents
from soak_side import FirstStart
from soak_strike import Shim, Striker
from soak_tail import Tail

from ipc.client import Client
from ipc.errors import IpcError, RemoteError

PROGRAM = Path(sys.executable).with_name("marianne")
HERE = Path(__file__).parent
JOBS, SHEETS, AGENTS_AT_ONCE = 3, 6, 2
CONFIG = (
    f"max_concurrent_jobs: {JOBS}\nmax_concurrent_sheets: {SHEETS}\n"
    "sheet_grace_seconds: 1\norphan_grace_seconds: 6\n"
    f"max_concurrent_agents: {AGENTS_AT_ONCE}\n"
    "resource_limits: {max_api_calls_per_minute: 100000}\n"
)
SETTLES = 240.0
"""Seconds within which every job must be over once the faults have stopped, unless said else."""


@dataclass(frozen=True)
class Shape:
    """How large a soak is: ``live`` jobs open of each client, ``settle`` seconds for the end."""

    seed: int
    settle: float = SETTLES
    customers: int = 4
    callers: int = 2
    live: int = 3
    sheets: int = 6
    longest: float = 1.5


@dataclass
class Report:
    """What happened."""

    book: Book
    planned: int
    ledger: Ledger
    events: int
    seconds: float
    excused: int
    struck: int

    @property
    def violations(self) -> list[Violation]:
        return self.book.violations


class Soak:
    """One campaign below ``folder``, which must be empty. Leaves no process."""

    def __init__(
        self, folder: Path, shape: Shape, faults: Sequence[Fault], say: Callable[[str], object]
    ) -> None:
        self._folder, self._shape, self._faults, self._say = folder, shape, faults, say
        self._home = folder / "home"
        self._token = f"{Random().getrandbits(63):020}"
        self._book = Book()
        self._sides: list[threading.Thread] = []
        self._build()
        self._operator = Operator(self._book, PROGRAM, self._home, self._token, self._env)
        self._tail = Tail(self._book, self._home)

    def _build(self) -> None:
        for name in ("home", "locks", "hooks", "spaces", "side"):
            (self._folder / name).mkdir(mode=0o700)
        self._pids = soak_cgroup.group(f"soak-{os.getpid()}")
        self._disk = soak_disk.mount(self._folder, self._home)
        (self._home / "conductor.yaml").write_text(CONFIG)
        self._env = {k: v for k, v in os.environ.items() if not k.startswith("MARIANNE")}
        self._env |= {"MARIANNE_HOME": str(self._home), "SOAK_TOKEN": self._token}
        library = fault_shim.build(self._folder)
        if library is None:
            raise SystemExit("the witness and the shim need a C compiler: install cc")
        control = self._folder / "shim.control"
        self._shim = Shim(control)
        self._env |= {
            "LD_PRELOAD": str(library),
            "FAULT_SHIM_CONTROL": str(control),
            "FAULT_SHIM_PLACE": str(self._home),
        }
        witness = fault_shim.build_program(HERE / "witness.c", self._folder)
        self._place = Place(str(self._folder), str(witness), self._token)
        for name, text in agents(self._place).items():
            made = self._folder / name
            made.parent.mkdir(parents=True, exist_ok=True)
            made.write_text(text)
            made.chmod(0o700)

    def run(self) -> Report:
        begun = time.monotonic()
        striker = Striker(
            self._book, self._operator, self._home, self._token, self._shim,
            list(self._faults), self._first_start,
        )  # fmt: skip
        striker.disk, striker.pids = self._disk, self._pids
        customers = self._customers()
        watch = threading.Thread(target=self._remember, daemon=True)
        try:
            self._operator.start_first()
            for thread in (self._tail, self._operator, *customers, striker, watch):
                thread.start()
            self._pass_time(striker, begun)
            self._end_faults(striker, customers)
            self._settle(customers)
            self._collected()
            self._judge_all()
            for text, count in mistakes(self._home).items():
                said = f"an actor failed {count} times by a mistake"
                self._book.wrong(Violation("no actor fails by a mistake", said, evidence=(text,)))
        finally:
            self._close(striker, customers)
        ledger, excused = self._check_ledger()
        struck = self._shim.struck
        events = self._tail.count.events.total()
        took = time.monotonic() - begun
        return Report(self._book, len(self._faults), ledger, events, took, excused, struck)

    def _customers(self) -> list[Customer]:
        shape, base = self._shape, self._shape.seed * 100
        sizes = (shape.live, shape.sheets, shape.longest)
        socket = self._home / "conductor.sock"
        people: list[Customer] = [
            Customer(self._book, self._place, socket, base + n, sizes)
            for n in range(shape.customers)
        ]
        people += [
            Caller(self._book, self._place, self._home, base + 50 + n, sizes, PROGRAM)
            for n in range(shape.callers)
        ]
        return people

    def _pass_time(self, striker: Striker, begun: float) -> None:
        said = 0
        while striker.is_alive():
            striker.join(1.0)
            with self._book.lock:
                new = self._book.violations[said:]
                said = len(self._book.violations)
            for violation in new:
                self._say(f"{time.monotonic() - begun:.0f} s: {one_line(violation)}")

    def _first_start(self, fault: Fault) -> None:
        number = len(self._sides) + 1
        folder = self._folder / "side" / str(number)
        side = FirstStart(self._book, PROGRAM, folder, self._token, self._env, number)
        thread = threading.Thread(target=side.run, args=(fault, self._shape.seed * 1000 + number))
        self._sides.append(thread)
        thread.start()

    def _remember(self) -> None:
        """Notes every process that is ever seen, so that the end can look for each."""
        while not self._operator.enough.is_set():
            begun = time.monotonic_ns()
            self._operator.enough.wait(0.5)
            self._book.lag = max(self._book.lag, time.monotonic_ns() - begun - 500_000_000)
            for process in look(self._token).values():
                self._book.seen[process.pid] = process

    # -- the end

    def _end_faults(self, striker: Striker, customers: list[Customer]) -> None:
        self._say("faults are over")
        for customer in customers:
            customer.enough.set()
        for process in look(self._token).values():
            if process.state == "T":
                os.kill(process.pid, signal.SIGCONT)
        (self._home / "conductor.yaml").write_text(CONFIG)
        deadline = time.monotonic() + 320.0
        for thread in (*customers, *self._sides):
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                self._book.wrong(Violation("requests answered", f"{thread.name} still waits"))
        self._operator.idle.wait(200.0)

    def _settle(self, customers: list[Customer]) -> None:
        """Resumes what is paused, until every job is over."""
        deadline = time.monotonic() + self._shape.settle
        left: list[dict[str, Any]] = []
        hooked = False
        while time.monotonic() < deadline:
            listed = self._ask("job.list", {"limit": 500})
            if listed is not None:
                left = listed["jobs"]
                # What stands still where it stood pauses until somebody says otherwise.
                still = ("paused", "pausing")
                paused = [job["job_id"] for job in left if job["status"] in still]
                if paused:
                    self._ask("job.resume", {"ids": paused, "no_reload": True})
                if not left and hooked:
                    return
                # A completed job is over when its hooks are, and those start others.
                hooked = not left and self._hooks_are_over()
            time.sleep(0.5)
        for job in left or [{"job_id": "?", "status": "nobody answers"}]:
            why = self._ask("job.explain", {"job_id": job["job_id"]})
            said = f"{job['status']} {self._shape.settle:g} s after the last fault"
            self._book.wrong(
                Violation("everything settles", said, job["job_id"], evidence=(str(why),))
            )

    def _collected(self) -> None:
        """Who had children has collected them: a process id that nobody gives back is a leak."""
        left = uncollected(self._token)
        for _ in range(20):
            if not left:
                return
            time.sleep(0.5)
            now = uncollected(self._token)
            left = {pid: role for pid, role in left.items() if pid in now}
        said = f"{len(left)} ended processes were not collected"
        self._book.wrong(Violation("no process left", said, evidence=(str(left)[:300],)))

    def _hooks_are_over(self) -> bool:
        """Whether nothing follows any more: who waits for a job waits for its hooks."""
        with self._book.lock:
            orders = list(self._book.orders.values())
        hooked = [one for one in orders if one.score.follower or one.score.hooked]
        there = [one.job for one in hooked if one.submitted == YES and not one.cleared]
        return all(self._ask("job.wait", {"job_id": job}) for job in there)

    def _judge_all(self) -> None:
        """The state of every order; and the attempt with which each sheet completed."""
        self._completed: dict[tuple[str, int], int] = {}
        for order in list(self._book.orders.values()):
            view = self._view(order)
            if view is None:
                continue
            if view["status"] in OVER:
                before = self._book.over.get(order.job)
                self._book.ended(order.job, view["status"])
                if before is None:
                    self._book.count(f"jobs {view['status']}")
                elif before != view["status"]:
                    said = f"was {before}, is {view['status']} at the end"
                    self._book.wrong(Violation("states right", said, order.job))
                left = [when for when in HOOKS if self._marked(order.job, when)]
                self._book.wrong(*judge(order, view), *unfollowed(order, view, left))
            for sheet in view["sheets"]:
                if sheet["status"] == COMPLETED:
                    self._completed[order.job, sheet["num"]] = sheet["attempt"]
        deadline = time.monotonic() + 20
        while not self._tail.caught_up() and time.monotonic() < deadline:
            time.sleep(0.2)
        if not self._tail.caught_up():
            self._book.wrong(Violation("events without a gap", "the tail never caught up"))

    def _marked(self, job: str, when: str) -> bool:
        return (self._folder / "hooks" / f"{job}.{when}").exists()

    def _view(self, order: Order) -> dict[str, Any] | None:
        """The job's status; None where it is right that there is none."""
        try:
            with Client(self._home / "conductor.sock") as client:
                return dict(client.request("job.status", {"job_id": order.job}, 20.0))
        except RemoteError as error:
            expected = order.submitted == YES and not order.cleared
            if order.parent is not None:
                # Who cancels all jobs cancels what would have followed them as well.
                parent = self._book.orders[order.parent]
                kept = order.cancel == NO and parent.cancel == NO
                # Hooks follow work: a job that was skipped as a whole has none.
                kept = kept and COMPLETED in parent.score.ends().values()
                expected = kept and self._book.over.get(order.parent) == COMPLETED
            if expected or error.code != "not_found":
                self._book.wrong(Violation("no job is lost", str(error), order.job))
        except IpcError as error:
            self._book.wrong(Violation("requests answered", str(error), order.job))
        return None

    def _close(self, striker: Striker, customers: list[Customer]) -> None:
        """Stops everything; then no process may be left."""
        for thread in (striker, self._operator, self._tail, *customers):
            thread.enough.set()
        if self._operator.is_alive():
            self._operator.join(200.0)
        if striker.is_alive():
            striker.join(20.0)
        self._operator.bring_down()
        for process in self._all_left():
            shown = (process.line[:200], process.role, process.state)
            said = f"process {process.pid} is left after the end"
            self._book.wrong(Violation("no process left", said, evidence=shown))
            try:
                os.kill(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self._tail.is_alive():
            self._tail.join(10.0)
        self._check_database()
        if self._pids is not None:
            self._pids.close()
        if self._disk is not None:
            try:
                soak_disk.keep(self._folder, self._home)
            finally:
                soak_disk.unmount(self._home)

    def _all_left(self) -> list[Any]:
        marked = [p for p in refine(look(self._token)).values() if p.role != CLIENT]
        known = {process.pid for process in marked}
        return marked + [p for p in still_there(self._book.seen) if p.pid not in known]

    def _check_database(self) -> None:
        try:
            with sqlite3.connect(f"file:{self._home / 'state.db'}?mode=ro", uri=True) as db:
                found = db.execute("PRAGMA integrity_check").fetchall()
        except sqlite3.Error as error:
            found = [(repr(error),)]
        if found != [("ok",)]:
            self._book.wrong(Violation("integrity_check", str(found[:5])))

    def _check_ledger(self) -> tuple[Ledger, int]:
        path = self._folder / "ledger"
        ledger = soak_ledger.parse(path.read_text() if path.exists() else "")
        scores = {job: order.score for job, order in self._book.orders.items()}
        names = set(scores)
        for job, _ in list(ledger.attempts):
            stem = re.sub(r"-\d+$", "", job)
            if job not in names and stem in names and self._book.orders[stem].parent:
                self._book.count("chains told twice")
                names.add(job)
        completed = getattr(self, "_completed", {})
        wrong, excused = soak_ledger.once(ledger, completed, self._book.excused)
        wrong += ledger.wrong + soak_ledger.ascending(ledger)
        wrong += soak_ledger.needs_first(ledger, scores)
        wrong += soak_ledger.within_limits(ledger, JOBS, SHEETS, scores, AGENTS_AT_ONCE)
        wrong += soak_ledger.only_asked(ledger, names)
        self._book.wrong(*wrong)
        return ledger, excused

    def _ask(self, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
        try:
            with Client(self._home / "conductor.sock") as client:
                return dict(client.request(method, params, 10.0))
        except IpcError:
            return None


def one_line(violation: Violation) -> str:
    where = f" {violation.job}" + (f" sheet {violation.sheet}" if violation.sheet else "")
    return f"{violation.rule}:{where if violation.job else ''} {violation.text}"


def as_json(violation: Violation) -> str:
    return json.dumps(violation.__dict__)
