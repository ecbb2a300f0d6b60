"""What a cluster's actor and the runners of its jobs have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any

from marianne.daemon.cluster.nodes import Nodes
from marianne.daemon.cluster.places import Places
from marianne.records import dataclass

if TYPE_CHECKING:
    from actors import Handle
    from marianne.daemon.cluster.cluster import Cluster
    from marianne.executors.protocol import Needs

Post = Callable[[str, Sequence[dict[str, Any]]], None]


@dataclass(slots=True)
class Desk:
    """``name`` is the executor's. ``jobs`` are those with a runner, which hear of nodes; ``waits``
    says of each which sheets of it wait for a node, and why, ``held`` what these take. ``wake``
    tells those that wait that there may be room.

    ``limit`` is how much of the files of one sheet is staged, in bytes each way.

    ``post`` sends messages to the warden of a node; to one that is not reached, or while the bridge
    is started anew, they are lost, and the node's next hello shows it.
    """

    name: str
    nodes: Nodes
    places: Places
    cluster: Handle[Cluster]
    jobs: set[str] = field(default_factory=set)
    waits: dict[str, Callable[[], Mapping[int, str]]] = field(default_factory=dict)
    held: dict[str, Callable[[], list[Needs]]] = field(default_factory=dict)
    limit: int = 0
    post: Post = lambda node, messages: None
    wake: Callable[[], None] = lambda: None

    def forget(self, job_id: str) -> None:
        """The job has no runner any more, and no slots."""
        self.jobs.discard(job_id)
        self.waits.pop(job_id, None)
        self.held.pop(job_id, None)
        self.nodes.forget(job_id)
        self.wake()
