"""Clients that ask for all kinds of things at once, and a ledger of what they were promised."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from crash_power import Mark, wal_mark
from crash_scores import Score, random_score

from ipc.client import Client
from ipc.errors import DeadlineExceeded, RemoteError

PATIENCE = 60.0
"""Seconds within which each request must be answered, whatever dies meanwhile."""

BACKLOG = 4
"""Jobs that a client may have open for each that it keeps alive: one that submits faster than the
machine works would have the campaign end in waiting for a queue."""


@dataclass(frozen=True)
class Ack:
    """A promise: ``verb`` of ``job_id`` was answered; ``request`` is the id of the request."""

    verb: str
    job_id: str
    request: str


@dataclass
class Ledger:
    """All promises, and where the write-ahead log ended just after the last of them."""

    db: Path
    acks: list[Ack] = field(default_factory=list)
    scores: dict[str, Score] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    requests: int = 0
    last: Mark | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def acknowledged(self, ack: Ack, score: Score | None = None) -> None:
        with self.lock:
            self.acks.append(ack)
            if score is not None:
                if ack.job_id in self.scores:
                    self.wrong.append(f"two submits were answered with the id {ack.job_id}")
                self.scores[ack.job_id] = score
            # After the answer, so never before the commit.
            self.last = wal_mark(self.db)

    def complain(self, text: str) -> None:
        with self.lock:
            self.wrong.append(text)


class Customer(threading.Thread):
    """One client: submits, and pauses, resumes, cancels and retries what it submitted."""

    def __init__(
        self, place: Path, socket: Path, ledger: Ledger, seed: int, shape: tuple[int, int, float]
    ) -> None:
        super().__init__(name=f"customer-{seed}", daemon=True)
        self._place, self._socket, self._ledger = place, socket, ledger
        self._random = Random(seed)
        self._seed = seed
        self._live_jobs, self._sheets, self._longest = shape
        self._mine: list[str] = []
        self._enough = threading.Event()

    def finish(self) -> None:
        """No further wishes."""
        self._enough.set()

    def run(self) -> None:
        number = 0
        with Client(self._socket) as client:
            while not self._enough.wait(self._random.uniform(0.02, 0.25)):
                try:
                    number += 1
                    self._one(client, number)
                except DeadlineExceeded as error:
                    self._ledger.complain(f"no answer within {PATIENCE:g} s: {error}")
                except RemoteError as error:
                    if error.code not in ("conflict", "unavailable", "shutting_down"):
                        self._ledger.complain(f"refused: {error.code}: {error}")
                    # What lies between two conductors for a minute would show as a deadline.

    def _one(self, client: Client, number: int) -> None:
        roll = self._random.random()
        most = BACKLOG * self._live_jobs
        if len(self._mine) < self._live_jobs or (roll < 0.25 and len(self._mine) < most):
            self._submit(client, number)
            return
        job_id = self._random.choice(self._mine)
        status = self._ask(client, "job.status", {"job_id": job_id})["status"]
        if status in ("completed", "failed", "cancelled"):
            self._mine.remove(job_id)
            again = status != "completed" and self._random.random() < 0.3
            if again and self._wish(client, "retry", job_id, {"job_id": job_id}):
                self._mine.append(job_id)
            return
        if status == "paused":
            self._wish(client, "resume", job_id, {"ids": [job_id]})
        elif roll < 0.45:
            self._wish(client, "pause", job_id, {"ids": [job_id]})
        elif roll < 0.50:
            self._wish(client, "cancel", job_id, {"ids": [job_id]})

    def _submit(self, client: Client, number: int) -> None:
        name = f"c{self._seed}-{number}"
        score = random_score(self._random, name, self._sheets, self._longest)
        path = self._place / f"{name}.yaml"
        path.write_text(score.text)
        params = {
            "config_path": str(path),
            "client_cwd": str(self._place),
            "environment": {"PATH": os.environ["PATH"]},
        }
        request = f"{name}-{self._random.getrandbits(64):x}"
        answer = self._ask(client, "job.submit", params, request)
        self._ledger.acknowledged(Ack("submit", answer["job_id"], request), score)
        self._mine.append(answer["job_id"])
        if self._random.random() < 0.3:
            again = self._ask(client, "job.submit", params, request)
            if again != answer:
                self._ledger.complain(f"{request}: {answer} and, asked again, {again}")

    def _wish(self, client: Client, verb: str, job_id: str, params: dict[str, Any]) -> bool:
        request = f"{verb}-{job_id}-{self._random.getrandbits(64):x}"
        answer = self._ask(client, f"job.{verb}", params, request)
        (entry,) = answer.get("jobs", [{"ok": True}])
        if entry["ok"]:
            self._ledger.acknowledged(Ack(verb, job_id, request))
        elif entry["error"]["code"] != "conflict":
            self._ledger.complain(f"{verb} {job_id}: {entry['error']}")
        return bool(entry["ok"])

    def _ask(
        self, client: Client, method: str, params: dict[str, Any], request: str | None = None
    ) -> Any:
        with self._ledger.lock:
            self._ledger.requests += 1
        return client.request(method, params, PATIENCE, request)
