"""Carries the plan's faults out, and undoes them. Signals only what carries the token."""

from __future__ import annotations

import heapq
import mmap
import os
import resource
import shutil
import signal
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from soak_book import Book, Strike
from soak_cgroup import Pids
from soak_disk import RealDisk
from soak_operator import Operator
from soak_places import (
    CLIENT,
    CONDUCTOR,
    FORKSERVER,
    HEART,
    PARSER,
    SHEET,
    SPARE,
    WORKER,
    Process,
    look,
    refine,
)
from soak_plan import Fault

APPEARS = 1.5
"""Seconds that a victim has to appear."""

BITS = {"full": 1, "broken": 2, "read only": 4, "inodes": 8, "slow": 16, "unreadable": 32}
OURS = (HEART, CONDUCTOR, FORKSERVER, WORKER, SPARE, PARSER)
KILL = (signal.SIGSTOP, signal.SIGKILL)
AT_ONCE = {
    "kill all": (OURS, KILL),
    "kill both, then stop": ((HEART, CONDUCTOR), KILL),
    # As a machine that goes down, or a session; the sheets hear of it first.
    "end everything": ((SHEET, *reversed(OURS)), (signal.SIGTERM,)),
    "kill everything": ((SHEET, *reversed(OURS)), (signal.SIGKILL,)),
}
"""Whom it strikes, and by which signals."""
GRACE = 15.0
"""Seconds that whoever was told to end may take for it."""


