"""The owner of the connection with one cluster: the bridge's process and the socket it talks to.

Messages of wardens are checked here, in the socket's thread, and handed to the runner of their job.
What is kept here is who is to close a job that is over; all else is the runners'.

What a restart finds: the bridge ends with this actor. The next one is told by each warden what it
runs; the lease of a node that does not come back ends what it had.
"""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors import Actor, ExitReason, Handle, Outcome, Promise
from actors.process import Process, ProcessExit
from ipc import codec, curve
from ipc.errors import CodecError
from ipc.router import Router
from marianne.daemon.cluster.batch_notes import attempt_of, over
from marianne.daemon.cluster.checking import CHECK_SECONDS, Check
from marianne.daemon.cluster.describing import describe
from marianne.daemon.cluster.desk import Desk
from marianne.daemon.cluster.leftovers import unwanted
from marianne.daemon.config.executors import ExecutorConfig
from marianne.daemon.context import Context
from marianne.daemon.services.machine import Machine
from marianne.daemon.services.scheduler import SchedulerActor
from marianne.daemon.shared.log import get_logger
from marianne.daemon.shared.places import bind_again
from marianne.daemon.shared.start_delays import BACKOFF
from marianne.daemon.worker.ending import in_words
from marianne.daemon.worker.starts import Starts
from marianne.executors.lease import clock
from marianne.run.acceptable import UnacceptableError
from marianne.run.said import said

if TYPE_CHECKING:
    from marianne.replies import executors as told

