"""Tells the collector of what is on disk: the main of a process that a conductor starts for it.

It reads the event log from the number up to which it has told (:mod:`marianne.traces.progress`), so
the log is its queue: a collector that is away or slow costs nobody anything, and what it missed is
told when it is back, up to a bound. Events that are published only wake it up.

What a restart finds: all up to the number that is on disk was told; what was told since is told
again, with the same numbers of spans. It ends with its conductor.
"""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from actors import Backoff
from ipc.subscriber import Subscriber
from marianne.run.complain import complain
from marianne.state.errors import StateError
from marianne.state.models import Event
from marianne.state.reader import Reader
from marianne.traces import otlp, progress
from marianne.traces.otlp import Span
from marianne.traces.progress import Progress
from marianne.traces.reading import Rows
from marianne.traces.settings import Settings
from marianne.traces.spans import ENDS, weight
from marianne.version import version

LIMIT = 20_000
"""Events that wait for the collector; of more the oldest are never told, and counted."""

PAGE = 1_000
"""Events that are looked at together."""

BATCH = 512
"""Spans of one request, about."""

GATHER = 1.0
"""Seconds between something that happened and the telling, for others to come along."""

FIRST_LOOKS, LOOK_AGAIN = 1.0, 60.0
"""Seconds after which it looks without having been woken: at first soon, for what happens before
the conductor knows that it listens wakes nobody."""

BACKOFF = Backoff(min=1.0, max=60.0)


class Exporter:
    """Tells of one page after the other. ``known`` is how far that has come."""

    def __init__(self, given: Settings, reader: Reader) -> None:
        self._given = given
        self._events = reader.events
        self._rows = Rows(reader, given.seed)
        self._home = Path(given.home)
        self.known = progress.read(self._home) or Progress(self._events.last_seq())
        self._resource = {
            "service.name": "marianne",
            "service.version": version(),
            "host.name": socket.gethostname(),
            "process.working_directory": given.home,
        }

    def turn(self) -> bool | None:
        """Tells of what comes next; whether there may be more. None: nobody takes it."""
        self._pass_over()
        page = self._events.since(self.known.seen, limit=PAGE)
        for spans, missing, seen in self._batches(page):
            if not self._tell(spans, missing, seen):
                return None
        return len(page) == PAGE

    def _pass_over(self) -> None:
        """What is too much is never told."""
        first = self._events.last_seq() - LIMIT
        if first > self.known.seen:
            numbers = self._events.numbers(self.known.seen, first)
            lost = sum(weight(event) * number for event, number in numbers.items())
            self._note(first, dropped=lost, trouble=self.known.trouble)

    def _batches(self, page: list[Event]) -> Iterator[tuple[list[Span], int, int]]:
        """Spans that go together, how many of them could not be made, and up to which event."""
        spans: list[Span] = []
        missing = 0
        for event in page:
            if event.event in ENDS and event.job_id is not None:
                made = self._rows.spans(event, event.job_id)
                spans += made or ()
                missing += weight(event.event) if made is None else 0
            if len(spans) >= BATCH:
                yield spans, missing, event.seq
                spans, missing = [], 0
        if page:
            yield spans, missing, page[-1].seq

    def _tell(self, spans: list[Span], missing: int, seen: int) -> bool:
        if not spans:
            self._note(seen, dropped=missing, trouble=self.known.trouble)
            return True
        body = otlp.request(self._resource, version(), spans)
        answer = otlp.send(self._given.url, self._given.headers, body, len(spans))
        if not (answer.taken or answer.refused):
            self._note(self.known.seen, trouble=answer.trouble)
            return False
        self._note(seen, answer.taken, answer.refused + missing, answer.trouble)
        return True

    def _note(self, seen: int, sent: int = 0, dropped: int = 0, trouble: str | None = None) -> None:
        before = self.known
        self.known = Progress(seen, before.sent + sent, before.dropped + dropped, trouble)
        if trouble != before.trouble:
            complain(trouble or "they are sent again", "traces")
        if self.known == before:
            return
        try:
            progress.write(self._home, self.known)
        except OSError as error:
            complain(f"what was sent may be sent twice, for it is not on disk: {error}", "traces")


def export_main(given: Settings) -> None:
    """The process. One that cannot read the database ends, and is started again a little later."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    failures, patience = 0, FIRST_LOOKS
    with Subscriber(given.events_sock) as heard, Reader(given.db) as reader:
        exporter = Exporter(given, reader)
        while True:
            try:
                more = exporter.turn()
            except StateError as error:
                complain(f"the database cannot be read: {error}", "traces")
                raise SystemExit(1) from None
            if more is None:
                time.sleep(BACKOFF.delay(failures, given.url))
                failures += 1
            elif not more:
                failures = 0
                _wait(heard, patience)
                patience = min(LOOK_AGAIN, 2 * patience)


def _wait(heard: Subscriber, seconds: float) -> None:
    """Until something has happened, and a little more; or so long."""
    heard.get(seconds)
    time.sleep(GATHER)
    while heard.get(0.0) is not None:
        pass
