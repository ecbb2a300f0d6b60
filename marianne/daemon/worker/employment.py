"""Where a job's worker process comes from, and what it is told of its job.

In this order: the one that was chosen at the job's admission; the one that an earlier incarnation
or an earlier conductor recorded, if it lives; the spare; a new one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from actors import Future
from actors.process import Process
from marianne.daemon.worker.identity import PROCESS_NAME, recorded_proof
from marianne.daemon.worker.job_files import lay_out
from marianne.daemon.worker.orphans import sweep_job
from marianne.daemon.worker.spare_keeper import SpareKeeper, keeper_of, start_one
from marianne.daemon.worker.standby import SpareWorker
from marianne.run.archive import ARCHIVED
from marianne.run.procfs import boot_id
from marianne.state.reader import Reader

if TYPE_CHECKING:
    from pathlib import Path

    from marianne.daemon.context import Context
    from marianne.daemon.shared.handoff import Entry
    from marianne.daemon.worker.fleet import Fleet
    from marianne.state.models import JobRow


PIPE_ROOM = 32 * 1024
"""Bytes of plan and environment that go to a spare worker directly: a pipe takes twice as much at
once, so that nobody waits for a process that may hang."""


class Employed(NamedTuple):
    """A worker process of a job, and the proof of its name on the link."""

    process: Process
    proof: bytes

    def record(self) -> dict[str, Any]:
        """The proof of its life, as fields of the job's row."""
        return {
            "worker_pid": self.process.pid,
            "worker_start_time": self.process.start_time,
            "worker_boot_id": boot_id(),
            "worker_link": self.proof,
        }


class Employment:
    """For one job. What fails for want of files, descriptors or processes is an OSError, and so is
    what ``ready`` raises, which is called before a process is told of the job."""

    def __init__(
        self, context: Context, fleet: Fleet, job_id: str, ready: Callable[[], None] = lambda: None
    ) -> None:
        self._ready = ready
        self._context = context
        self._fleet = fleet
        self._job_id = job_id
        self._name = f"{PROCESS_NAME}{job_id}"

    def chosen(self, entry: Entry | None) -> Employed | None:
        """The process that was recorded with the job's admission, as long as it waits."""
        chosen = self._fleet.chosen
        if entry is None:
            if (late := chosen.pop(self._job_id, None)) is not None:
                late.dismiss()  # the job's actors have gone on by the database
            return None
        if self._job_id not in chosen:
            return None
        self._ready()
        # Whoever worked for the job before has left its directory, and perhaps results in there.
        new = not self._directory.exists()
        settings = self._settings(entry.row)
        if _fits(entry):
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            settings["given"] = {"plan": entry.plan, "env": entry.environment}
        else:
            lay_out(self._directory, entry.plan, entry.environment)
        spare = chosen.pop(self._job_id)
        employed = self._tell(spare, settings)
        name = self._fleet.peers.name_of(spare.proof)
        entry.blank = employed is not None and new and name in self._fleet.reached
        return employed

    def recorded(self) -> Employed | None:
        """The recorded process, if it lives; else nothing of it is left."""
        with Reader(self._context.home.db) as reader:
            job = self._row(reader)
        swept = self._fleet.swept.pop(self._job_id, None)
        if job.worker_pid is None or job.worker_start_time is None:
            return None
        if job.worker_boot_id != boot_id() or swept == (job.worker_pid, job.worker_start_time):
            return None
        process = self._context.system.processes.adopt(
            job.worker_pid, job.worker_start_time, self._name
        )
        if process is None:
            sweep_job(self._fleet, self._context.owner, self._job_id)
            return None
        proof = recorded_proof(job)
        self._fleet.peers.expect(proof, self._job_id)
        return Employed(process, proof)

    def another(self) -> Future[SpareWorker]:
        """One that is employed by nobody: the spare, else a new one, when it has started."""
        spare = self._fleet.spare.take()
        if spare is None:
            return start_one(self._context, self._fleet, self._name)
        keeper_of(self._context).tell(SpareKeeper.taken)
        ready: Future[SpareWorker] = Future(self._context.system, self._name, None, None)
        ready.answer(spare)
        return ready

    def employ(self, spare: SpareWorker) -> Employed | None:
        """Tells it about its job; None if it is no more."""
        self._ready()
        with Reader(self._context.home.db) as reader:
            lay_out(self._directory, reader.plan(self._job_id), reader.environment(self._job_id))
            job = self._row(reader)
            if job.options.get("archives") and _has_completed(reader, self._job_id):
                (self._directory / ARCHIVED).touch()  # the files of an ended job may be forgotten
            return self._tell(spare, self._settings(job))

    def _tell(self, spare: SpareWorker, settings: dict[str, Any]) -> Employed | None:
        self._fleet.peers.expect(spare.proof, self._job_id)  # before it can say anything
        if spare.employ(settings, self._name):
            return Employed(spare.process, spare.proof)
        spare.dismiss()
        return None

    def _row(self, reader: Reader) -> JobRow:
        job = reader.job(self._job_id)
        if job is None:
            raise LookupError(f"no job {self._job_id} in the database")
        return job

    @property
    def _directory(self) -> Path:
        return self._context.home.job_dir(self._job_id)

    def _settings(self, job: JobRow) -> dict[str, Any]:
        config = self._context.config
        return {
            "job_id": self._job_id,
            "job_dir": str(self._directory),
            "owner": self._context.owner,
            "conductor_pid": os.getpid(),
            "conductor_start_time": self._context.start_time,
            "orphan_grace_seconds": config.orphan_grace_seconds,
            "sheet_grace_seconds": config.sheet_grace_seconds,
            "output_limit_bytes": config.output_limit_mb * 2**20,
            "groups": self._context.groups.base,
            "limits": config.limits.given,
            "keeper": self._context.proof.keeper,
            "key_file": str(self._context.home.workers_key),
            "preflight": config.preflight.tokens,
            "trace_seed": self._context.trace_seed,
            "fresh": bool(job.options.get("archives")),
            "anew": bool(job.options.get("fresh") or job.options.get("archives")),
        }


def _has_completed(reader: Reader, job_id: str) -> bool:
    """Whether a sheet of it ever has: by then its workspace was archived, and holds its work."""
    return any(attempt.outcome == "completed" for attempt in reader.attempts(job_id))


def _fits(entry: Entry) -> bool:
    return len(entry.plan) + len(entry.environment) <= PIPE_ROOM
