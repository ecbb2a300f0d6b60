"""Where a job's worker process comes from, and what it is told of its job.

In this order: the one that was chosen at the job's admission; the one that an earlier incarnation
or an earlier conductor recorded, if it lives; the spare; a new one.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from actors import Future
from actors.process import Process
from marianne.daemon.processes.identity import PROCESS_NAME, recorded_proof
from marianne.daemon.processes.job_files import lay_out
from marianne.daemon.processes.standby import SpareWorker
from marianne.daemon.services.spare_keeper import SpareKeeper, start_one
from marianne.daemon.worker.orphans import sweep_job
from marianne.run.procfs import boot_id
from marianne.state.reader import Reader

if TYPE_CHECKING:
    from pathlib import Path

    from marianne.daemon.context import Context
    from marianne.daemon.processes.handoff import Entry
    from marianne.state.models import JobRow


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
    """For one job. What fails for want of files, descriptors or processes is an OSError."""

    def __init__(self, context: Context, job_id: str) -> None:
        self._context = context
        self._job_id = job_id
        self._name = f"{PROCESS_NAME}{job_id}"

    def chosen(self, entry: Entry | None) -> Employed | None:
        """The process that was recorded with the job's admission, as long as it waits."""
        if entry is None or entry.spare is None:
            return None
        # Whoever worked for the job before has left its directory, and perhaps results in there.
        new = not self._directory.exists()
        settings = self._settings(entry.row)
        if entry.small:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            settings["given"] = {"plan": entry.plan, "env": entry.environment}
        else:
            lay_out(self._directory, entry.plan, entry.environment)
        spare, entry.spare = entry.spare, None
        employed = self._tell(spare, settings)
        peers, reached = self._context.peers, self._context.reached
        entry.blank = employed is not None and new and peers.name_of(spare.proof) in reached
        return employed

    def recorded(self) -> Employed | None:
        """The recorded process, if it lives; else nothing of it is left."""
        with Reader(self._context.home.db) as reader:
            job = self._row(reader)
        swept = self._context.swept.pop(self._job_id, None)
        if job.worker_pid is None or job.worker_start_time is None:
            return None
        if job.worker_boot_id != boot_id() or swept == (job.worker_pid, job.worker_start_time):
            return None
        process = self._context.system.processes.adopt(
            job.worker_pid, job.worker_start_time, self._name
        )
        if process is None:
            sweep_job(self._context, self._job_id)
            return None
        proof = recorded_proof(job)
        self._context.peers.expect(proof, self._job_id)
        return Employed(process, proof)

    def another(self) -> Future[SpareWorker]:
        """One that is employed by nobody: the spare, else a new one, when it has started."""
        context = self._context
        spare = context.spare.take()
        if spare is None:
            return start_one(context, self._name)
        context.spare_keeper.tell(SpareKeeper.taken)
        ready: Future[SpareWorker] = Future(context.system, self._name, None, None)
        ready.answer(spare)
        return ready

    def employ(self, spare: SpareWorker) -> Employed | None:
        """Tells it about its job; None if it is no more."""
        with Reader(self._context.home.db) as reader:
            lay_out(self._directory, reader.plan(self._job_id), reader.environment(self._job_id))
            return self._tell(spare, self._settings(self._row(reader)))

    def _tell(self, spare: SpareWorker, settings: dict[str, Any]) -> Employed | None:
        self._context.peers.expect(spare.proof, self._job_id)  # before it can say anything
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
            "preflight": config.preflight.tokens,
            "fresh": bool(job.options.get("archives")),
        }
