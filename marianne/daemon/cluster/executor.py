"""An executor whose sheets run on the nodes of a cluster: what it does of what an Executor does.

What is done beside the sheets (hooks, notices, checks that are made again) is done on the
conductor's machine: see :mod:`marianne.daemon.cluster.executors`, which holds this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from actors import ChildSpec, Future, Handle
from marianne.daemon.cluster.cluster import Cluster
from marianne.daemon.cluster.desk import Desk
from marianne.daemon.cluster.nodes import Nodes, named
from marianne.daemon.cluster.places import Places
from marianne.daemon.cluster.runner import END_MARGIN, ClusterRunner
from marianne.daemon.config.executors import ExecutorConfig
from marianne.daemon.context import Context
from marianne.daemon.services.scheduler import SchedulerActor
from marianne.daemon.shared.log import get_logger
from marianne.daemon.shared.part import Part
from marianne.run.removal import REMOVE
from marianne.state.models import JobRow

if TYPE_CHECKING:
    from marianne.replies import executors as told

log = get_logger(__name__)


class ClusterExecutor:
    """``target`` is the bridge's function, by name. A method is what its namesake of
    :class:`marianne.executors.protocol.Executor` is, of this cluster."""

    def __init__(self, context: Context, config: ExecutorConfig, target: str) -> None:
        self._context, self._config, self._target = context, config, target
        self._name = f"executor:{config.name}"
        nodes = Nodes(
            config.lease_seconds,
            lambda: context.config.sheet_grace_seconds,
            config.slots,
            config.node_slots,
        )
        nodes.engine = f"executor {config.name} has not been reached yet"
        if config.kind == "slurm":
            nodes.none = "there is no pilot, and one is about to be submitted"
        places = Places(context.home, context.owner, config.shared_directory)
        self.desk = Desk(config.name, nodes, places, Handle(context.system, self._name))
        self.desk.limit = config.staging_limit_mb * 2**20
        self.desk.batch_jobs = config.batch_jobs.count if config.kind == "slurm" else 0

    # -- the conductor's life -------------------------------------------------------------------

    def service(self) -> ChildSpec:
        """Who owns the bridge."""
        settings = {
            "name": self._config.name,
            "owner": self._context.owner,
            "lease_seconds": self._config.lease_seconds,
            "sheet_grace_seconds": self._context.config.sheet_grace_seconds,
            "jobs": str(self._context.home.jobs),
            **self._config.connection(),
        }
        args = (self._context, self.desk, self._target, settings)
        return ChildSpec(id=self._name, cls=Cluster, args=args)

    def troubles(self) -> list[str]:
        """Why the cluster is not reached, or which of its nodes can be given nothing."""
        nodes = self.desk.nodes
        unfit = [named(node.name, node.why) for node in nodes.all() if node.why is not None]
        return [nodes.engine] if nodes.engine is not None else unfit[:3]

    def capacity(self) -> int:
        """The slots of the nodes that can be given sheets now."""
        return self.desk.nodes.capacity()

    def batch_jobs(self) -> int:
        """As the configuration says; Dask makes none."""
        return self.desk.batch_jobs

    def shortage(self) -> str:
        """By the nodes."""
        return self.desk.nodes.why_none()

    def describe(self, *, check: bool) -> Future[list[told.Executor]]:
        """The cluster with its nodes; those are asked by its actor."""
        found: Future[Any] = self.desk.cluster.within(None).call(
            Cluster.describe, self._config, check
        )
        return found

    def waits(self, job_id: str) -> Mapping[int, str]:
        """By its runner."""
        why = self.desk.waits.get(job_id)
        return why() if why is not None else {}

    def summary(self) -> str:
        """How many are reached, and how full they are."""
        return self.desk.nodes.summary()

    def drain(self, node: str, *, on: bool) -> bool:
        """Of its nodes; a restart forgets it."""
        done = self.desk.nodes.drain(node, on=on)
        self._context.scheduler.tell(SchedulerActor.room_changed)
        self.desk.wake()
        return done

    def cut_short(self) -> None:
        """Every job's workers are told to end at once."""
        for job_id in list(self.desk.jobs):
            close = {"kind": "close", "job_id": job_id, "grace": 0.0}
            for node in self.desk.nodes.all():
                if node.connected:
                    self.desk.post(node.name, [close])

    # -- a job's sheets -------------------------------------------------------------------------

    def child(self, job_id: str, part: Part) -> ChildSpec:
        """Who gives the job's sheets to nodes."""
        return ChildSpec(
            id=part.actor,
            cls=ClusterRunner,
            args=(self._context, self.desk, job_id, part),
            shutdown=self._context.config.sheet_grace_seconds + 2 * END_MARGIN,
        )

    def end(self, row: JobRow) -> Future[None]:
        """On each node that it was given to."""
        nodes = self.desk.places.used(row.job_id)
        grace = self._context.config.sheet_grace_seconds
        ended: Future[Any] = self.desk.cluster.within(None).call(
            Cluster.close_job, row.job_id, nodes, nodes, grace, True
        )
        return ended

    def finished(self, job_id: str) -> Iterable[dict[str, Any]]:
        """What stands in the spools of its nodes."""
        return self.desk.places.finished(job_id)

    def remove(self, job_ids: Iterable[str]) -> None:
        """In the shared directory."""
        gone = []
        for job_id in job_ids:
            try:
                gone.append(self.desk.places.put_aside(job_id))
            except OSError as error:
                log.warning("files_not_removed", paths=[job_id], error=repr(error))
        paths = [str(path) for path in gone if path is not None]
        if not paths:
            return
        try:
            self._context.system.processes.start(REMOVE, (paths,), name="marianne-clear")
        except (OSError, EOFError) as error:
            log.warning("files_not_removed", paths=paths, error=repr(error))
