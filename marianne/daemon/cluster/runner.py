"""Who runs one job's sheets on a cluster: gives them to nodes, and tells the job what comes of it.

A node may be away for a while: what it was given stays its own until it says how that ended, or
its lease is surely over. Then what stands in its spool counts, the rest is lost. A restart finds
on disk which nodes have the job: each says what runs before ``worker_up``, or its lease passes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from actors import Actor, ActorDied, AskTimeout, ExitReason, NoSuchActor, Outcome, Promise
from marianne.daemon import ports
from marianne.daemon.cluster import late
from marianne.daemon.cluster.batch_notes import BatchNotes
from marianne.daemon.cluster.cluster import Cluster
from marianne.daemon.cluster.delivery import Delivery
from marianne.daemon.cluster.desk import Desk
from marianne.daemon.cluster.fate import lost_with
from marianne.daemon.cluster.placing import Placing
from marianne.daemon.cluster.question import Question
from marianne.daemon.cluster.station import Message, Station, interrupted, refused
from marianne.daemon.cluster.withdrawal import Withdrawal
from marianne.daemon.context import Context
from marianne.daemon.shared.log import get_logger
from marianne.daemon.shared.part import Part
from marianne.executors.lease import clock
from marianne.executors.node_directory import in_words
from marianne.executors.protocol import Run
from marianne.model.plan import Growth

log = get_logger(__name__)

END_MARGIN = 5.0
"""Seconds beyond the grace that the nodes have to end a job when the conductor stops."""

LOOK_AGAIN_AT_GIVEN, TRY_NODE_AGAIN, LACKING = 30.0, 5.0, 60.0
"""Seconds until a node is asked for what it was given and has not begun; until one that could not
work for the job, or an unread spool, is tried again; until one that lacked a sheet's program is."""