class Shim:
    """The control file of fault_shim.c. Several faults may be on at once."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(64))
        file = os.open(path, os.O_RDWR)
        self._map = mmap.mmap(file, 64)
        os.close(file)
        self._on: list[tuple[int, int]] = []
        self.clock(0.0)

    def disk(self, what: str, amount: float) -> Callable[[], None]:
        """Switches a fault of the disk on; returns what switches it off."""
        entry = (BITS[what], int(amount))
        self._on.append(entry)
        self._write()

        def off() -> None:
            if entry in self._on:
                self._on.remove(entry)
                self._write()

        return off

    def clock(self, seconds: float) -> None:
        """Sets the wall clock so far beside the true one."""
        self._map[16:24] = struct.pack("=q", int(seconds * 1e9))

    def off(self) -> None:
        self._on.clear()
        self._write()
        self.clock(0.0)

    @property
    def struck(self) -> int:
        """Calls that failed or were slowed."""
        return int(struct.unpack("=Q", self._map[24:32])[0])

    def _write(self) -> None:
        slow = [amount for bit, amount in self._on if bit == BITS["slow"]]
        hard = [amount for bit, amount in self._on if bit != BITS["slow"]]
        bits = 0
        for bit, _ in self._on:
            bits |= bit
        self._map[0:12] = struct.pack("=III", bits, max(hard, default=100), max(slow, default=0))


class Striker(threading.Thread):
    """Runs through a plan; everything is undone at its end."""

    def __init__(
        self,
        book: Book,
        operator: Operator,
        home: Path,
        token: str,
        shim: Shim,
        plan: list[Fault],
        side: Callable[[Fault], None],
    ) -> None:
        super().__init__(name="striker", daemon=True)
        self._book, self._operator, self._home, self._token = book, operator, home, token
        self._shim, self._plan, self._side = shim, plan, side
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = 0
        self._random = Random(0)
        self.disk: RealDisk | None = None
        self.pids: Pids | None = None
        self.enough = threading.Event()

    def run(self) -> None:
        begun = time.monotonic()
        try:
            for number, fault in enumerate(self._plan):
                self._until(begun + fault.at)
                if self.enough.is_set():
                    break
                # What took long moves all that comes after it: faults keep their distance.
                begun = max(begun, time.monotonic() - fault.at)
                self._random = Random(number)
                self._strike(fault)
        finally:
            self._undo_all()

    def _strike(self, fault: Fault) -> None:
        name = fault.kind.replace(" ", "_")
        try:
            getattr(self, f"_{name}")(fault)
        except (OSError, LookupError) as error:
            self._book.count(f"missed: {fault.kind} {fault.what}")
            self._book.struck("missed", f"{fault.text()}: {error!r}")

    def _until(self, moment: float) -> None:
        """Waits, and does meanwhile what is due."""
        while not self.enough.is_set():
            now = time.monotonic()
            due = self._later[0][0] if self._later else moment
            if self._later and due <= now:
                heapq.heappop(self._later)[2]()
            elif moment > now:
                self.enough.wait(min(due, moment) - now)
            else:
                return

    def _lasts(self, strike: Strike, seconds: float, undo: Callable[[], None]) -> None:
        """The strike is at work until it is undone, which may take its time too."""
        strike.end = 0

        def end() -> None:
            undo()
            strike.end = time.monotonic_ns()

        self._after(seconds, end)

    def _after(self, seconds: float, what: Callable[[], None]) -> None:
        self._serial += 1
        heapq.heappush(self._later, (time.monotonic() + seconds, self._serial, what))

    def _undo_all(self) -> None:
        while self._later:
            heapq.heappop(self._later)[2]()
        self._shim.off()

    # -- processes

    def _find(self, role: str) -> Process:
        """One living process of the role. LookupError when none appears."""
        until = time.monotonic() + APPEARS
        while not (found := self._living(role)):
            if time.monotonic() > until:
                raise LookupError(f"no {role}")
            self.enough.wait(0.1)
        return self._random.choice(found)

    def _living(self, role: str) -> list[Process]:
        found = [p for p in refine(look(self._token)).values() if p.role == role]
        if role == CLIENT:
            found = [p for p in found if p.pid in self._book.clients]
        return found

    def _kill(self, fault: Fault) -> None:
        process = self._find(fault.what)
        os.kill(process.pid, signal.SIGKILL)  # gone meanwhile: a miss
        self._book.count(f"kill {fault.what}")
        self._book.struck("kill", fault.what, process.pid)

    def _several(self, fault: Fault) -> None:
        victims: dict[int, str] = {}
        for role in fault.victims:
            try:
                victims.setdefault(self._find(role).pid, role)
            except LookupError:
                continue
        for signum in (signal.SIGSTOP, signal.SIGKILL):
            for pid in victims:
                _signal(pid, signum)
        for pid, role in victims.items():
            self._book.struck("kill", f"{role} with {'+'.join(fault.victims)}", pid)
        self._book.count("several " + "+".join(sorted(victims.values())))

    def _freeze(self, fault: Fault) -> None:
        process = self._find(fault.what)
        os.kill(process.pid, signal.SIGSTOP)
        self._book.count(f"freeze {fault.what}")
        said = f"{fault.what} {fault.seconds:g} s"
        strike = self._book.struck("freeze", said, process.pid, fault.seconds)

        def go_on() -> None:
            now = look(self._token).get(process.pid)
            if now is not None and now.start == process.start:
                _signal(process.pid, signal.SIGCONT)

        self._lasts(strike, fault.seconds, go_on)

    # -- disk, clock, limits

    def _disk(self, fault: Fault) -> None:
        if fault.what.startswith("really") and self.disk is None:
            raise LookupError("no disk of its own")
        strike = self._book.struck("disk", fault.text())
        strike.end = 0  # it takes its time to strike
        off = self._real(fault.what) or self._shim.disk(fault.what, fault.amount)
        self._book.count(f"disk {fault.what}")
        self._lasts(strike, fault.seconds, off)

    def _real(self, what: str) -> Callable[[], None] | None:
        """A fault of the real disk; None if it is none."""
        if self.disk is None or not what.startswith("really"):
            return None
        return self.disk.full() if what == "really full" else self.disk.no_inodes()

    def _clock(self, fault: Fault) -> None:
        self._shim.clock(fault.amount)
        strike = self._book.struck("clock", fault.text(), 0, fault.seconds)
        self._book.count(f"clock {fault.what}")

        self._lasts(strike, fault.seconds, lambda: self._shim.clock(0.0))

    def _limit(self, fault: Fault) -> None:
        if fault.what == "pids":
            self._no_pids(fault)
            return
        # A worker's sheets inherit the size, and could not even note their own end.
        pool = (CONDUCTOR, HEART) if fault.what == "file size" else (CONDUCTOR, WORKER, HEART)
        role = self._random.choice((CONDUCTOR, *pool))
        process = self._find(role)
        kind = resource.RLIMIT_NOFILE if fault.what == "files" else resource.RLIMIT_FSIZE
        soft, hard = resource.prlimit(process.pid, kind)
        if fault.what == "files":
            low = len(os.listdir(f"/proc/{process.pid}/fd")) + self._random.choice((0, 1, 5))
        else:
            low = self._random.choice((4096, 65536))
        if hard != resource.RLIM_INFINITY:
            low = min(low, hard)
        resource.prlimit(process.pid, kind, (low, hard))
        strike = self._book.struck("limit", f"{fault.text()} of {role}", process.pid, fault.seconds)
        self._book.count(f"limit {fault.what} {role}")

        def lift() -> None:
            # Whoever was made meanwhile has inherited it.
            for other in look(self._token).values():
                try:
                    if resource.prlimit(other.pid, kind)[0] == low:
                        resource.prlimit(other.pid, kind, (soft, hard))
                except ProcessLookupError:
                    continue

        self._lasts(strike, fault.seconds, lift)

    def _no_pids(self, fault: Fault) -> None:
        """Conductor and forkserver get no further thread or process. (RLIMIT_NPROC binds no root,
        and would bind all of a user's processes.)"""
        if self.pids is None:
            raise LookupError("no control group may be made here")
        self.pids.squeeze([self._find(role).pid for role in (CONDUCTOR, FORKSERVER)])
        strike = self._book.struck("limit", fault.text(), 0, fault.seconds)
        self._book.count("limit pids")

        def lift() -> None:
            assert self.pids is not None
            self.pids.lift()

        self._lasts(strike, fault.seconds, lift)

    # -- files

    def _file(self, fault: Fault) -> None:
        what, home = fault.what, self._home
        if what.startswith("spool"):
            spools = sorted(home.glob("jobs/*/spool"), key=os.path.getmtime)[-6:]
            if not spools:
                raise LookupError("no spool")
            spool = self._random.choice(spools)
            how = self._random.choice(("garbage", "fifo", "directory", "types"))
            _mangle(spool, "deleted" if what == "spool deleted" else how)
            self._book.struck("spool", f"{spool.parent.name}: {what} {how}", 0, 5.0)
        elif what == "config mangled":
            path = home / "conductor.yaml"
            right = path.read_text()
            path.write_text("max_concurrent_jobs: [nonsense\n")
            self._book.struck("file", what, 0, 3.0)
            self._after(3.0, lambda: _restore(path, right))
        elif what == "stale pid text":
            self._book.struck("file", what)
            with open(home / "conductor.pid", "r+b") as file:
                file.write(b"99999999\n99999998\n")
        elif (home / what).is_dir():
            self._book.struck("file", f"{what} deleted")
            shutil.rmtree(home / what, ignore_errors=True)
        else:
            self._book.struck("file", f"{what} deleted")
            (home / what).unlink()
        self._book.count(f"file {what}")

    # -- commands

    def _command(self, fault: Fault) -> None:
        for extra in fault.with_it:
            self._after(extra.at, lambda extra=extra: self._strike(extra))
        if fault.what in AT_ONCE:
            self._at_once(fault.what, *AT_ONCE[fault.what])
            self._operator.order("stop" if fault.what.endswith("stop") else "start", 0.0)
        else:
            self._operator.order(fault.what, fault.seconds)

    def _at_once(self, what: str, roles: tuple[str, ...], signals: tuple[int, ...]) -> None:
        """Signals all processes of these roles, those first that are named first."""
        found = refine(look(self._token)).values()
        victims = [p for role in roles for p in found if p.role == role]
        for signum in signals:
            for process in victims:
                _signal(process.pid, signum)
        lasts = GRACE if signal.SIGTERM in signals else 0.0
        for process in victims:
            self._book.struck("at once", f"{process.role}: {what}", process.pid, lasts)
        self._book.count(what)

    def _first_start(self, fault: Fault) -> None:
        self._book.count("first start")
        self._side(fault)


def _signal(pid: int, signum: int) -> None:
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        pass


def _restore(path: Path, right: str) -> None:
    path.write_text(right)


def _mangle(spool: Path, how: str) -> None:
    """Makes something else of a spool."""
    if how == "garbage":
        with open(spool, "ab") as file:
            file.write(b"\xc1\xff\x00 not a record \n" * 3)
        return
    if how == "types":
        spool.write_bytes(b"\x93\xa1a\xc0\x2a")
        return
    spool.unlink()
    if how == "fifo":
        os.mkfifo(spool, 0o600)
    elif how == "directory":
        spool.mkdir()
