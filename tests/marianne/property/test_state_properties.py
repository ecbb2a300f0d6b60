"""The database against a plain model of it, over any history of batches."""

import tempfile
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from marianne.model.result import AttemptResult
from marianne.state.changes import (
    AddAttempt,
    AddEvent,
    Change,
    DeleteJob,
    InsertJob,
    RememberReply,
    SaveSheet,
    UpdateJob,
)
from marianne.state.database import Database
from marianne.state.models import TERMINAL_JOB, JobRow, JobStatus, SheetRow, SheetStatus
from marianne.state.reader import Reader
from marianne.state.transitions import allowed

SHEETS = 3
ids = st.sampled_from(["a", "b"])
nums = st.integers(1, SHEETS)

changes = st.one_of(
    ids.map(lambda i: InsertJob(JobRow(i, i, JobStatus.QUEUED, "/w", 0.0, SHEETS), b"", "", b"")),
    st.builds(
        lambda i, status, asked: UpdateJob(i, {"status": status}, asked=asked),
        ids,
        st.sampled_from(JobStatus),
        st.booleans(),
    ),
    st.builds(
        lambda i, num, status, asked: SaveSheet(i, SheetRow(num, status), asked=asked),
        ids,
        nums,
        st.sampled_from(SheetStatus),
        st.booleans(),
    ),
    st.builds(
        lambda i, num, n: AddAttempt(i, AttemptResult(num, n, "failed", 0.0, 1.0)),
        ids,
        nums,
        st.integers(1, 2),
    ),
    st.builds(
        lambda i, name: AddEvent(i, None, name, {}, 0.0),
        st.one_of(st.none(), ids),
        st.sampled_from(["x", "y"]),
    ),
    st.builds(lambda n: RememberReply(f"r{n}", b"yes", 0.0), st.integers(1, 3)),
    ids.map(DeleteJob),
)


class RefusedError(Exception):
    """The model refuses a change."""


@dataclass
class Model:
    """What the state is, said in the shortest way."""

    used: set[str] = field(default_factory=set)
    jobs: dict[str, JobStatus] = field(default_factory=dict)
    sheets: dict[tuple[str, int], SheetStatus] = field(default_factory=dict)
    attempts: set[tuple[str, int, int]] = field(default_factory=set)
    replies: set[str] = field(default_factory=set)
    events: list[tuple[int, int, str | None]] = field(default_factory=list)

    def after(self, batch: list[Change]) -> "Model | None":
        """The model after the batch; None if a change of it is refused."""
        new = deepcopy(self)
        try:
            for change in batch:
                new.do(change)
        except RefusedError:
            return None
        return new

    def do(self, change: Change) -> None:
        match change:
            case InsertJob(row):
                self.need(row.job_id not in self.used)
                self.used.add(row.job_id)
                self.jobs[row.job_id] = row.status
            case UpdateJob(job_id, fields, asked):
                self.need(job_id in self.jobs)
                status: Any = fields["status"]
                self.need(allowed(self.jobs[job_id], status, asked=asked))
                self.jobs[job_id] = status
            case SaveSheet(job_id, row, asked):
                self.need(job_id in self.jobs)
                old = self.sheets.get((job_id, row.num), SheetStatus.PENDING)
                self.need(allowed(old, row.status, asked=asked))
                self.sheets[job_id, row.num] = row.status
            case AddAttempt(job_id, result):
                self.need(job_id in self.jobs)
                key = (job_id, result.num, result.attempt)
                self.need(key not in self.attempts)
                self.attempts.add(key)
            case AddEvent(job_id):
                self.need(job_id is None or job_id in self.jobs)
                mine = [seq for seq, _, other in self.events if job_id and other == job_id]
                self.events.append((len(self.events) + 1, mine[-1] if mine else 0, job_id))
            case RememberReply(request_id):
                self.need(request_id not in self.replies)
                self.replies.add(request_id)
            case DeleteJob(job_id):
                self.need(self.jobs.get(job_id) in TERMINAL_JOB)
                del self.jobs[job_id]
                self.sheets = {k: v for k, v in self.sheets.items() if k[0] != job_id}
                self.attempts = {k for k in self.attempts if k[0] != job_id}
            case _:
                raise AssertionError(change)

    @staticmethod
    def need(condition: bool) -> None:
        if not condition:
            raise RefusedError


def check(model: Model, reader: Reader) -> None:
    """Everything that can be read is what the model says."""
    views = {view.row.job_id: view for view in reader.jobs(limit=99).jobs}
    assert {job_id: view.row.status for job_id, view in views.items()} == model.jobs
    assert reader.statuses() == Counter(model.jobs.values())
    for job_id, view in views.items():
        mine = {num: status for (owner, num), status in model.sheets.items() if owner == job_id}
        assert {row.num: row.status for row in reader.sheets(job_id)} == mine
        counted = Counter(mine.values())
        for status in set(SheetStatus) - {SheetStatus.PENDING}:
            assert getattr(view.counts, status) == counted[status]
        assert sum(view.counts.progress().values()) == 2 * SHEETS
        attempts = {(job_id, r.num, r.attempt) for r in reader.attempts(job_id)}
        assert attempts == {key for key in model.attempts if key[0] == job_id}
    assert [(e.seq, e.prev, e.job_id) for e in reader.events.since(0)] == model.events
    assert {f"r{n}" for n in (1, 2, 3) if reader.reply(f"r{n}")} == model.replies
    assert {job_id for job_id in ("a", "b") if reader.taken(job_id)} == model.used


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.lists(changes, max_size=4), max_size=4), max_size=8), st.booleans())
def test_the_state_is_what_its_accepted_batches_say(
    groups: list[list[list[Change]]], reopen: bool
) -> None:
    model = Model()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "state.db")
        database = Database(path)
        try:
            for group in groups:
                for batch, answer in zip(group, database.write_many(group), strict=True):
                    new = model.after(batch)
                    assert isinstance(answer, Exception) == (new is None)
                    if new is not None and not isinstance(answer, Exception):
                        told = [(e.seq, e.prev, e.job_id) for e in answer]
                        assert told == new.events[len(model.events) :]
                        model = new
                if reopen:
                    database.close()
                    database = Database(path)
            with Reader(path) as reader:
                check(model, reader)
        finally:
            database.close()
