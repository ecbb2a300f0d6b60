"""What a conductor answers about where its sheets run."""

from __future__ import annotations

from typing import Literal, TypedDict


class NodeCheck(TypedDict):
    """What a node did when it was asked to run a program that does nothing."""

    ok: bool
    seconds: float
    """until the answer was here"""
    why: str | None
    """nil: the program ran"""


class ClusterNode(TypedDict):
    """One node of a cluster."""

    name: str
    state: Literal["up", "away", "unfit", "drained"]
    """`away`: not reached; `unfit`: it can be given nothing; `drained`: it gets no more sheets"""
    why: str | None
    address: str | None
    host: str | None
    version: str | None
    """of Marianne there"""
    skew_seconds: float | None
    """how far its clock is ahead of the conductor's, when it was reached"""
    slots: int
    taken: float
    jobs: list[str]
    """that have sheets there"""
    lease_left_seconds: float | None
    """of one that is away: until all that it ran has surely ended; nil while it is reached"""
    checked: NodeCheck | None


class Executor(TypedDict):
    """Where sheets run."""

    name: str
    kind: str
    address: str | None
    used: bool
    """whether the sheets of this conductor run there"""
    why: str | None
    """why its engine is not reached; nil: it is"""
    lease_seconds: float | None
    slots: int | None
    """of the nodes that can be given sheets; nil: as many as the configuration says"""
    taken: float
    nodes: list[ClusterNode]


class Drained(TypedDict):
    """A node that gets no more sheets, or gets some again."""

    node: str
    draining: bool
