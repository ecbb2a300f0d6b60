"""Clients that submit and wait, many at once, and a witness: a ledger of each attempt.

Each attempt appends its own start and end to one file, which nobody of Marianne reads. A process
that is killed loses nothing it had appended, so the ledger needs no fsync.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ipc.client import Client
from ipc.errors import IpcError, RemoteError

TRACE = '"$MARIANNE_JOB_ID" "$MARIANNE_SHEET" "$MARIANNE_ATTEMPT"'


@dataclass
class Load:
    """What is asked for. ``patience`` is how long a request may take, in seconds."""

    jobs: int = 300
    sheets: int = 1
    clients: int = 3
    places: int = 2
    seconds: float = 0.0
    fsync_ms: int = 0
    crash: str = ""
    patience: float = 300.0


@dataclass
class Tally:
    """What the clients saw."""

    submitted: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def complain(self, text: str) -> None:
        with self.lock:
            self.wrong.append(text)


def score(name: str, place: Path, load: Load) -> str:
    """A job whose sheets depend on nothing and note that they were there."""
    pause = f"sleep {load.seconds:g}; " if load.seconds else ""
    ledger = place / "ledger"
    run = f"""printf '%s %s %s begin\\n' {TRACE} >> {ledger}
      {pause}printf '%s %s %s end\\n' {TRACE} >> {ledger}"""
    sheets = "".join(
        f"  - name: s{num}\n    run: |\n      {run}\n" for num in range(1, load.sheets + 1)
    )
    return f"name: {name}\nworkspace: ./work\nsheets:\n{sheets}"


class Submitter(threading.Thread):
    """Submits one job after the other and waits for each, until ``numbers`` has no more."""

    def __init__(self, place: Path, socket: Path, load: Load, tally: Tally, numbers: list[int]):
        super().__init__(name="submitter", daemon=True)
        self._place, self._socket, self._load = place, socket, load
        self._tally, self._numbers = tally, numbers

    def run(self) -> None:
        with Client(self._socket) as client:
            while True:
                try:
                    number = self._numbers.pop()
                except IndexError:
                    return
                begun = time.monotonic()
                try:
                    self._one(client, f"x{number}")
                except IpcError as error:
                    self._tally.complain(f"x{number}: {type(error).__name__}: {error}")
                with self._tally.lock:
                    self._tally.slowest = max(self._tally.slowest, time.monotonic() - begun)

    def _one(self, client: Client, name: str) -> None:
        params = {
            "score": score(name, self._place, self._load),
            "id": name,
            "client_cwd": str(self._place),
            "environment": {"PATH": os.environ["PATH"]},
        }
        patience = self._load.patience
        job_id = client.request("job.submit", params, patience)["job_id"]
        with self._tally.lock:
            self._tally.submitted.append(job_id)
        ended = self._wait(client, job_id)
        if ended["status"] != "completed":
            self._tally.complain(f"{job_id} is {ended['status']}: {ended['error']}")

    def _wait(self, client: Client, job_id: str) -> Any:
        """The job when it is over. A request under which an actor has died twice is given up, as it
        may be the cause; a wait outlives many crashes that it did not cause: asked anew."""
        until = time.monotonic() + self._load.patience
        while True:
            try:
                return client.request("job.wait", {"job_id": job_id}, self._load.patience)
            except RemoteError as error:
                if not self._load.crash or error.code != "internal" or time.monotonic() > until:
                    raise


def of_ledger(ledger: Path, submitted: list[str], sheets: int) -> list[str]:
    """What the witness holds against the run: each sheet of each job has run once, as attempt 1."""
    seen = Counter(ledger.read_text().splitlines()) if ledger.exists() else Counter()
    wrong = []
    for job_id in submitted:
        for num in range(1, sheets + 1):
            for word in ("begin", "end"):
                count = seen.pop(f"{job_id} {num} 1 {word}", 0)
                if count != 1:
                    wrong.append(f"{job_id}: attempt 1 of sheet {num} has {count} times {word}")
    return wrong + [f"unexpected: {line} times {count}" for line, count in seen.items()]
