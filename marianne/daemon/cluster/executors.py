"""The conductor's machine and its clusters as one executor: each job's sheets where they belong.

What is done beside the sheets (hooks, notices, checks that are made again) is done on this machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Any

from actors import ChildSpec, Future
from marianne.daemon.cluster.executor import ClusterExecutor
from marianne.daemon.config.machine import LOCAL
from marianne.daemon.context import Context
from marianne.daemon.shared.gathered import gathered
from marianne.daemon.shared.handoff import Entry
from marianne.daemon.shared.part import Part, parts_of, used_by
from marianne.daemon.worker.absent import absent, absent_runner
from marianne.daemon.worker.executor import LocalExecutor
from marianne.executors.beside import Again, CommandEnd, SideCommand
from marianne.executors.protocol import RunnerTroubles
from marianne.state.models import JobRow

if TYPE_CHECKING:
    from marianne.replies import executors as told


class Executors:
    """As :class:`marianne.executors.protocol.Executor` says. ``clusters`` are by name."""

    def __init__(
        self, context: Context, local: LocalExecutor, clusters: Mapping[str, ClusterExecutor]
    ) -> None:
        self._context, self._local, self._clusters = context, local, clusters

    # -- the conductor's life -------------------------------------------------------------------

    def services(self) -> Sequence[ChildSpec]:
        """What the local executor has, and the owner of each cluster's bridge."""
        owners = (cluster.service() for cluster in self._clusters.values())
        return (*self._local.services(), *owners)

    def look(self) -> None:
        """At the local executor's socket."""
        self._local.look()

    def troubles(self) -> RunnerTroubles:
        """Those of the local executor, and why a cluster is not reached, or which of its nodes can
        be given nothing."""
        troubles = self._local.troubles()
        words = [why for cluster in self._clusters.values() for why in cluster.troubles()]
        if words:
            own = [] if troubles["workers"] == "ok" else [troubles["workers"]]
            troubles["workers"] = "; ".join([*own, *words])
        return troubles

    def rooms(self) -> Mapping[str, int]:
        """The slots of the nodes that can be given sheets now."""
        return {name: cluster.capacity() for name, cluster in self._clusters.items()}

    def batch_jobs(self) -> Mapping[str, int]:
        """As many as each cluster makes."""
        return {name: cluster.batch_jobs() for name, cluster in self._clusters.items()}

    def shortage(self, executor: str) -> str:
        """By its nodes."""
        cluster = self._clusters.get(executor)
        return cluster.shortage() if cluster is not None else absent(executor)

    def describe(self, *, check: bool) -> Future[list[told.Executor]]:
        """Each cluster with its nodes."""
        asked = [one.describe(check=check) for one in self._clusters.values()]
        all_of_them: Future[list[told.Executor]] = Future(self._context.system, LOCAL, None, None)

        def are_known(whole: Future[list[list[told.Executor]]]) -> None:
            value, error = whole.outcome()
            if value is None:
                all_of_them.refuse(error or LookupError("no executors"))
            else:
                all_of_them.answer([one for some in value for one in some])

        gathered(self._context.system, LOCAL, asked).on_done(are_known)
        return all_of_them

    def cannot_hold(self, executors: Sequence[str]) -> str | None:
        """On nodes there are no control groups of ours."""
        here = tuple(executors) == (LOCAL,)
        return self._local.cannot_hold(executors) if here else "it has sheets on a cluster"

    def waits(self, job_id: str) -> Mapping[int, str]:
        """By the runners on clusters."""
        found: dict[int, str] = {}
        for cluster in self._clusters.values():
            found.update(cluster.waits(job_id))
        return found

    def summary(self) -> str | None:
        """How many nodes are reached, and how full they are."""
        words = {name: cluster.summary() for name, cluster in self._clusters.items()}
        if len(words) == 1:
            return next(iter(words.values()))
        return "; ".join(f"{name}: {text}" for name, text in words.items())

    def drain(self, node: str, *, on: bool) -> bool:
        """Of whichever clusters have one of that name; a restart forgets it."""
        found = [cluster.drain(node, on=on) for cluster in self._clusters.values()]
        return any(found)

    def job_of(self, pid: int) -> str | None:
        """What the local executor says: the nodes' processes are not this machine's."""
        return self._local.job_of(pid)

    def close(self) -> None:
        """The local executor's spare process ends."""
        self._local.close()

    def cut_short(self) -> None:
        """Every job's workers are told to end at once."""
        self._local.cut_short()
        for cluster in self._clusters.values():
            cluster.cut_short()

    # -- a job's sheets -------------------------------------------------------------------------

    def runners(self, job_id: str, executors: Sequence[str]) -> Sequence[ChildSpec]:
        """Those on clusters first: what one on this machine meets is no reason to restart them."""
        parts = parts_of(job_id, executors)
        local = parts.pop(LOCAL, None)
        specs = [self._runner(job_id, name, part) for name, part in parts.items()]
        if local is not None:
            used = [self._clusters[name] for name in parts if name in self._clusters]
            ready = partial(_link, used, job_id)
            specs.append(self._local.child(job_id, local._replace(ready=ready) if used else local))
        return specs

    def _runner(self, job_id: str, executor: str, part: Part) -> ChildSpec:
        cluster = self._clusters.get(executor)
        if cluster is None:
            return absent_runner(self._context, job_id, part)
        return cluster.child(job_id, part)

    def prepare(self, row: JobRow, plan: bytes, environment: bytes) -> None:
        """A job on this machine alone has its process chosen now; of one on a cluster nothing runs
        yet, and where it has sheets here too, its process may not begin before its files are there.
        """
        if tuple(row.options["executors"]) == (LOCAL,):
            self._local.prepare(row, plan, environment)
        else:
            self._context.entries[row.job_id] = Entry(copy(row), plan, environment)

    def unprepare(self, job_id: str) -> None:
        """What was left for its actors is taken back."""
        self._local.unprepare(job_id)

    def end(self, row: JobRow) -> Future[None]:
        """On this machine, and on each node that it was given to."""
        names = used_by(row, self._context.config.executor)
        used = [self._clusters[name] for name in names if name in self._clusters]
        ends = [self._local.end(row), *(one.end(row) for one in used)]
        whole: Future[Any] = gathered(self._context.system, f"job:{row.job_id}", ends)
        return whole

    def finished(self, job_id: str, executor: str | None = None) -> Iterable[dict[str, Any]]:
        """What stands in the spools: of its worker here, of its nodes."""
        found: list[dict[str, Any]] = []
        if executor in (None, LOCAL):
            found += self._local.finished(job_id, LOCAL)
        for name, cluster in self._clusters.items():
            if executor in (None, name):
                found += cluster.finished(job_id)
        return found

    def remove(self, job_ids: Iterable[str]) -> None:
        """Here and in the shared directories."""
        gone = list(job_ids)
        for cluster in self._clusters.values():
            cluster.remove(gone)
        self._local.remove(gone)

    # -- beside them ----------------------------------------------------------------------------

    def command(self, command: SideCommand) -> Future[CommandEnd]:
        """On this machine."""
        return self._local.command(command)

    def recheck(self, job_id: str, sheets: Sequence[Again]) -> Future[list[dict[str, Any]]]:
        """On this machine, which has the workspace too."""
        return self._local.recheck(job_id, sheets)


def _link(clusters: Sequence[ClusterExecutor], job_id: str) -> None:
    for cluster in clusters:
        cluster.desk.places.link(job_id)
