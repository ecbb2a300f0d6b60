"""What a cluster's actor and the runners of its jobs have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any

from marianne.daemon.cluster.nodes import Node, Nodes
from marianne.daemon.cluster.places import Places
from marianne.executors.lease import clock
from marianne.records import dataclass

if TYPE_CHECKING:
    from actors import Handle
    from marianne.daemon.cluster.cluster import Cluster
    from marianne.executors.protocol import Needs

COME_SECONDS = 120.0
"""What runners have to come from when a node that has work of their job is reached: a conductor
reads its jobs one after the other."""

Post = Callable[[str, Sequence[dict[str, Any]]], None]


@dataclass(slots=True)
class Desk:
    """``name`` is the executor's. ``jobs`` are those with a runner, which hear of nodes, each with
    its actor's name; ``waits`` says of each which sheets of it wait for a node, and why, ``held``
    what these take, ``batch`` which attempts of it want a batch job of their own. ``wake`` tells
    those that wait that there may be room.

    ``limit`` is how much of the files of one sheet is staged, in bytes each way. ``heard`` are the
    jobs whose runner knows what each node runs of them.

    ``batch_jobs``: so many attempts have a batch job of their own at one time; 0: the engine makes
    none. ``queued`` says of those, by name, why they wait, ``fates`` of nodes with which word the
    engine has ended them, ``over`` which attempts have a batch job that nobody wants any more.

    ``post`` sends messages to the warden of a node; to one that is not reached, or while the bridge
    is started anew, they are lost, and the node's next hello shows it.
    """

    name: str
    nodes: Nodes
    places: Places
    cluster: Handle[Cluster]
    jobs: dict[str, str] = field(default_factory=dict)
    waits: dict[str, Callable[[], Mapping[int, str]]] = field(default_factory=dict)
    held: dict[str, Callable[[], list[Needs]]] = field(default_factory=dict)
    limit: int = 0
    heard: set[str] = field(default_factory=set)
    batch_jobs: int = 0
    batch: dict[str, Callable[[], list[dict[str, Any]]]] = field(default_factory=dict)
    queued: Mapping[str, str] = field(default_factory=dict)
    fates: Mapping[str, str] = field(default_factory=dict)
    over: Sequence[str] = ()
    post: Post = lambda node, messages: None
    wake: Callable[[], None] = lambda: None

    def join(
        self,
        job_id: str,
        actor: str,
        why: Callable[[], Mapping[int, str]],
        held: Callable[[], list[Needs]],
        batch: Callable[[], list[dict[str, Any]]],
    ) -> None:
        """The job has a runner, an actor of this name."""
        self.waits[job_id], self.held[job_id], self.batch[job_id] = why, held, batch
        self.jobs[job_id] = actor

    def may_be_busy(self, node: Node) -> bool:
        """Whether it runs sheets, or may, for all that is known: it is not reached and its lease is
        not over, or it has work of a job whose runner has not heard of it yet, or will only come,
        for this conductor has just begun."""
        if not node.connected and not node.tenure.over(clock()):
            return True
        unheard = [job_id for job_id in node.hello.get("jobs", ()) if job_id not in self.heard]
        if node.taken or any(job_id in self.jobs for job_id in unheard):
            return True
        return bool(unheard) and clock() - node.up_at < COME_SECONDS

    def end_of(self, node: str) -> tuple[str | None, bool]:
        """With which word the engine has ended it, and whether one job alone was there then."""
        return self.fates.get(node), self.nodes.known(node).alone

    def forget(self, job_id: str) -> None:
        """The job has no runner any more, and no slots."""
        self.jobs.pop(job_id, None)
        self.waits.pop(job_id, None)
        self.held.pop(job_id, None)
        self.batch.pop(job_id, None)
        self.heard.discard(job_id)
        self.nodes.forget(job_id)
        self.wake()
