"""One question of a job's actor: what runs? Answered when every node that was used has said it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from typing import Any

from marianne.daemon.cluster.station import Station
from marianne.records import dataclass

Message = dict[str, Any]


@dataclass(slots=True)
class Question:
    """``asker`` is the incarnation that asked, ``number`` what the nodes' answers carry.
    ``cancels`` are, by sheet, what was to be ended meanwhile, wherever it runs."""

    asker: int
    number: int
    cancels: dict[int, Message] = field(default_factory=dict)

    def answer(self, stations: Iterable[Station]) -> Message:
        """What they have said, as one hello; from now on nothing else counts of them. What stood
        in the spool of one whose lease is over is under ``told``."""
        whole: Message = {"running": [], "queued": [], "ended": [], "unacked": []}
        for station in stations:
            said = station.said or {"running": [], "unacked": []}
            told = station.adopt(said)
            for name, found in told.items():
                whole[name] += found
            whole["unacked"] += said.get("told", [])
            station.said = None
        return whole
