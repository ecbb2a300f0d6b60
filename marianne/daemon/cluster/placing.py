"""Which node gets which attempt of a job: the one with most room, as long as there is any."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace

from marianne.daemon.cluster.delivery import Delivery
from marianne.daemon.cluster.desk import Desk
from marianne.daemon.cluster.station import Station
from marianne.executors.protocol import USUAL, Needs, Run


class Placing:
    """What of a job waits for a node. ``avoid`` are nodes that cannot work for it now, and why."""

    def __init__(self, desk: Desk, delivery: Delivery, job_id: str) -> None:
        self._desk, self._delivery, self._job_id = desk, delivery, job_id
        self._queue: deque[Run] = deque()
        self._ahead: list[Run] = []
        self.avoid: dict[str, str] = {}

    @property
    def waits(self) -> bool:
        """Whether there is anything to be placed."""
        return bool(self._queue or self._ahead)

    def held(self) -> list[Needs]:
        """What those take that wait for a node. Any thread."""
        return [run.needs for run in self._queue.copy()]

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
        return taken

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
                node = self._desk.nodes.take(self._job_id, self.avoid, run.needs)
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
        return freed

    def why(self) -> dict[int, str]:
        """The sheets that wait for a node, and why. Any thread."""
        avoided = list(self.avoid.values())
        nodes = self._desk.nodes
        return {
            run.num: "; ".join([nodes.why_none(run.needs), *avoided]) for run in list(self._queue)
        }
