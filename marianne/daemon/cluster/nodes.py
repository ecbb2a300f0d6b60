"""The nodes of a cluster: which are reached, how many sheets each has room for, who has taken it.

Shared by the cluster's actor and the runners of all its jobs; any thread. What is here is what the
bridge has said and the runners have taken since this conductor began: a restart finds nothing, and
hears it all again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import field
from fnmatch import fnmatchcase
from typing import Any

from marianne.executors.lease import Tenure, clock
from marianne.executors.protocol import USUAL, Needs
from marianne.records import dataclass

NEARLY = 1e-6
"""Sums of fractions are compared with."""


def named(node: str, why: str) -> str:
    """The reason with the node's name, which most name themselves."""
    return why if node in why else f"node {node}: {why}"


@dataclass(slots=True)
class Node:
    """One node. ``why`` it can be given nothing; ``hello`` is its warden's, of the time ``up_at``,
    ``facts`` the engine's; ``taken`` counts slots by job, ``scarce`` graphics processors and MB of
    memory. ``alone``: one job alone was there when it was lost; ``ended``: the engine has it no
    more."""

    name: str
    slots: int
    tenure: Tenure
    connected: bool = False
    draining: bool = False
    alone: bool = False
    ended: bool = False
    why: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    hello: dict[str, Any] = field(default_factory=dict)
    up_at: float = 0.0
    taken: dict[str, float] = field(default_factory=dict)
    scarce: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def batch(self) -> str:
        """The attempt whose batch job it is; empty: it is for any sheets."""
        return self.facts.get("batch") or ""

    @property
    def usable(self) -> bool:
        """Whether it may be given a sheet, if a slot is free."""
        return self.connected and not self.draining and self.why is None

    @property
    def free(self) -> float:
        """Slots that a sheet may be given now."""
        return max(0.0, self.slots - sum(self.taken.values())) if self.usable else 0.0

    def fits(self, needs: Needs) -> bool:
        """Whether such a sheet may begin now; one that takes more slots than there are runs
        alone."""
        if self.batch:
            return False
        alone = self.usable and self.slots > 0 and not self.taken
        room = self.free >= needs.cpus - NEARLY or alone
        gpus = sum(taken for taken, _ in self.scarce.values())
        memory = sum(taken for _, taken in self.scarce.values())
        return room and not self.lacks(needs, gpus, memory)

    def closed(self, job_id: str) -> None:
        """Its warden has this job no more, or will not have it for long."""
        jobs = self.hello.get("jobs", ())
        if job_id in jobs:
            self.hello = {**self.hello, "jobs": [one for one in jobs if one != job_id]}

    def lacks(self, needs: Needs, gpus: int = 0, memory_mb: int = 0) -> str | None:
        """What it has not of what such a sheet takes, when so much is taken."""
        missing = [label for label in needs.labels if label not in self.facts.get("labels", ())]
        if missing:
            return f"is not called {missing[0]}"
        if needs.gpus > (self.facts.get("gpus") or 0) - gpus:
            return f"has no {needs.gpus} gpus free"
        there = self.facts.get("memory_mb") or 0  # 0: nobody knows
        if there and needs.memory_mb > there - memory_mb:
            return f"has no {needs.memory_mb} MB free"
        return None


