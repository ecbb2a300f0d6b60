"""A cluster as people see it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from marianne.daemon.cluster.nodes import Node, Nodes
from marianne.daemon.config.executors import ExecutorConfig
from marianne.executors.lease import clock

if TYPE_CHECKING:
    from marianne.replies import executors as told


def describe(
    config: ExecutorConfig, nodes: Nodes, checked: Mapping[str, told.NodeCheck]
) -> told.Executor:
    """The executor with its nodes; ``checked`` is what those said that were asked."""
    found = nodes.all()
    return {
        "name": config.name,
        "kind": config.kind,
        "address": config.address,
        "used": True,
        "why": nodes.engine,
        "lease_seconds": config.lease_seconds,
        "slots": nodes.capacity(),
        "taken": round(sum(sum(node.taken.values()) for node in found), 2),
        "nodes": [_node(node, checked.get(node.name)) for node in found],
    }


def _node(node: Node, checked: told.NodeCheck | None) -> told.ClusterNode:
    left = node.tenure.left(clock())
    skew = node.facts.get("skew")
    return {
        "name": node.name,
        "state": _state(node),
        "why": node.why,
        "address": node.facts.get("address"),
        "host": node.hello.get("host"),
        "version": node.hello.get("version"),
        "skew_seconds": skew,
        "slots": node.slots,
        "taken": round(sum(node.taken.values()), 2),
        "jobs": sorted(node.taken),
        "lease_left_seconds": None if left == math.inf else round(left, 1),
        "checked": checked,
    }


def _state(node: Node) -> Literal["up", "away", "unfit", "drained"]:
    if node.why is not None:
        return "unfit"
    if not node.connected:
        return "away"
    return "drained" if node.draining else "up"
