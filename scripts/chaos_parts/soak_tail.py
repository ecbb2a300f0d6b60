"""A tail of all events that counts: every number once, in order, over every restart."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import Any

from soak_book import Book
from soak_ledger import Violation

from ipc.client import Client
from ipc.errors import EndpointError, IpcError
from ipc.subscriber import Subscriber


class Count:
    """The rule alone: what is wrong with the next event. Begins with the first that it sees."""

    def __init__(self) -> None:
        self.last = 0
        self.events: Counter[str] = Counter()
        self._of_job: dict[str, int] = {}

    def take(self, event: dict[str, Any]) -> list[str]:
        seq, job, name = event["seq"], event.get("job_id"), event["event"]
        wrong = []
        if self.last and seq != self.last + 1:
            wrong.append(f"event {seq} ({name}) came after {self.last}")
        self.last = max(self.last, seq)
        self.events[name] += 1
        if job is not None:
            before = self._of_job.get(job)
            if before is not None and event["prev"] != before:
                wrong.append(f"event {seq} of {job} names {event['prev']} before it, not {before}")
            self._of_job[job] = seq
        return wrong


class Tail(threading.Thread):
    """Follows one home's events from number 0 on."""

    def __init__(self, book: Book, home: Path) -> None:
        super().__init__(name="tail", daemon=True)
        self._book, self._home = book, home
        self.count, self.enough = Count(), threading.Event()

    def run(self) -> None:
        with Client(self._home / "conductor.sock") as client:
            while not self.enough.is_set():
                try:
                    self._follow(client)
                except EndpointError:
                    self.enough.wait(0.5)  # no socket yet, or none any more
                except Exception as error:  # noqa: BLE001 - a dead tail would prove nothing
                    self._book.wrong(Violation("the soak itself", f"tail: {error!r}"))
                    self.enough.wait(0.5)

    def _follow(self, client: Client) -> None:
        def since(number: int) -> list[dict[str, Any]]:
            found = client.request("events.since", {"seq": number}, 5.0)
            return list(found["events"])

        socket = self._home / "events.sock"
        with Subscriber(socket, fetch_since=since, since=self.count.last) as events:
            while not self.enough.is_set():
                event = events.get(0.5)
                if event is None:
                    continue
                for said in self.count.take(event):
                    self._book.wrong(Violation("events without a gap", said, event["job_id"] or ""))
                if event["job_id"]:
                    self._book.told[event["job_id"]] = event["event"]

    def caught_up(self) -> bool:
        """Whether it has all that the log has; False when nobody answers."""
        try:
            with Client(self._home / "conductor.sock") as client:
                found = client.request("events.since", {"seq": self.count.last}, 5.0)
        except IpcError:
            return False
        return bool(found["last"] <= self.count.last)