log = get_logger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks at nodes that are waited for."""

MOST_WAITING = 100_000
"""Messages that wait for the bridge, which carries those of all jobs: further ones would be lost
without a word, and with them grants."""

MOST_HELD = 100
"""Of what sheets take: kinds of it that the bridge is told of."""

SILENT = 90.0
"""Seconds after which a bridge that says nothing is replaced: it looks for nodes every second."""


class Cluster(Actor):
    """One per executor of its kind; ``executor:<name>``. ``target`` is the bridge's function, by
    name, and ``settings`` what it is given."""

    def __init__(self, context: Context, desk: Desk, target: str, settings: dict[str, Any]) -> None:
        super().__init__()
        self._context, self._desk = context, desk
        self._target, self._settings = target, settings
        self._name = b"bridge-" + os.urandom(16).hex().encode()
        self._key = curve.new_secret() if curve.available() else None
        self._starts = Starts(context.system)
        self._process: Process | None = None
        self._failures = 0
        self._heard_at = time.monotonic()
        self._checks: list[Check] = []
        self._closing: dict[str, tuple[set[str], dict[str, Any], list[Promise[None]]]] = {}

    def on_start(self) -> None:
        """Binds the socket and has the bridge started."""
        self._listen()
        self._desk.post, self._desk.wake = self._post, self._room
        self._start()
        self.send_after(LOOK_EVERY, self.look)

    def on_stop(self, reason: ExitReason) -> None:
        """Ends the bridge: from now on no lease is extended."""
        self._router.stop()
        if self._process is not None:
            self._process.kill()
        self._all_down("the connection with the cluster ended")

    def _listen(self) -> None:
        place = self._context.home.workers_sock.with_name(f"bridge-{self._desk.name}.sock")
        self._router = Router(place, self._received, high_water=MOST_WAITING, secret_key=self._key)
        self._router.start()

    def _start(self) -> None:
        key = None if self._key is None else curve.public_of(self._key)
        arguments = (self._settings, str(self._router.endpoint.path), self._name, key)
        processes = self._context.system.processes
        name = f"marianne-bridge {self._desk.name}"
        self.pipe(
            self._starts.ask(lambda: processes.start(self._target, arguments, name), self.name),
            self.started,
        )

    def again(self) -> None:
        """Time to start another bridge. Where the socket's file was removed it would find nobody;
        the one before had its connection already."""
        if not self._router.endpoint.is_ours():
            self._router.stop()
            bind_again(Path(self._router.endpoint.path), self._listen)
        self._start()

    def started(self, outcome: Outcome[Process]) -> None:
        """The bridge's process is there, or could not be started."""
        self._heard_at = time.monotonic()
        if outcome.value is not None:
            self._process = outcome.value
            self.watch(outcome.value)
        else:
            self._failed(f"its bridge cannot be started: {outcome.error!r}")

    def on_process_exit(self, process: Process, ending: ProcessExit) -> None:
        """Another is started; what runs on the nodes goes on meanwhile."""
        self._process = None
        self._all_down("the bridge ended")
        self._failed(f"its bridge was lost: {in_words(ending)}")

    def _failed(self, why: str) -> None:
        self._desk.nodes.engine = f"executor {self._desk.name}: {why}"
        seconds = BACKOFF.delay(self._failures, self.name)
        self._failures += 1
        log.warning("bridge_waits", executor=self._desk.name, why=why, seconds=seconds)
        self.send_after(seconds, self.again)

    def _all_down(self, why: str) -> None:
        for node in self._desk.nodes.all_down():
            self._tell_all("down", node, why)
        self._capacity()

    # -- to the nodes ---------------------------------------------------------------------------

    def _post(self, node: str, messages: Sequence[dict[str, Any]]) -> None:
        message = {"kind": "to", "node": node, "messages": list(messages)}
        self._router.send(self._name, codec.pack(message))

    def close_job(
        self,
        job_id: str,
        nodes: Iterable[str],
        wanted: Iterable[str],
        grace: float,
        over: bool = False,
    ) -> Promise[None]:
        """Ends what runs of a job on these nodes; answers when nothing of it is left on the
        ``wanted`` ones: each has said so, or its lease is surely over. ``over``: nor are its files
        wanted there any more."""
        promise: Promise[None] = self.promise()
        message = {"kind": "close", "job_id": job_id, "grace": grace}
        if over and self._desk.places.staged:
            message["over"] = True
        left, _, promises = self._closing.get(job_id, (set[str](), message, []))
        left |= set(wanted)
        promises.append(promise)
        self._closing[job_id] = left, message, promises
        for node in {*nodes, *left}:
            self._post(node, [message])
        self._settle()
        return promise

    def closed(self, job_id: str, node: str) -> None:
        """Nothing of the job is left on this node."""
        self._desk.nodes.closed(node, job_id)
        if job_id in self._closing:
            self._closing[job_id][0].discard(node)
            self._settle()

    def node_up(self, node: str, has: Sequence[str] = ()) -> None:
        """It may not have heard what is to end: it ``has`` workers or files of these jobs."""
        self._failures = 0
        closing = {job_id for job_id, (left, *_) in self._closing.items() if node in left}
        for job_id in closing:
            self._post(node, [self._closing[job_id][1]])
        for job_id in unwanted(self._context.home, has, {*self._desk.jobs, *closing}):
            self._post(node, [{"kind": "close", "job_id": job_id, "grace": 0.0, "over": True}])

    def describe(self, config: ExecutorConfig, check: bool) -> Promise[list[told.Executor]]:
        """The cluster for people, at once, or when the nodes have said how they are."""
        promise: Promise[list[told.Executor]] = self.promise()
        asked = [node.name for node in self._desk.nodes.all() if node.connected] if check else []
        self._checks.append(Check(promise, config, set(asked), time.monotonic()))
        for node in asked:
            self._post(node, [{"kind": "check"}])
        self.send_after(CHECK_SECONDS, self.tell_checks, CHECK_SECONDS)
        self.tell_checks()
        return promise

    def checked(self, node: str, status: int) -> None:
        """A node has run the program that does nothing, with this status (-1: it could not)."""
        for check in self._checks:
            check.hear(node, status)
        self.tell_checks()

    def tell_checks(self, overdue: float = math.inf) -> None:
        """Tells what is known: of all that were asked, or once that has taken too long."""
        for check in list(self._checks):
            if not check.left or time.monotonic() - check.since >= overdue:
                self._checks.remove(check)
                found = describe(check.config, self._desk.nodes, check.answers())
                check.promise.set([found])

    def look(self) -> None:
        """Are leases over that are waited for, and does the bridge say anything?"""
        self._settle()
        self._say_need()
        if self._process is not None and time.monotonic() - self._heard_at > SILENT:
            log.error("bridge_silent", executor=self._desk.name, pid=self._process.pid)
            self._process.kill()
        self.send_after(LOOK_EVERY, self.look)

    def _say_need(self) -> None:
        """What there is use for: an engine may have nodes made by it, or given back."""
        asked = self._context.scheduler.within(None).call(SchedulerActor.wanting, self._desk.name)
        self.pipe(asked, self.need_known)

    def need_known(self, outcome: Outcome[int]) -> None:
        """So many sheets wait for nothing but a slot; a scheduler that crashed says it again."""
        nodes = self._desk.nodes.all()
        busy = [node.name for node in nodes if self._desk.may_be_busy(node)]
        held = Counter(needs[:4] for of_job in list(self._desk.held.values()) for needs in of_job())
        need = {
            "kind": "need",
            "waiting": outcome.value or 0,
            "held": [[*needs, count] for needs, count in held.most_common(MOST_HELD)],
            "busy": busy,
            "resting": [n.name for n in nodes if not n.usable and n.name not in busy],
            "batch": [one for of_job in list(self._desk.batch.values()) for one in of_job()],
            "over": list(self._desk.over),
        }
        self._router.send(self._name, codec.pack(need))

    def _settle(self) -> None:
        now = clock()
        for job_id, (left, _, promises) in list(self._closing.items()):
            for node in list(left):
                if self._desk.nodes.known(node).tenure.over(now):
                    left.discard(node)
            if not left:
                del self._closing[job_id]
                for promise in promises:
                    promise.set(None)

    # -- from the bridge, in the socket's thread ------------------------------------------------

    def _received(self, identity: bytes, payload: bytes) -> None:
        if identity != self._name or not payload:
            return
        self._heard_at = time.monotonic()
        try:
            message = codec.unpack(payload)
            self._take(message["kind"], message)
        except (CodecError, KeyError, TypeError, ValueError) as error:
            log.error("bridge_not_understood", executor=self._desk.name, error=repr(error))

    def _take(self, kind: str, message: dict[str, Any]) -> None:
        nodes, node = self._desk.nodes, message.get("node", "")
        if kind == "from":
            for one in message["messages"]:
                self._of_warden(node, one)
        elif kind == "engine":
            self._say_engine(message["why"])
        elif kind == "up":
            log.info("node_up", executor=self._desk.name, node=node, **message["facts"])
            self._context.machine.tell(Machine.node, self._named(node), None)
            nodes.up(node, message["facts"], message["hello"])
            self._capacity()
            self._tell_all("up", node, list(message["hello"]["jobs"]))
            has = [str(one) for of in ("jobs", "kept") for one in message["hello"].get(of) or ()]
            self._desk.cluster.tell(Cluster.node_up, node, has)
            self._room()
        elif kind == "down":
            log.warning("node_down", executor=self._desk.name, node=node, why=message["why"])
            if nodes.known(node).taken:  # one that had nothing to do may have been given back
                self._context.machine.tell(Machine.node, self._named(node), message["why"])
            nodes.down(node)
            self._capacity()
            self._tell_all("down", node, message["why"])
        elif kind == "unfit":
            if nodes.known(node).why != message["why"]:
                log.warning("node_unfit", executor=self._desk.name, why=message["why"])
            nodes.unfit(node, message["why"])
            self._capacity()
        elif kind == "gone":
            self._tell_all("gone", node, None)
            nodes.gone(node)
            self._context.machine.tell(Machine.node, self._named(node), None)
        elif kind == "batch":
            self._of_batch(message)

    def _of_batch(self, message: dict[str, Any]) -> None:
        """What the engine says of batch jobs of single attempts; of one that is refused it says so
        until nobody wants it any more."""
        from marianne.daemon.cluster.runner import ClusterRunner

        self._desk.queued, self._desk.fates = message["queued"], message["fates"]
        self._desk.over = over(message["spare"], self._desk.batch, self._context.home.db)
        for name, why in message["refused"].items():
            job_id, num, attempt = attempt_of(name)
            self._context.worker(job_id).tell(ClusterRunner.not_made, num, attempt, why)

    def _named(self, node: str) -> str:
        return f"{self._desk.name}: {node}"

    def _capacity(self) -> None:
        self._context.scheduler.tell(SchedulerActor.room_changed)

    def _say_engine(self, why: str | None) -> None:
        if self._desk.nodes.engine != why:
            log.info("engine", executor=self._desk.name, why=why)
            self._desk.nodes.engine = why

    def _of_warden(self, node: str, message: dict[str, Any]) -> None:
        from marianne.daemon.cluster.runner import ClusterRunner

        kind = message["kind"]
        if kind == "checked":
            self._desk.cluster.tell(Cluster.checked, node, message["status"])
            return
        job_id = message["job_id"]
        if kind == "job":
            try:
                self._tell(job_id, ClusterRunner.heard, node, said(message["message"]))
            except UnacceptableError as error:
                log.warning("node_message_refused", node=node, job_id=job_id, why=str(error))
        elif kind == "refused":
            self._tell(job_id, ClusterRunner.refused, node, message["attempts"])
        elif kind == "trouble":
            self._tell(job_id, ClusterRunner.troubled, node, message["why"])
        elif kind == "closed":
            self._tell(job_id, ClusterRunner.closed, node)
            self._desk.cluster.tell(Cluster.closed, job_id, node)

    def _tell_all(self, method: str, node: str, detail: Any) -> None:
        from marianne.daemon.cluster.runner import ClusterRunner

        for job_id in list(self._desk.jobs):
            self._tell(job_id, getattr(ClusterRunner, method), node, detail)

    def _tell(self, job_id: str, method: Callable[..., Any], *args: Any) -> None:
        """The job's runner here, if it has one: it may be over, or be on other executors alone."""
        actor = self._desk.jobs.get(job_id)
        if actor is not None:
            runner: Handle[Any] = Handle(self._context.system, actor)
            runner.tell(method, *args)

    def _room(self) -> None:
        from marianne.daemon.cluster.runner import ClusterRunner

        for job_id in self._desk.nodes.waiting():
            self._tell(job_id, ClusterRunner.room)
