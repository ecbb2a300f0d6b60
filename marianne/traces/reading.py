"""What an event is about, read from the rows: the job, its trace, the attempts of its sheets."""

from __future__ import annotations

from collections import OrderedDict

import msgpack

from marianne.environment import unpacked
from marianne.score.pack import PlanFormatError, unpack_outline
from marianne.state.errors import NoSuchJob
from marianne.state.models import Event, SheetStatus
from marianne.state.reader import Reader
from marianne.trace_context import trace_of
from marianne.traces.otlp import Span
from marianne.traces.spans import (
    JOB_ENDS,
    LIVES,
    SHEET_ENDS,
    Told,
    attempt_span,
    in_life,
    job_span,
    life_before,
    sheet_span,
)

MOST = 16
"""Jobs that are known by heart: what is known of one grows with its sheets."""


class Rows:
    """Makes spans of events, one after the other in their order."""

    def __init__(self, reader: Reader, seed: str) -> None:
        self._reader, self._seed = reader, seed
        self._known: OrderedDict[str, Told] = OrderedDict()

    def spans(self, event: Event, job_id: str) -> list[Span] | None:
        """What this event ends; None: its job was cleared meanwhile. Empty where whoever began the
        trace wants to hear nothing of it."""
        try:
            told = self._told(event, job_id)
            if told is None:
                return None
            if not told.trace.sampled:
                return []
            if event.event in JOB_ENDS:
                return self._of_job(told, event)
            return self._of_sheet(told, event)
        except NoSuchJob:
            return None

    def _of_job(self, told: Told, event: Event) -> list[Span]:
        """With its sheets that it ended, of which there is no event of their own."""
        self._known.pop(told.job.job_id, None)  # if it goes on it has another life
        found = []
        for row in self._reader.sheets(told.job.job_id):
            if row.status is SheetStatus.CANCELLED and row.attempt:
                attempts = in_life(told.life, self._reader.attempts(told.job.job_id, row.num))
                if attempts:
                    last = max(one.finished_at for one in attempts)
                    found.append(sheet_span(told, row.num, "cancelled", attempts, last, None))
        return [*found, job_span(told, event)]

    def _of_sheet(self, told: Told, event: Event) -> list[Span]:
        num, job_id = event.sheet_num, told.job.job_id
        assert num is not None
        found = []
        if event.data.get("attempt"):
            result = self._reader.attempt(job_id, num, int(event.data["attempt"]))
            if result is not None:
                found.append(attempt_span(told, result))
        if event.event in SHEET_ENDS:
            attempts = self._reader.attempts(job_id, num)
            outcome, why = event.event.partition(".")[2], event.data.get("message")
            found.append(sheet_span(told, num, outcome, attempts, event.ts, why))
        return found

    def _told(self, event: Event, job_id: str) -> Told | None:
        told = self._known.get(job_id)
        if told is None or 0 < len(told.names) < (event.sheet_num or 0):
            told = self._read(event, job_id)
            if told is None:
                return None
            self._known[job_id] = told
            while len(self._known) > MOST:
                self._known.popitem(last=False)
        self._known.move_to_end(job_id)
        return told

    def _read(self, event: Event, job_id: str) -> Told | None:
        job = self._reader.job(job_id)
        if job is None:
            return None
        environment = unpacked(msgpack.unpackb(self._reader.environment(job_id)))
        life = life_before(job, self._reader.events.of_job(job_id, LIVES), event.seq)
        return Told(job, trace_of(self._seed, job_id, environment), life, self._names(job_id))

    def _names(self, job_id: str) -> list[str]:
        try:
            return [one.name for one in unpack_outline(self._reader.plan(job_id))]
        except PlanFormatError:
            return []  # of another version: then sheets are called by their numbers
