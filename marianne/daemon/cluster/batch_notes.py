"""The attempts of a job that are to have a batch job of their own, on disk until they are over.

What a restart finds: each with its grant. One that no node has claimed waits on for its batch job,
which may have stood in the engine's queue for hours and keeps its place there.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Container, Sequence
from pathlib import Path
from typing import Any

from ipc import codec
from ipc.errors import CodecError
from marianne.daemon.shared.log import get_logger
from marianne.executors.protocol import Needs, Run
from marianne.state.errors import StateError
from marianne.state.models import JobStatus
from marianne.state.reader import Reader

log = get_logger(__name__)

Attempt = tuple[int, int]

HAS_A_RUNNER = frozenset({JobStatus.RUNNING, JobStatus.PAUSING, JobStatus.CANCELLING})


def name_of(job_id: str, num: int, attempt: int) -> str:
    """What an attempt is called by an engine."""
    return f"{job_id}-{num}.{attempt}"


def attempt_of(name: str) -> tuple[str, int, int]:
    """The job, the sheet and the attempt of such a name. Raises ValueError for another."""
    job_id, _, rest = name.rpartition("-")
    num, _, attempt = rest.partition(".")
    return job_id, int(num), int(attempt)


def over(names: Sequence[str], jobs: Container[str], db: Path) -> list[str]:
    """Which of these attempts are over, that have a batch job which no runner wants: those of
    ``jobs`` that have a runner, which knows all that it wants, and of jobs that run no more. Of any
    other job a runner will come yet: the conductor has just begun."""
    if not names:
        return []
    unknown = {attempt_of(name)[0] for name in names if attempt_of(name)[0] not in jobs}
    try:
        with Reader(db) as reader:
            rows = {job_id: reader.job(job_id) for job_id in unknown}
    except (OSError, StateError) as error:
        log.warning("batch_jobs_kept", error=repr(error))
        return []
    to_come = {job_id for job_id, row in rows.items() if row and row.status in HAS_A_RUNNER}
    return [name for name in names if attempt_of(name)[0] not in to_come]


class BatchNotes:
    """``directory`` is the notes' own. ``runs`` are the grants, ``placed`` those that have been
    given to a node; of both any thread may make a copy."""

    def __init__(self, directory: Path, job_id: str) -> None:
        self._directory, self._job_id = directory, job_id
        self.runs: dict[Attempt, Run] = {}
        self.placed: set[Attempt] = set()

    def read(self) -> None:
        """What an earlier incarnation has noted. What cannot be read is as if it were not there:
        its attempt was interrupted."""
        try:
            names = os.listdir(self._directory)
        except FileNotFoundError:
            return
        for name in names:
            if name.startswith("."):
                continue  # it was never whole
            try:
                run = _run(codec.unpack((self._directory / name).read_bytes()))
            except (CodecError, OSError, KeyError, TypeError, ValueError) as error:
                log.warning(
                    "batch_note_not_read", job_id=self._job_id, name=name, error=repr(error)
                )
                continue
            self.runs[run.num, run.attempt] = run

    def note(self, run: Run) -> None:
        """Of this attempt; on disk when this returns. Raises OSError."""
        key = run.num, run.attempt
        if key in self.runs:
            return
        self._directory.mkdir(mode=0o700, exist_ok=True)
        place = self._directory / f"{run.num}.{run.attempt}"
        fresh = place.with_name(f".{place.name}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(codec.pack({**run.to_map(), "needs": list(run.needs)}))
            file.flush()
            os.fsync(descriptor)
        fresh.replace(place)
        self.runs = {**self.runs, key: run}

    def keep(self, keys: Collection[Attempt]) -> None:
        """All others are over."""
        for num, attempt in self.runs.keys() - keys:
            try:
                (self._directory / f"{num}.{attempt}").unlink(missing_ok=True)
            except OSError as error:
                log.warning("batch_note_left", job_id=self._job_id, sheet=num, error=repr(error))
        self.runs = {key: run for key, run in self.runs.items() if key in keys}
        self.placed = self.placed & self.runs.keys()

    def wanted(self) -> list[dict[str, Any]]:
        """As an engine is told of them. Any thread."""
        runs, placed = self.runs, self.placed
        return [
            {
                "name": name_of(self._job_id, *key),
                "takes": list(run.needs[:4]),
                "options": [list(one) for one in run.needs.batch or ()],
                "placed": key in placed,
            }
            for key, run in runs.items()
        ]


def _run(told: dict[str, Any]) -> Run:
    cpus, memory_mb, gpus, labels, batch = told.pop("needs")
    options = tuple((str(name), value) for name, value in batch)
    needs = Needs(cpus, memory_mb, gpus, tuple(labels), options)
    states = {num: tuple(state) for num, state in told["states"].items()}
    tuples = {name: tuple(told[name]) for name in ("skipped", "failed")}
    return Run(**{**told, **tuples, "states": states, "needs": needs})
