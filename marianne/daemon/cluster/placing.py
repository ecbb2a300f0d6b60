"""Which node gets which attempt of a job: the one with most room, as long as there is any."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from marianne.daemon.cluster.batch_notes import BatchNotes, name_of
from marianne.daemon.cluster.delivery import Delivery
from marianne.daemon.cluster.desk import Desk
from marianne.daemon.cluster.station import Station
from marianne.executors.protocol import USUAL, Needs, Run


class Placing:
    """What of a job waits for a node. ``avoid`` are nodes that cannot work for it now, and why;
    ``notes`` are of attempts that have batch jobs of their own."""

    def __init__(self, desk: Desk, delivery: Delivery, job_id: str, notes: BatchNotes) -> None:
        self._desk, self._delivery, self._job_id = desk, delivery, job_id
        self.notes = notes
        self._queue: deque[Run] = deque()
        self._ahead: list[Run] = []
        self.avoid: dict[str, str] = {}

    @property
    def waits(self) -> bool:
        """Whether there is anything to be placed."""
        return bool(self._queue or self._ahead)

    def held(self) -> list[Needs]:
        """What those take that wait for a node of many. Any thread."""
        return [run.needs for run in self._queue.copy() if not self._alone(run)]

    def _alone(self, run: Run) -> bool:
        return run.needs.batch is not None and self._desk.batch_jobs > 0

    def add(self, runs: Iterable[Run]) -> None:
        """These are to be placed."""
        for run in runs:
            if run.ahead:
                self._ahead.append(run)
            else:
                self._queue.append(run)

    def put_back(self, run: Run) -> None:
        """It was given to a node that cannot begin it: first in line."""
        self._queue.appendleft(run)

    def clear(self) -> None:
        """The job's actor starts anew, and goes by what runs."""
        self._queue.clear()
        self._ahead.clear()

    def take(self, nums: Sequence[int]) -> list[Run]:
        """These sheets are not to begin any more; returns those that wait here."""
        taken = [run for run in self._queue if run.num in nums]
        self._queue = deque(run for run in self._queue if run.num not in nums)
        self._sweep()
        return taken

    def refused(self, num: int, attempt: int) -> Run | None:
        """The engine makes no batch job for this attempt; returns the grant, if it waits here."""
        found = next((run for run in self._queue if (run.num, run.attempt) == (num, attempt)), None)
        if found is not None:
            self._queue.remove(found)
            self._sweep()
        return found

    def take_ahead(self) -> list[Run]:
        """What was granted ahead and waits here; it waits no more."""
        taken, self._ahead = self._ahead, []
        return taken

    def place(self) -> None:
        """Gives what there is room for. Raises OSError; what was not given waits on."""
        batches: dict[str, list[Run]] = {}
        if not self._queue and not any(one.slots for one in self._delivery.stations.values()):
            # All that these waited for had ended before they came: nobody else would begin them.
            self._queue.extend(replace(run, ahead=False) for run in self._ahead)
            self._ahead.clear()
        try:
            passed: list[Run] = []
            while self._queue and not self._waits_for_first(batches):
                run = self._queue[0]
                node = self._node_for(run)
                if node is not None:
                    self._station(node).slots += 1
                    batches.setdefault(node, []).append(self._queue.popleft())
                elif run.needs != USUAL:
                    passed.append(self._queue.popleft())  # another may fit where this one does not
                else:
                    break
            self._queue.extendleft(reversed(passed))
            self._lend(batches)
        finally:
            for node, runs in batches.items():
                self._delivery.give(self._delivery.stations[node], runs)

    def _node_for(self, run: Run) -> str | None:
        """Of one with a batch job of its own it is on disk before such a job may be made. Raises
        OSError."""
        if not self._alone(run):
            return self._desk.nodes.take(self._job_id, self.avoid, run.needs)
        self.notes.note(run)
        name = name_of(self._job_id, run.num, run.attempt)
        node = self._desk.nodes.take_batch(self._job_id, name, self.avoid)
        if node is not None:
            self.notes.placed = self.notes.placed | {(run.num, run.attempt)}
        return node

    def _waits_for_first(self, batches: dict[str, list[Run]]) -> bool:
        """One sheet clears the workspace, alone, before others may begin on other nodes."""
        if not self._delivery.clears:
            return False
        return bool(batches) or any(one.placed for one in self._delivery.stations.values())

    def _station(self, node: str) -> Station:
        try:
            return self._delivery.station(node)
        except OSError:
            self._desk.nodes.hold(self._job_id, node, 0)
            raise

    def _lend(self, batches: dict[str, list[Run]]) -> None:
        """What is granted ahead goes where slots of the job have least in store."""
        able = [one for one in self._delivery.stations.values() if one.slots and not one.lapsed]
        if not able:
            return
        store = {one.node: len(one.ahead) / one.slots for one in able}
        for run in self._ahead:
            node = min(store, key=lambda name: store[name])
            store[node] += 1 / self._delivery.stations[node].slots
            batches.setdefault(node, []).append(run)
        self._ahead.clear()

    def settle(self, station: Station) -> bool:
        """Gives back the slots that the station has no use for; whether there were any."""
        needs = station.needs()
        freed = needs < station.slots
        station.slots = needs
        self._desk.nodes.hold(self._job_id, station.node, *station.takes())
        self._sweep()
        return freed

    def _sweep(self) -> None:
        if self.notes.runs:
            waiting = {(run.num, run.attempt) for run in self._queue}
            self.notes.keep(self._placed() | waiting)

    def _placed(self) -> set[tuple[int, int]]:
        return {key for one in self._delivery.stations.values() for key in one.placed}

    def resume(self, told: Iterable[Mapping[str, Any]]) -> list[list[int]]:
        """All nodes have said what they run and have finished (results): what else is noted, and
        was begun by none, waits on for its batch job. Returns these attempts."""
        over = {(result["num"], result["attempt"]) for result in told}
        placed, waiting = self._placed(), []
        for key, run in self.notes.runs.items():
            if key in placed:
                self.notes.placed = self.notes.placed | {key}
            elif key not in over and not self._delivery.claimed(*key):
                self._queue.append(run)
                waiting.append(list(key))
        self._sweep()
        return waiting

    def lacks(self, node: str, told: Iterable[Mapping[str, Any]]) -> bool:
        """Whether a sheet's program is not on this node, by these results: the next sheets are for
        others then, as long as there are any. It has failed at once, and the node has room again:
        it would be given all there is."""
        why = [one["message"] for one in told if one.get("category") == "not_found"]
        others = (one for one in self._desk.nodes.all() if one.usable and not one.batch)
        if not why or all(one.name in {node, *self.avoid} for one in others):
            return False
        self.avoid[node] = why[0]
        return True

    def why(self) -> dict[int, str]:
        """The sheets that wait for a node, and why. Any thread."""
        avoided = list(self.avoid.values())
        return {run.num: "; ".join([self._why(run), *avoided]) for run in list(self._queue)}

    def _why(self, run: Run) -> str:
        nodes = self._desk.nodes
        if not self._alone(run):
            return nodes.why_none(run.needs)
        name = name_of(self._job_id, run.num, run.attempt)
        return self._desk.queued.get(name) or nodes.engine or "its batch job is about to be made"