class ClusterRunner(Actor):
    """One per admitted job; ``job:<id>/worker``."""

    def __init__(self, context: Context, desk: Desk, job_id: str, part: Part) -> None:
        super().__init__()
        self._context, self._desk, self._job_id = context, desk, job_id
        self._job, self._actor = part.heard_by(context.job(job_id)), part.actor
        self._delivery = Delivery(context, desk, job_id)
        self._notes = BatchNotes(context.home.job_dir(job_id) / "batch", job_id)
        self._placing = Placing(desk, self._delivery, job_id, self._notes)
        self._question: Question | None = None
        self._withdrawal = Withdrawal()
        self._over = self._looks = False

    def on_start(self) -> None:
        """Of a new job there is nothing to be heard."""
        self._notes.read()
        why, held = self._placing.why, self._placing.held
        self._desk.join(self._job_id, self._actor, why, held, self._notes.wanted)
        known = self._delivery.stations or self._notes.runs
        if (entry := self._context.entries.get(self._job_id)) and not known:
            entry.blank = True
            self._desk.heard.add(self._job_id)

    def on_stop(self, reason: ExitReason) -> None:
        """Ends what runs if the conductor ends it all; else leaves it to the next incarnation."""
        if self._over or self._context.stop.keeps_workers:
            return
        grace = 0.0 if self._context.stop.mode == "force" else self._grace
        self._desk.forget(self._job_id)
        stations = self._delivery.stations.values()
        busy = [one.node for one in stations if one.placed and self._delivery.reached(one)]
        cluster = self._desk.cluster.within(grace + END_MARGIN)
        given = self._job_id, [one.node for one in stations], busy, grace
        try:
            cluster.ask(Cluster.close_job, *given)
        except (ActorDied, AskTimeout, NoSuchActor) as error:
            log.warning("nodes_not_heard", job_id=self._job_id, error=repr(error))

    # -- from the job actor ---------------------------------------------------------------------

    def report(self, asker: int) -> None:
        """The job actor (re)started: every node that was used is asked what it runs."""
        self._question = question = Question(asker, time.monotonic_ns())
        self._placing.clear()
        self._withdrawal.forget()
        for station in self._delivery.stations.values():
            station.said = None
            self._ask(station, question)
        self._answer()

    def _ask(self, station: Station, question: Question) -> None:
        if not self._delivery.reached(station):
            self._await(station.node)
        elif self._ready():
            self._delivery.open(station)
            for cancel in question.cancels.values():
                self._delivery.cancel(station, cancel)
            self._delivery.ask(station, question.number)

    def run(self, runs: Sequence[Run], slots: int | None = None) -> None:
        """Gives attempts to nodes that have room, those ahead to nodes that run some of the job."""
        self._placing.add(runs)
        self.room()

    def room(self) -> None:
        """There may be room on a node for what waits."""
        if self._question is None and not self._over and self._placing.waits and self._ready():
            try:
                self._placing.place()
            except OSError as error:
                self._wait(error)
            self._look_later()

    def _look_later(self) -> None:
        if not self._looks and any(one.given for one in self._delivery.stations.values()):
            self._looks = True
            self.send_after(LOOK_AGAIN_AT_GIVEN, self.look)

    def look(self) -> None:
        """What was given long ago and has not begun may have been lost on its way: its node is
        asked, and told again what it does not know."""
        self._looks = False
        if self._over or self._question is not None:
            return
        for station in self._delivery.stations.values():
            if station.given and self._delivery.reached(station):
                self._delivery.ask(station, 0)
        self._look_later()

    def _ready(self) -> bool:
        """Whether the job's files are there; else that is tried again later."""
        try:
            self._delivery.prepare()
        except OSError as error:
            self._wait(error)
            return False
        self._context.start_delays.over(self._job_id)
        return True

    def _wait(self, error: OSError) -> None:
        where = in_words(error, self._desk.places.job_dir(self._job_id))
        why = f"the shared directory of executor {self._desk.name}: {where}"
        seconds = self._context.start_delays.note(self._job_id, why)
        log.warning("job_files_wait", job_id=self._job_id, why=why, seconds=seconds)
        self.send_after(seconds, self.again)

    def again(self) -> None:
        """The files of the job may be made now."""
        if (question := self._question) is None:
            self.room()
            return
        for station in self._delivery.stations.values():
            if station.said is None:
                self._ask(station, question)

    def grow(self, growths: Sequence[Growth]) -> None:
        """Lists have added these sheets to the job's plan."""
        self._delivery.grow(growths)

    def withdraw(self) -> None:
        """Takes back what was granted ahead; Job.withdrawn tells what that is, of all nodes."""
        unsent = [(run.num, run.attempt) for run in self._placing.take_ahead()]
        self._withdrawal.begin(self._delivery.withdraw(), unsent)
        self._withdrawn_by("")

    def end_sheets(self, nums: Sequence[int], category: str) -> None:
        """Ends running attempts, each on its node; one that waits for a node ends here."""
        cancel = {"kind": "cancel", "category": category, "grace": self._grace}
        if self._question is not None:  # nobody has said yet what runs
            self._question.cancels |= {num: {**cancel, "sheets": [num]} for num in nums}
            for station in self._delivery.stations.values():
                self._delivery.cancel(station, {**cancel, "sheets": list(nums)})
            return
        waiting = self._placing.take(nums)
        if waiting:
            self._job.tell(ports.Job.results, [interrupted(run, category) for run in waiting], ())
        for station in self._delivery.stations.values():
            mine = sorted({num for num, _ in station.placed} & set(nums))
            if mine:
                self._delivery.cancel(station, {**cancel, "sheets": mine})

    def hold(self, on: bool) -> None:
        """It cannot, and Executor.cannot_hold says so."""

    def acknowledge(self, serials: Sequence[int]) -> None:
        """Those results are committed."""
        self._delivery.acknowledge(serials)

    def finish(self) -> Promise[None]:
        """Ends what is left of the job on the nodes; what may still run there is waited for."""
        promise, self._over = self.promise(), True
        self._context.start_delays.over(self._job_id)
        self._desk.forget(self._job_id)
        stations = self._delivery.stations.values()
        wanted = [one.node for one in stations if not one.lapsed and self._may_run(one)]
        given = self._job_id, [one.node for one in stations], wanted, self._grace, True
        closed = self._desk.cluster.within(None).call(Cluster.close_job, *given)
        self.pipe(closed, self.finished, promise)
        return promise

    def finished(self, outcome: Outcome[None], promise: Promise[None]) -> None:
        """Nothing of the job runs any more."""
        if outcome.error is not None:
            raise outcome.error
        promise.set(None)

    # -- from the nodes -------------------------------------------------------------------------

    def up(self, node: str, jobs: Sequence[str]) -> None:
        """The node is reached: what it was told and has not taken is said again."""
        station = self._delivery.stations.get(node)
        if station is None or self._over:
            return
        # Where files are staged the bridge has to hear of the job, though its worker lives.
        station.open = self._job_id in jobs and not self._desk.places.staged
        station.lapsed = False
        self._ask_again(station, wanted=bool(station.late) or self._job_id in jobs)

    def down(self, node: str, why: str) -> None:
        """It is not reached: what it has stays its own until its lease is over."""
        if (station := self._delivery.stations.get(node)) is not None:
            station.open = False
            self._await(node)

    def heard(self, node: str, message: Message) -> None:
        """A message of the job's worker on a node."""
        station, kind = self._delivery.stations.get(node), message["kind"]
        if station is None or self._over:
            return
        station.open = True
        if kind == "results":
            self._took(station, message["results"], message["started"])
        elif kind == "hello":
            self._greeted(station, message)
        elif kind == "withdrawn":
            station.outbox.withdrawn()
            station.ahead.difference_update((num, attempt) for num, attempt in message["sheets"])
            self._withdrawn_by(node, message["sheets"])
            self._settle(station)

    def _took(
        self, station: Station, results: Sequence[Message], started: Sequence[Sequence[Any]] = ()
    ) -> None:
        station.outbox.heard(results, started)
        station.started(started)
        late.keep(self._context, self._job_id, station, results)
        told = station.ended(results)
        if self._placing.lacks(station.node, told):
            self.send_after(LACKING, self.try_again, station.node)
        self._job.tell(ports.Job.results, told, [[*one, station.node] for one in started])
        self._settle(station)
        self.room()  # what had to wait for the first sheet of a job

    def _settle(self, station: Station) -> None:
        """What it has no use for any more is another's."""
        if self._question is None and self._placing.settle(station):
            self._desk.wake()

    def _greeted(self, station: Station, hello: Message) -> None:
        self._placing.avoid.pop(station.node, None)
        if self._question is not None:
            if hello["round"] == self._question.number:
                station.said = hello
                self._answer()
            return
        lost = station.lose(station.missing(hello), f"node {station.node} knows nothing of it")
        self._took(station, [*hello["unacked"]])
        if lost:
            self._job.tell(ports.Job.results, lost, ())
        self._delivery.say_again(station, station.outbox.again(hello))
        self.room()

    def refused(self, node: str, attempts: Sequence[Sequence[Any]]) -> None:
        """The node does not begin these: another (by name) has, or, where that is empty, nobody:
        the job has no worker there now."""
        station = self._delivery.stations.get(node)
        if station is None or self._over:
            return
        station.open = station.open and all(owner for *_, owner in attempts)
        for num, attempt, owner in attempts:
            run = station.refuse((num, attempt))
            if owner:
                log.warning("attempt_claimed", job_id=self._job_id, sheet=num, by=owner)
                other = self._delivery.station(owner)
                other.begun.add((num, attempt))
                self._delivery.ask(other, 0)
            elif run is not None:
                self._placing.put_back(run)
        self._settle(station)
        self.room()

    def troubled(self, node: str, why: str) -> None:
        """The job has no worker on this node now."""
        log.warning("node_troubled", job_id=self._job_id, node=node, why=why)
        self._placing.avoid[node] = f"node {node}: {why}"
        if (station := self._delivery.stations.get(node)) is not None:
            station.open = False
        self.send_after(TRY_NODE_AGAIN, self.try_again, node)

    def try_again(self, node: str) -> None:
        """The job may have a worker on this node by now."""
        if self._over or self._placing.avoid.pop(node, None) is None:
            return
        if (station := self._delivery.stations.get(node)) is not None:
            self._ask_again(station)
        self.room()

    def _ask_again(self, station: Station, *, wanted: bool = False) -> None:
        """What it has is asked for, where anything is ``wanted``, or said again."""
        if not self._delivery.reached(station):
            return
        if self._question is not None:
            self._ask(station, self._question)
        elif wanted or station.placed:
            self._delivery.ask(station, 0)

    def closed(self, node: str) -> None:
        """Nothing of the job is left on the node; what it still has is said again there."""
        station = self._delivery.stations.get(node)
        if station is None or self._over:
            return
        station.open = False
        self._ask_again(station)

    def not_made(self, num: int, attempt: int, why: str) -> None:
        """The engine makes no batch job for this attempt: it has failed, as its score bears it."""
        if (run := self._placing.refused(num, attempt)) is not None:
            log.warning("batch_job_refused", job_id=self._job_id, sheet=num, why=why)
            self._job.tell(ports.Job.results, [refused(run, why)], ())

    # -- a node that does not come back ---------------------------------------------------------

    def _await(self, node: str) -> None:
        left = self._desk.nodes.known(node).tenure.left(clock())
        self.send_after(min(left, 3600.0) + 0.01, self.lapse, node)

    def lapse(self, node: str) -> None:
        """Is the lease of this node over? Then nothing that it was given runs any more."""
        station, known = self._delivery.stations.get(node), self._desk.nodes.known(node)
        if station is None or station.lapsed or known.connected or self._over:
            return
        if not known.tenure.over(clock()):
            self._await(node)
            return
        if (finished := self._delivery.finished(station)) is not None:
            self._lapsed(station, finished)
        else:
            self.send_after(TRY_NODE_AGAIN, self.lapse, node)

    def gone(self, node: str, _: None) -> None:
        """Its engine has ended it: what it finished counts now, all else once its lease is over."""
        station = self._delivery.stations.get(node)
        if station and station.placed and self._question is None and not self._over:
            self._job.tell(ports.Job.results, self._delivery.finished(station) or (), ())
            self._settle(station)

    def _lapsed(self, station: Station, finished: list[Message]) -> None:
        log.warning("node_lapsed", job_id=self._job_id, node=station.node)
        if self._question is not None:
            station.lapsed = True
            station.said = {"running": [], "unacked": [], "told": finished, "round": 0}
            self._answer()
        else:
            lost = lost_with(station, finished, *self._desk.end_of(station.node))
            self._job.tell(ports.Job.results, [*finished, *lost], ())
            self._withdrawn_by(station.node)
            self._settle(station)
        self._desk.nodes.over(station.node)

    def _answer(self) -> None:
        """Every node has said what it runs: so the job's actor hears it."""
        question, stations = self._question, self._delivery.stations.values()
        if question is None or any(station.said is None for station in stations):
            return
        self._question = None
        told = question.answer(stations)
        told["running"] += self._placing.resume(told["unacked"])
        self._delivery.recall()
        for station in stations:
            self._placing.settle(station)
        self._desk.heard.add(self._job_id)
        self._job.tell(ports.Job.worker_up, told, question.asker)
        self._desk.wake()
        self.room()  # what waits on for its batch job

    def _may_run(self, station: Station) -> bool:
        unheard = self._question is not None and station.said is None
        return bool(station.placed) or unheard or self._delivery.reached(station)

    def _withdrawn_by(self, node: str, sheets: Sequence[Sequence[int]] = ()) -> None:
        if (returned := self._withdrawal.heard(node, sheets)) is not None:
            self._job.tell(ports.Job.withdrawn, returned)

    @property
    def _grace(self) -> float:
        return self._context.config.sheet_grace_seconds
