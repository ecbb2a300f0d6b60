"""Nodes that were asked to run a program that does nothing, and what they said."""

from __future__ import annotations

import time
from dataclasses import field
from typing import TYPE_CHECKING

from actors import Promise
from marianne.records import dataclass

if TYPE_CHECKING:
    from marianne.daemon.config.executors import ExecutorConfig
    from marianne.replies import executors as told

CHECK_SECONDS = 15.0
"""What a node has for its answer."""


@dataclass
class Check:
    """One question; ``left`` are the nodes that have not answered, ``since`` when it was asked
    (monotonic)."""

    promise: Promise[list[told.Executor]]
    config: ExecutorConfig
    left: set[str]
    since: float
    _heard: dict[str, told.NodeCheck] = field(default_factory=dict)

    def hear(self, node: str, status: int) -> None:
        """A node's answer."""
        if node in self.left:
            self.left.discard(node)
            why = None if status == 0 else f"it cannot run a program (status {status})"
            took = round(time.monotonic() - self.since, 3)
            self._heard[node] = {"ok": status == 0, "seconds": took, "why": why}

    def answers(self) -> dict[str, told.NodeCheck]:
        """Of all that were asked."""
        took = round(time.monotonic() - self.since, 3)
        why = f"it did not answer within {CHECK_SECONDS:g} s"
        silent: told.NodeCheck = {"ok": False, "seconds": took, "why": why}
        return {**dict.fromkeys(self.left, silent), **self._heard}
