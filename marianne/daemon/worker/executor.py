"""The local executor: a worker process for each admitted job, on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors import ChildSpec, Future, Handle
from marianne.daemon import ports
from marianne.daemon.config.machine import LOCAL
from marianne.daemon.context import Context
from marianne.daemon.shared.handoff import Entry
from marianne.daemon.shared.part import Part, parts_of
from marianne.daemon.worker.absent import absent, absent_runner
from marianne.daemon.worker.actor import END_MARGIN, Worker
from marianne.daemon.worker.beside import Beside
from marianne.daemon.worker.fleet import Fleet
from marianne.daemon.worker.orphans import remove_files
from marianne.daemon.worker.socket import Link
from marianne.daemon.worker.spare_keeper import SpareKeeper, keeper_of
from marianne.executors.beside import Again, CommandEnd, SideCommand
from marianne.executors.protocol import RunnerTroubles
from marianne.run.procfs import boot_id
from marianne.run.spool import read_spool
from marianne.state.models import JobRow

if TYPE_CHECKING:
    from marianne.replies import executors as told


def spooled(directory: Path) -> list[dict[str, Any]]:
    """The results in the spools of a job's directory: its worker's, and those of nodes it ran on.
    Raises OSError if one cannot be read now."""
    nodes = sorted(directory.glob("nodes/*/spool"))
    return [one for place in (directory / "spool", *nodes) for one in read_spool(str(place))]


class LocalExecutor:
    """As :class:`marianne.executors.protocol.Executor` says."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.fleet = Fleet(context.system, context.group, context.groups)
        self._beside: Handle[Beside] = Handle(context.system, "beside")
        self._link: Handle[Link] = Handle(context.system, "link")

    # -- the conductor's life -------------------------------------------------------------------

    def services(self) -> Sequence[ChildSpec]:
        """The socket of the workers, who keeps one ready, and what runs beside them."""
        given = (self._context, self.fleet)
        return (
            ChildSpec(id="link", cls=Link, args=given),
            ChildSpec(id="beside", cls=Beside, args=given, shutdown=4 * END_MARGIN),
            ChildSpec(id="spare", cls=SpareKeeper, args=given),
        )

    def look(self) -> None:
        """At the sockets: the workers' and the forkserver's."""
        self._link.tell(ports.Listener.look)
        keeper_of(self._context).tell(SpareKeeper.look)

    def troubles(self) -> RunnerTroubles:
        """Who does not answer, and how many strangers were refused."""
        return self.fleet.troubles()

    def rooms(self) -> Mapping[str, int]:
        """None: the machine is the conductor's own."""
        return {}

    def batch_jobs(self) -> Mapping[str, int]:
        """It makes none."""
        return {}

    def shortage(self, executor: str) -> str:
        """There is no other."""
        return absent(executor)

    def describe(self, *, check: bool) -> Future[list[told.Executor]]:
        """This machine, which has no nodes."""
        here: told.Executor = {
            "name": LOCAL,
            "kind": LOCAL,
            "address": None,
            "used": True,
            "why": None,
            "lease_seconds": None,
            "slots": None,
            "taken": 0,
            "nodes": [],
        }
        future: Future[list[told.Executor]] = Future(self._context.system, LOCAL, None, None)
        future.answer([here])
        return future

    def cannot_hold(self, executors: Sequence[str]) -> str | None:
        """Only control groups can."""
        return self._context.groups.why

    def waits(self, job_id: str) -> Mapping[int, str]:
        """None: what is granted begins."""
        return {}

    def summary(self) -> str | None:
        """There are no nodes."""
        return None

    def drain(self, node: str, *, on: bool) -> bool:
        """There are no nodes."""
        return False

    def job_of(self, pid: int) -> str | None:
        """The job of a worker process."""
        return self.fleet.job_of(pid)

    def close(self) -> None:
        """The spare process ends."""
        self.fleet.spare.close()

    def cut_short(self) -> None:
        """Workers are killed, and what ran below them is swept as they end."""
        self.fleet.kill_all()

    # -- a job's sheets -------------------------------------------------------------------------

    def runners(self, job_id: str, executors: Sequence[str]) -> Sequence[ChildSpec]:
        """The owner of the job's worker process. Sheets that are for another executor wait."""
        return [
            self.child(job_id, part)
            if name == LOCAL
            else absent_runner(self._context, job_id, part)
            for name, part in parts_of(job_id, executors).items()
        ]

    def child(self, job_id: str, part: Part) -> ChildSpec:
        """The owner of the job's worker process. It has the time that its sheets have to end."""
        grace = self._context.config.sheet_grace_seconds + 2 * END_MARGIN
        return ChildSpec(
            id=part.actor,
            cls=Worker,
            args=(self._context, self.fleet, job_id, part),
            shutdown=grace + END_MARGIN,
        )

    def prepare(self, row: JobRow, plan: bytes, environment: bytes) -> None:
        """The spare process becomes the job's worker; its record goes into the row."""
        spare = self.fleet.spare.take()
        keeper_of(self._context).tell(SpareKeeper.taken)
        if spare is not None:
            row.worker_pid, row.worker_start_time = spare.process.pid, spare.process.start_time
            row.worker_boot_id, row.worker_link = boot_id(), spare.proof
            self.fleet.chosen[row.job_id] = spare
        self._context.entries[row.job_id] = Entry(copy(row), plan, environment)

    def unprepare(self, job_id: str) -> None:
        """The process that waits for the job ends."""
        self._context.entries.pop(job_id, None)
        spare = self.fleet.chosen.pop(job_id, None)
        if spare is not None:
            spare.dismiss()

    def end(self, row: JobRow) -> Future[None]:
        """Kills the recorded worker process, and ends what it left."""
        ended: Future[Any] = self._beside.within(None).call(Beside.end_worker, row)
        return ended

    def finished(self, job_id: str, executor: str | None = None) -> Iterable[dict[str, Any]]:
        """What its worker had spooled; without a name also nodes that it ran on earlier."""
        directory = self._context.home.job_dir(job_id)
        return spooled(directory) if executor is None else read_spool(str(directory / "spool"))

    def remove(self, job_ids: Iterable[str]) -> None:
        """In a process of its own."""
        remove_files(self._context, job_ids)

    # -- beside them ----------------------------------------------------------------------------

    def command(self, command: SideCommand) -> Future[CommandEnd]:
        """In a process of its own, on this machine."""
        ended: Future[Any] = self._beside.within(None).call(Beside.command, command)
        return ended

    def recheck(self, job_id: str, sheets: Sequence[Again]) -> Future[list[dict[str, Any]]]:
        """In a process of its own, on this machine."""
        found: Future[Any] = self._beside.within(None).call(Beside.recheck, job_id, sheets)
        return found
