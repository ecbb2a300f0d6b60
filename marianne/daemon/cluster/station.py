"""One job on one node, as far as it was heard: what was given, what has begun, what it holds.

Pure: what is to be sent and told is returned. Serial numbers of results are those of the node's
spool; above the seam each has the node's index in its lowest bits.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from marianne.executors.outbox import Outbox
from marianne.executors.protocol import USUAL, Needs, Run
from marianne.model.result import AttemptResult

Message = dict[str, Any]
Attempt = tuple[int, int]

STATIONS = 1 << 20
"""Nodes that a job may have used, each with an index from 1: one an attempt where each has a batch
job of its own."""


def serial_of(serial: int, index: int) -> int:
    """The number of a result above the seam."""
    return serial * STATIONS + index


def split(serial: int) -> tuple[int, int]:
    """The node's index, and the number in its spool; index 0 is nobody's."""
    return serial % STATIONS, serial // STATIONS


class Station:
    """See the head of this file. ``open``: its worker was asked for on the present connection;
    ``said`` is what it answered to the present question, None before; ``lapsed``: its lease is
    over, and nothing that it was given runs."""

    def __init__(self, node: str, index: int) -> None:
        self.node, self.index = node, index
        self.outbox = Outbox()
        self.open = self.lapsed = False
        self.said: Message | None = None
        self.ahead: set[Attempt] = set()
        self.begun: set[Attempt] = set()
        self.given: dict[Attempt, Run] = {}  # not begun, as far as was heard
        self.special: dict[Attempt, Needs] = {}  # of those that take anything but a slot
        self.late: set[Attempt] = set()  # told as lost: what comes of them yet is evidence
        self.slots = 0

    @property
    def placed(self) -> set[Attempt]:
        """What it has and has not ended."""
        return {*self.given, *self.begun, *self.ahead}

    def grant(self, run: Run) -> None:
        """It is given an attempt."""
        key = run.num, run.attempt
        if run.needs != USUAL:
            self.special[key] = run.needs
        if run.ahead:
            self.ahead.add(key)
        else:
            self.given[key] = run

    def started(self, started: Iterable[Sequence[Any]]) -> None:
        """These attempts began."""
        for num, attempt, *_ in started:
            self._begin((num, attempt))

    def _begin(self, key: Attempt) -> None:
        if key in self.ahead or key in self.given:
            needs = self.special.get(key)
            self.drop(key)
            self.begun.add(key)
            if needs is not None:
                self.special[key] = needs

    def drop(self, key: Attempt) -> Run | None:
        """It has this attempt no more; returns the grant of one that had not begun."""
        self.special.pop(key, None)
        self.begun.discard(key)
        self.ahead.discard(key)
        return self.given.pop(key, None)

    def refuse(self, key: Attempt) -> Run | None:
        """The node does not begin it; returns the grant."""
        self.outbox.heard((), [key])
        return self.drop(key)

    def ended(self, results: Iterable[Message]) -> list[Message]:
        """These attempts ended; returns the results as they are told above."""
        told = []
        for result in results:
            self.drop((result["num"], result["attempt"]))
            told.append(self._above(result))
        return told

    def _above(self, result: Message) -> Message:
        category = result.get("category")
        note = f" (on node {self.node})"
        if category == "not_found":
            note = (
                f" (on node {self.node}: install it there, or name a label of nodes that have it)"
            )
        if category in NAMES_NODE and not str(result.get("message") or "").endswith(note):
            result = {**result, "message": f"{result.get('message') or category}{note}"}
        return {**result, "serial": serial_of(result["serial"], self.index), "node": self.node}

    def needs(self) -> int:
        """The slots that it has use for: an ended sheet's goes to what it was given ahead."""
        return min(self.slots, len(self.placed))

    def takes(self) -> tuple[float, int, int]:
        """Slots, graphics processors and MB of memory that what it has takes of the node."""
        more = self.special.values()
        cpus = self.slots + sum(one.cpus - 1.0 for one in more)
        return cpus, sum(one.gpus for one in more), sum(one.memory_mb for one in more)

    # -- hellos ---------------------------------------------------------------------------------

    def adopt(self, hello: Message) -> Message:
        """Nothing counts but what it says; returns that as it is told above."""
        self.outbox.clear()
        pairs = {
            name: {(num, attempt) for num, attempt in hello.get(name, ())}
            for name in ("running", "queued", "ended")
        }
        self.begun, self.ahead = pairs["running"] | pairs["ended"], pairs["queued"]
        self.given = {}
        placed = self.placed
        self.special = {key: takes for key, takes in self.special.items() if key in placed}
        self.slots = len(pairs["running"])
        return {
            **{name: [list(pair) for pair in sorted(found)] for name, found in pairs.items()},
            "unacked": [self._above(result) for result in hello["unacked"]],
        }

    def missing(self, hello: Message) -> set[Attempt]:
        """What had begun and is unknown to its worker: its spool was lost."""
        known = {
            (num, attempt)
            for name in ("running", "queued", "ended")
            for num, attempt in hello.get(name, ())
        }
        known |= {(result["num"], result["attempt"]) for result in hello["unacked"]}
        return self.begun - known

    def found(self, finished: Iterable[Message]) -> None:
        """These stand in its spool: it has those attempts no more."""
        for result in finished:
            self.drop((result["num"], result["attempt"]))

    def lapse(self, finished: Iterable[Message], why: str, category: str) -> list[Message]:
        """Its lease is over, and this stands in its spool: results for the rest."""
        self.lapsed = True
        self.found(finished)
        lost = self.lose(self.placed, why, category)
        self.outbox.clear()
        return lost

    def lose(self, attempts: Iterable[Attempt], why: str, category: str = "lost") -> list[Message]:
        """Results that say that these were lost, or failed by another ``category``."""
        now = time.time()
        outcome = "interrupted" if category == "lost" else "failed"
        told = []
        for num, attempt in sorted(attempts):
            lost = AttemptResult(num, attempt, outcome, now, now, category=category, message=why)
            told.append({**lost.to_map(), "node": self.node})
            self.late.add((num, attempt))
            self.drop((num, attempt))
        self.outbox.heard(told)
        return told


NAMES_NODE = frozenset({"not_found", "workspace", "disk_full", "machine", "internal", "lost"})
"""Categories of failures whose cause is the node's as likely as the sheet's: the node is named."""


def interrupted(run: Run, category: str) -> Message:
    """The result of an attempt that was ended before it was given to any node."""
    now = time.time()
    return AttemptResult(run.num, run.attempt, "interrupted", now, now, category=category).to_map()


def refused(run: Run, why: str) -> Message:
    """The result of an attempt for which the engine makes no batch job."""
    now = time.time()
    return AttemptResult(
        run.num, run.attempt, "failed", now, now, category="refused", message=why
    ).to_map()
