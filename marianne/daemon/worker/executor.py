"""The local executor: a worker process for each admitted job, on this machine."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from actors import ChildSpec
from actors.process import Process
from marianne.daemon.context import Context
from marianne.daemon.processes.handoff import enter
from marianne.daemon.services.spare_keeper import SpareKeeper
from marianne.daemon.worker.actor import END_MARGIN, Worker
from marianne.daemon.worker.orphans import kill_worker, remove_files, sweep_job
from marianne.run.spool import read_spool
from marianne.state.models import JobRow


def spooled(directory: Path) -> list[dict[str, Any]]:
    """The results in the spool of a job's directory. Raises OSError if it cannot be read now."""
    return read_spool(str(directory / "spool"))


class LocalExecutor:
    """As :class:`marianne.executors.protocol.Executor` says."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def child(self, job_id: str) -> ChildSpec:
        """The owner of the job's worker process. It has the time that its sheets have to end."""
        grace = self._context.config.sheet_grace_seconds + 2 * END_MARGIN
        return ChildSpec(
            id=f"job:{job_id}/worker",
            cls=Worker,
            args=(self._context, job_id),
            shutdown=grace + END_MARGIN,
        )

    def prepare(self, row: JobRow, plan: bytes, environment: bytes) -> None:
        """The spare process becomes the job's worker; its record goes into the row."""
        spare = self._context.spare.take()
        self._context.spare_keeper.tell(SpareKeeper.taken)
        self._context.entries[row.job_id] = enter(row, plan, environment, spare)

    def unprepare(self, job_id: str) -> None:
        """The process that waits for the job ends."""
        entry = self._context.entries.pop(job_id, None)
        if entry is not None:
            entry.dismiss()

    def end(self, row: JobRow) -> Process | None:
        """Kills the recorded worker process."""
        return kill_worker(self._context, row)

    def sweep(self, job_id: str) -> None:
        """Ends what its worker left."""
        sweep_job(self._context, job_id)

    def finished(self, job_id: str) -> Iterable[dict[str, Any]]:
        """What its worker had spooled."""
        return spooled(self._context.home.job_dir(job_id))

    def remove(self, job_ids: Iterable[str]) -> None:
        """In a process of its own."""
        remove_files(self._context, job_ids)
