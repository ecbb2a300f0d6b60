"""The invariants, looked at from outside: the database by plain SQL, the jobs' own logs, /proc."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from pathlib import Path

import msgpack
from crash_clients import Ledger
from crash_power import missing

TERMINAL = ("completed", "failed", "cancelled")
COUNTED = ("ready", "running", "waiting", "completed", "failed", "skipped", "cancelled")


class Witness:
    """Remembers what was seen, so that it can say what was taken back."""

    def __init__(self, place: Path, db: Path, ledger: Ledger) -> None:
        self._place, self._db, self._ledger = place, db, ledger
        self._completed: dict[tuple[str, int], int] = {}
        self._told: dict[tuple[str, int], int] = {}
        self._seq = 0
        self._last: dict[str, int] = {}
        self._started: set[tuple[str, int, int]] = set()
        self._began: set[tuple[str, int, int]] = set()
        self.events: Counter[str] = Counter()

    def look(self) -> list[str]:
        """Everything that is wrong at this moment; the database is of one instant."""
        with self._ledger.lock:
            acks = list(self._ledger.acks)
        connection = sqlite3.connect(f"file:{self._db}?mode=ro", uri=True, timeout=10)
        try:
            connection.execute("BEGIN")
            wrong = missing(connection, acks)
            wrong += self._jobs(connection)
            wrong += self._events(connection)
            wrong += self._sheets(connection)
        finally:
            connection.close()
        return wrong + self._logs()

    def untold(self) -> list[str]:
        """When all jobs are over: attempts that ran, by the jobs' logs, and of which no event
        tells."""
        return [
            f"{job}: attempt {attempt} of sheet {num} ran, no event tells of it"
            for job, num, attempt in sorted(self._began - self._started)
        ]

    def _jobs(self, connection: sqlite3.Connection) -> list[str]:
        wrong = []
        sheets: dict[int, Counter[str]] = {}
        for job, status, count in connection.execute(
            "SELECT job, status, count(*) FROM sheets GROUP BY job, status"
        ):
            sheets.setdefault(job, Counter())[status] = count
        columns = ", ".join(COUNTED)
        for key, job_id, status, total, *counts in connection.execute(
            f"SELECT key, job_id, status, sheet_count, {columns} FROM jobs JOIN ids USING (key)"
        ):
            real = sheets.get(key, Counter())
            if any(real[name] != counted for name, counted in zip(COUNTED, counts, strict=True)):
                wrong.append(f"{job_id}: counters {counts} but sheets {dict(real)}")
            done = real["completed"] + real["skipped"]
            if status == "completed" and done != total:
                wrong.append(f"{job_id} is completed with {done} of {total} sheets done")
            if status in (*TERMINAL, "paused") and real["running"]:
                wrong.append(f"{job_id} is {status} with running sheets")
            if status in TERMINAL and sum(real[name] for name in COUNTED[3:]) != total:
                wrong.append(f"{job_id} is {status} with open sheets")
        return wrong

    def _events(self, connection: sqlite3.Connection) -> list[str]:
        wrong = []
        rows = connection.execute(
            "SELECT seq, prev, job_id, sheet, event, data FROM events LEFT JOIN ids ON key = job "
            "WHERE seq > ? ORDER BY seq",
            (self._seq,),
        )
        for seq, prev, job_id, sheet, event, data in rows:
            if seq != self._seq + 1:
                wrong.append(f"event {self._seq} is followed by {seq}")
            self._seq = seq
            self.events[event] += 1
            if job_id is None:
                continue
            if prev != self._last.get(job_id, 0):
                wrong.append(f"event {seq} of {job_id} names {prev} as the one before it")
            self._last[job_id] = seq
            if event == "sheet.started":
                attempt = (job_id, sheet, msgpack.unpackb(data)["attempt"])
                if attempt in self._started:
                    wrong.append(f"attempt {attempt} was told as started twice")
                self._started.add(attempt)
            if event == "sheet.completed":
                self._told[job_id, sheet] = self._told.get((job_id, sheet), 0) + 1
                if self._told[job_id, sheet] > 1:
                    wrong.append(f"sheet {sheet} of {job_id} was told as completed twice")
        return wrong

    def _sheets(self, connection: sqlite3.Connection) -> list[str]:
        rows = connection.execute(
            "SELECT job_id, num, attempt FROM sheets JOIN ids ON key = job "
            "WHERE status = 'completed'"
        )
        now = {(job_id, num): attempt for job_id, num, attempt in rows}
        wrong = [
            f"sheet {num} of {job_id} was completed with attempt {attempt}, "
            f"now {now.get((job_id, num), 'not')}"
            for (job_id, num), attempt in self._completed.items()
            if now.get((job_id, num)) != attempt
        ]
        untold = now.keys() - self._told.keys()
        wrong += [f"sheet {num} of {job} is completed, no event says so" for job, num in untold]
        self._completed = now
        return wrong

    def _logs(self) -> list[str]:
        wrong = []
        with self._ledger.lock:
            scores = dict(self._ledger.scores)
        for job_id, score in scores.items():
            log = self._place / score.name / "log"
            if not log.exists():
                continue
            ended: set[int] = set()
            newest: dict[int, int] = {}
            for line in log.read_text().splitlines():
                word, first, second = line.split()
                num, attempt = int(first), int(second)
                if word == "overlap":
                    wrong.append(f"{job_id}: attempt {attempt} of sheet {num} ran beside another")
                elif word == "end":
                    ended.add(num)
                else:
                    if attempt == newest.get(num, 0):
                        wrong.append(f"{job_id}: attempt {attempt} of sheet {num} ran twice")
                    elif attempt < newest.get(num, 0):
                        wrong.append(f"{job_id}: attempt {attempt} of sheet {num} ran too late")
                    newest[num] = attempt
                    self._began.add((job_id, num, attempt))
                    early = [need for need in score.needs[num] if need not in ended]
                    if early:
                        wrong.append(f"{job_id}: sheet {num} ran before {early} had ended")
            for num, attempt in newest.items():
                done = self._completed.get((job_id, num))
                if done is not None and attempt > done:
                    wrong.append(f"{job_id}: sheet {num} ran again after it was completed")
        return wrong


def of_home(home: Path, place: Path) -> dict[int, str]:
    """Living processes that carry the home in their environment or work in a workspace."""
    mark, found = f"MARIANNE_HOME={home}".encode(), {}
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            state = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[0]
            if state == "Z":
                continue
            environ = Path(f"/proc/{name}/environ").read_bytes().split(b"\0")
            below = os.readlink(f"/proc/{name}/cwd").startswith(f"{place}/")
            if below or mark in environ:
                line = Path(f"/proc/{name}/cmdline").read_bytes().replace(b"\0", b" ")
                sheet = any(value.startswith(b"MARIANNE_SHEET=") for value in environ)
                found[int(name)] = ("sheet " if sheet else "") + line.decode(errors="replace")
        except OSError:
            continue
    return found
