"""What goes to the nodes for one job: its files, its worker on each, grants, wishes.

Knows no actor: who carries it says when. A message to a node that is not reached is lost; what
matters of it stays in the station's outbox, and is said again when the node says hello.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from marianne.daemon.cluster.desk import Desk
from marianne.daemon.cluster.settings import worker_settings
from marianne.daemon.cluster.station import Station, split
from marianne.daemon.context import Context
from marianne.daemon.shared.log import get_logger
from marianne.executors.claim import claimed
from marianne.executors.protocol import USUAL, Needs, Run
from marianne.model.plan import Growth
from marianne.score.pack import PlanFormatError, unpack_plan
from marianne.state.errors import StateError
from marianne.state.reader import Reader

log = get_logger(__name__)

Message = dict[str, Any]


class Delivery:
    """``stations`` are the nodes that the job was ever given to, by name."""

    def __init__(self, context: Context, desk: Desk, job_id: str) -> None:
        self._context, self._desk, self._job_id = context, desk, job_id
        self.stations: dict[str, Station] = {
            node: Station(node, index) for index, node in enumerate(desk.places.used(job_id), 1)
        }
        self._made = False
        self._options: dict[str, Any] = {}
        self._workspace = ""
        self._growths: list[Message] = []

    # -- the job's files ------------------------------------------------------------------------

    def prepare(self) -> None:
        """Makes the files that workers of the job read. Raises OSError; once made they stay."""
        if self._made:
            return
        entry = self._context.entries.get(self._job_id)
        if entry is not None:
            plan, environment, options = entry.plan, entry.environment, entry.row.options
            workspace = entry.row.workspace
        else:
            with Reader(self._context.home.db) as reader:
                plan, environment = reader.plan(self._job_id), reader.environment(self._job_id)
                job = reader.job(self._job_id)
                options = job.options if job is not None else {}
                workspace = job.workspace if job is not None else ""
        self._desk.places.make(self._job_id, plan, environment)
        self._options, self._workspace = options, workspace
        self._made = True

    @property
    def clears(self) -> bool:
        """Whether the first sheet to begin has to clear the workspace, and none has yet."""
        return bool(self._options.get("archives")) and not self._desk.places.cleared(self._job_id)

    def station(self, node: str) -> Station:
        """The job's station on this node; that the job may be there is on disk. Raises OSError."""
        station = self.stations.get(node)
        if station is None:
            self._desk.places.use(self._job_id, node)
            self.stations[node] = station = Station(node, len(self.stations) + 1)
        return station

    def recall(self) -> None:
        """What runs was found anew: what it takes of its node stands in the plan, where its grant
        is known no more. A plan that cannot be read now is no reason to fail: the node may be given
        too much."""
        found = [(one, key) for one in self.stations.values() for key in one.placed]
        if not found:
            return
        try:
            with Reader(self._context.home.db) as reader:
                plan = unpack_plan(reader.plan(self._job_id))
        except (OSError, StateError, PlanFormatError) as error:
            log.warning("needs_not_known", job_id=self._job_id, error=repr(error))
            return
        for station, key in found:
            if key not in station.special and key[0] <= len(plan.sheets):
                sheet = plan.sheets[key[0] - 1]
                takes = Needs(sheet.cpus, sheet.memory_mb, sheet.gpus, sheet.labels)
                if takes != USUAL:
                    station.special[key] = takes

    def reached(self, station: Station) -> bool:
        """Whether messages get there."""
        return self._desk.nodes.connected(station.node)

    def finished(self, station: Station) -> list[Message] | None:
        """The results that stand in its spool, as they are told above: it has these attempts no
        more. None: it cannot be read."""
        try:
            found = self._desk.places.finished(self._job_id, [station.node])
        except OSError as error:
            log.warning("spool_not_read", job_id=self._job_id, node=station.node, error=repr(error))
            return None
        station.found(found)
        return found

    def claimed(self, num: int, attempt: int) -> bool:
        """Whether a node may have begun this attempt."""
        return claimed(str(self._desk.places.job_dir(self._job_id)), num, attempt)

    # -- messages -------------------------------------------------------------------------------

    def open(self, station: Station) -> None:
        """The job has a worker there from now on, which knows the whole plan."""
        if station.open:
            return
        place = self._desk.places
        settings = worker_settings(
            self._context.config,
            self._options,
            self._job_id,
            str(place.job_dir(self._job_id)),
            str(place.spool(self._job_id, station.node)),
        )
        settings["trace_seed"] = self._context.trace_seed
        if place.staged:
            settings["staged"] = {"workspace": self._workspace, "limit": self._desk.limit}
        station.open = True
        self._desk.post(station.node, [{"kind": "open", "settings": settings}])
        self.send(station, *self._growths)

    def ask(self, station: Station, number: int) -> None:
        """What runs there? The answer has this number."""
        self.open(station)
        self.send(station, {"kind": "report", "round": number})

    def send(self, station: Station, *messages: Message) -> None:
        """To the job's worker there."""
        if messages and station.open:
            wrapped = [
                {"kind": "job", "job_id": self._job_id, "message": message} for message in messages
            ]
            self._desk.post(station.node, wrapped)

    def say_again(self, station: Station, lost: Sequence[Message]) -> None:
        """What it was told and has not taken. Its worker may be a new one, which knows the plan
        without what lists have added."""
        if lost:
            self.send(station, *self._growths, *lost)

    def give(self, station: Station, runs: Sequence[Run]) -> None:
        """Grants attempts to the node."""
        for run in runs:
            station.grant(run)
        message = {
            "kind": "run",
            "slots": station.slots,
            "sheets": [run.to_map() for run in runs],
        }
        station.outbox.run(message)
        self.open(station)
        self.send(station, message)

    def grow(self, growths: Sequence[Growth]) -> None:
        """The plan has grown."""
        messages = [
            {
                "kind": "grow",
                "source": growth.source,
                "first": growth.first,
                "items": list(growth.items),
                "names": list(growth.names),
            }
            for growth in growths
        ]
        self._growths += messages
        for station in self.stations.values():
            self.send(station, *messages)

    def cancel(self, station: Station, message: Message) -> None:
        """Ends sheets there."""
        station.outbox.cancel(message)
        self.send(station, message)

    def withdraw(self) -> set[str]:
        """Asks for what was granted ahead; returns who will answer."""
        asked = {one.node for one in self.stations.values() if one.ahead}
        for node in asked:
            self.stations[node].outbox.withdraw()
            self.send(self.stations[node], {"kind": "withdraw"})
        return asked

    def acknowledge(self, serials: Sequence[int]) -> None:
        """Each to the node whose spool it is from."""
        by_index: dict[int, list[int]] = {}
        for serial in serials:
            index, number = split(serial)
            by_index.setdefault(index, []).append(number)
        for station in self.stations.values():
            if station.index in by_index:
                self.send(station, {"kind": "ack", "serials": by_index[station.index]})