class Nodes:
    """See the head of this file. ``slots`` is how many a node has by the configuration: a number
    for all (None: as many as its processors), ``by_name`` for those whose name fits."""

    def __init__(
        self, lease: float, grace: Callable[[], float], slots: int | None, by_name: dict[str, int]
    ) -> None:
        self.lease = lease
        self._grace = grace
        self._slots, self._by_name = slots, by_name
        self._nodes: dict[str, Node] = {}
        self._left: dict[str, Tenure] = {}  # of those that are forgotten, and may be asked for yet
        self._waiting: dict[str, None] = {}
        self._lock = threading.RLock()
        self.engine: str | None = "it has not been reached yet"
        """Why the engine is not reached; None: it is."""
        self.none = "the cluster has no nodes: start workers"

    def slots_of(self, name: str, cpus: int) -> int:
        """How many sheets run on this node at one time."""
        for pattern, slots in self._by_name.items():
            if fnmatchcase(name, pattern):
                return slots
        return self._slots if self._slots is not None else cpus

    # -- from the bridge ------------------------------------------------------------------------

    def up(self, name: str, facts: dict[str, Any], hello: dict[str, Any]) -> None:
        """It is reached."""
        with self._lock:
            node = self.known(name)
            node.facts, node.hello, node.why = facts, hello, None
            node.up_at = clock()
            node.slots = 1 if node.batch else self.slots_of(name, int(facts.get("cpus") or 1))
            node.connected, node.ended = True, False
            node.tenure.found()

    def down(self, name: str) -> None:
        """It is not reached any more."""
        with self._lock:
            node = self.known(name)
            node.connected = False
            node.alone = len(node.taken) == 1
            node.tenure.lost(clock())

    def all_down(self) -> list[str]:
        """The bridge is gone; returns who was connected."""
        with self._lock:
            names = [node.name for node in self._nodes.values() if node.connected]
            for name in names:
                self.down(name)
            return names

    def unfit(self, name: str, why: str | None) -> None:
        """It can be given nothing; None: it can again."""
        with self._lock:
            self.known(name).why = why

    def gone(self, name: str) -> None:
        """The engine has it no more; it is forgotten when nothing of it can run."""
        with self._lock:
            if (node := self._nodes.get(name)) is not None:
                node.ended = True
                self._drop_ended(node)

    def _drop_ended(self, node: Node) -> None:
        if node.ended and not node.taken and not node.connected:
            now, left = clock(), self._left
            self._left = {name: tenure for name, tenure in left.items() if not tenure.over(now)}
            self._left[node.name] = node.tenure
            del self._nodes[node.name]

    def over(self, name: str) -> None:
        """It has surely ended all. One that this conductor has never reached was an earlier one's,
        and nobody need be told of it any more."""
        node = self._nodes.get(name)
        if node is not None and not node.hello and node.why is None:
            self.gone(name)

    def drain(self, name: str, *, on: bool) -> bool:
        """Whether it gets no more sheets; False if there is no such node."""
        with self._lock:
            node = self._nodes.get(name)
            if node is not None:
                node.draining = on
            return node is not None

    # -- from runners ---------------------------------------------------------------------------

    def known(self, name: str) -> Node:
        """The node of this name; one that was not heard of may still run what an earlier conductor
        gave it."""
        with self._lock:
            node = self._nodes.get(name)
            if node is None:
                left = self._left.pop(name, None)
                tenure = left or Tenure(self.lease, self._grace())
                tenure.lost(clock())  # of one that was lost before it changes nothing
                self._nodes[name] = node = Node(name, 0, tenure, ended=left is not None)
            return node

    def connected(self, name: str) -> bool:
        """Whether it is reached."""
        with self._lock:
            node = self._nodes.get(name)
            return node is not None and node.connected

    def take(self, job_id: str, avoid: Iterable[str] = (), needs: Needs = USUAL) -> str | None:
        """What the sheet takes, on the node that has the largest share free, and whose name is
        returned; None when there is none: then the job is told when there may be."""
        avoided = set(avoid)
        with self._lock:
            able = [
                node
                for node in self._nodes.values()
                if node.name not in avoided and node.fits(needs)
            ]
            if not able:
                self._waiting[job_id] = None
                return None
            best = max(able, key=lambda node: (node.free / node.slots, node.free, node.name))
            best.taken[job_id] = best.taken.get(job_id, 0) + needs.cpus
            if needs.gpus or needs.memory_mb:
                gpus, memory = best.scarce.get(job_id, (0, 0))
                best.scarce[job_id] = gpus + needs.gpus, memory + needs.memory_mb
            return best.name

    def take_batch(self, job_id: str, attempt: str, avoid: Iterable[str] = ()) -> str | None:
        """The node of this attempt's batch job, whose name is returned; None while it has none:
        then the job is told when there may be."""
        with self._lock:
            for node in self._nodes.values():
                if node.batch == attempt and node.usable and node.name not in avoid:
                    node.taken[job_id] = 1.0
                    return node.name
            self._waiting[job_id] = None
            return None

    def hold(self, job_id: str, name: str, slots: float, gpus: int = 0, memory_mb: int = 0) -> None:
        """The job has so much of this node, whether or not it was free."""
        with self._lock:
            if name not in self._nodes and not slots:
                return
            node = self.known(name)
            node.taken.pop(job_id, None)
            node.scarce.pop(job_id, None)
            if slots:
                node.taken[job_id] = slots
            if gpus or memory_mb:
                node.scarce[job_id] = gpus, memory_mb
            self._drop_ended(node)

    def waiting(self) -> list[str]:
        """The jobs that wait for a slot, if there is one now; they wait no more."""
        with self._lock:
            if not any(node.free for node in self._nodes.values()):
                return []
            waiting, self._waiting = list(self._waiting), {}
            return waiting

    def forget(self, job_id: str) -> None:
        """The job is over."""
        with self._lock:
            self._waiting.pop(job_id, None)
            for node in list(self._nodes.values()):
                node.taken.pop(job_id, None)
                node.scarce.pop(job_id, None)
                node.closed(job_id)
                self._drop_ended(node)

    def closed(self, name: str, job_id: str) -> None:
        """Nothing of the job is left on this node."""
        with self._lock:
            if (node := self._nodes.get(name)) is not None:
                node.closed(job_id)

    def capacity(self) -> int:
        """Slots of all nodes that may be given any sheets, taken or free."""
        with self._lock:
            return sum(n.slots for n in self._nodes.values() if n.usable and not n.batch)

    # -- for people -----------------------------------------------------------------------------

    def all(self) -> list[Node]:
        """Each, by name; to be read only."""
        with self._lock:
            return [self._nodes[name] for name in sorted(self._nodes)]

    def summary(self) -> str:
        """How many there are, and how full."""
        nodes = [node for node in self.all() if not node.batch]
        alone = sum(node.connected for node in self.all()) - sum(n.connected for n in nodes)
        up = [node for node in nodes if node.usable]
        taken = sum(sum(node.taken.values()) for node in nodes)
        away = [node for node in nodes if not node.usable]
        words = f"{len(up)} up, {taken:g} of {self.capacity()} slots taken"
        if away:
            words += f"; {len(away)} not: {', '.join(node.name for node in away[:5])}"
        if alone:
            words += f"; {alone} batch job{'s' * (alone > 1)} of single sheets"
        return words if self.engine is None else f"{words}; {self.engine}"

    def why_none(self, needs: Needs = USUAL) -> str:
        """Why such a sheet waits, in words."""
        nodes = [node for node in self.all() if not node.batch]
        if self.engine is not None:
            return self.engine
        if not nodes:
            return self.none
        unfit = [named(node.name, node.why) for node in nodes if node.why is not None]
        usable = [node for node in nodes if node.connected and node.why is None]
        if usable and all(node.draining for node in usable):
            return "all nodes are drained (marianne executors --resume NODE)"
        lacking = [f"{node.name} {lack}" for node in usable if (lack := node.lacks(needs))]
        if usable and len(lacking) == len(usable):
            return "no node has what it takes: " + "; ".join(lacking[:3])
        if any(node.fits(needs) for node in usable):
            return "one has room, and is about to be given it"
        if usable:
            slots = sum(node.slots for node in usable if not node.draining)
            return f"all {slots} slots of {len(usable)} node{'s' * (len(usable) > 1)} are taken"
        return "; ".join(unfit[:3]) or "no node is reached: " + ", ".join(n.name for n in nodes[:5])
