"""Forgetting the past: events, answers, ended jobs and their files, by age, size and number.

It decides and others do: the store forgets events and answers in small steps, the manager deletes
jobs, because only it knows which are not over. What it finds out about disk use is shown by
``conductor-status``. What a restart finds: the next look finds what this one did not finish.
"""

from __future__ import annotations

import os
from pathlib import Path

from actors import Actor, Timer
from marianne.clock import earliest
from marianne.daemon import ports
from marianne.daemon.context import Context
from marianne.daemon.services.store import Store
from marianne.daemon.shared.log import get_logger
from marianne.state.errors import StateError
from marianne.state.models import TERMINAL_JOB, JobRow
from marianne.state.reader import JobFilter, Reader
from marianne.state.retention import RetentionPolicy

log = get_logger(__name__)

FIRST_LOOK = 30.0
INTERVAL = 600.0
"""Seconds between two looks at everything; a machine at rest is woken no more often."""

AFTER_A_JOB = 1.0
"""Seconds from a job's end to the look at how many there are; those between count as one."""

DAY = 86_400.0
ERRORS_BYTES = 16 * 2**20
"""Of the file that whoever has no log writes to, all workers among them."""

JOBS_AT_ONCE = 20
"""Jobs in one deletion: with 10,000 sheets each that is some 200 ms of the store's time."""


class Retention(Actor):
    """Looks every ten minutes, and at the number of ended jobs soon after one has ended."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._soon: Timer | None = None

    def on_start(self) -> None:
        """The start has more important things to do."""
        self.send_after(FIRST_LOOK, self.look)

    def look(self) -> None:
        """Forgets what is too old or too much, and sets the timer for the next look."""
        self.send_after(INTERVAL, self.look)
        self._look_at_events()
        self.count_jobs()
        self._look_at_files()
        empty_if_longer(self._context.home.errors, ERRORS_BYTES)

    def job_ended(self) -> None:
        """A job is over: there may be one too many."""
        if self._soon is None:
            self._soon = self.send_after(AFTER_A_JOB, self.count_jobs)

    def count_jobs(self) -> None:
        """Has the oldest ended jobs beyond ``max_job_history`` deleted."""
        self._soon = None
        keep = self._context.config.max_job_history
        try:
            with Reader(self._context.home.db) as reader:
                counted = reader.statuses()
                ended = sum(counted.get(status, 0) for status in TERMINAL_JOB)
                gone = reader.expired_jobs(keep) if ended > keep else []
        except StateError as error:
            log.warning("jobs_not_counted", error=str(error))
            return
        for at in range(0, len(gone), JOBS_AT_ONCE):
            some = gone[at : at + JOBS_AT_ONCE]
            self._context.manager.tell(ports.Jobs.forget, some, files_alone=False)

    def _look_at_events(self) -> None:
        kept = self._context.config.retention
        # Here, for it takes seconds where there are a million, and everybody waits for the store.
        try:
            with Reader(self._context.home.db) as reader:
                old = reader.events.first_since(earliest() - kept.event_days * DAY)
                much = reader.events.oldest_within(kept.event_mb * 2**20)
        except StateError as error:
            log.warning("events_not_counted", error=str(error))
            return
        self._context.store.tell(Store.retain, RetentionPolicy(max(old, much)))

    def _look_at_files(self) -> None:
        kept = self._context.config.retention
        sizes = {path.name: tree_size(path) for path in self._context.home.jobs.iterdir()}
        self._context.storage.files_bytes = sum(sizes.values())
        with Reader(self._context.home.db) as reader:
            page = reader.jobs(JobFilter(TERMINAL_JOB), limit=self._context.config.max_job_history)
        ended = [view.row for view in page.jobs if view.row.job_id in sizes]
        gone = too_much(ended, sizes, earliest() - kept.output_days * DAY, kept.output_mb * 2**20)
        if gone:
            log.info("files_forgotten", jobs=len(gone))
            self._context.manager.tell(ports.Jobs.forget, gone, files_alone=True)


def too_much(ended: list[JobRow], sizes: dict[str, int], oldest: float, limit: int) -> list[str]:
    """The ended jobs whose files go: what ended before ``oldest``, then the oldest over ``limit``
    bytes together, but for the newest: somebody is about to look at it. Pure."""
    newest_first = sorted(ended, key=lambda job: job.finished_at or 0.0, reverse=True)
    gone, used = [], 0
    for job in newest_first:
        used += sizes[job.job_id]
        over = used > limit and job is not newest_first[0]
        if over or (job.finished_at or 0.0) < oldest:
            gone.append(job.job_id)
    return gone


def tree_size(path: Path) -> int:
    """Bytes on disk below a directory; what vanishes meanwhile counts nothing."""
    size = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                size += os.lstat(os.path.join(folder, name)).st_blocks * 512
            except OSError:
                continue
    return size


def empty_if_longer(path: Path, limit: int) -> None:
    """Empties a file that others append to. One that cannot be looked at just now is left."""
    try:
        if path.stat().st_size > limit:
            os.truncate(path, 0)
    except OSError:
        pass
