"""The worker process of one job: one loop, no threads, the parent of all the job's sheets.

It does what the conductor grants, reports what happened, and outlives the conductor for a while so
that another can take it over. It decides nothing about retries, order or pressure.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import time
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgpack

from ipc.dealer import Dealer
from marianne.environment import unpacked
from marianne.model.plan import Growth
from marianne.model.result import AttemptResult, lost
from marianne.run import confine, procfs
from marianne.run.acceptable import acceptable
from marianne.run.attempt import Attempt
from marianne.run.attempt_state import State
from marianne.run.complain import complain
from marianne.run.enclosure import Enclosure
from marianne.run.grant import Grant
from marianne.run.kinds import hand_over, kinds
from marianne.run.lease_watch import LeaseWatch
from marianne.run.link import Line, Link, Message
from marianne.run.loop import Loop
from marianne.run.nursery import Nursery
from marianne.run.outlived import by_limit
from marianne.run.rehearsal import rehearse
from marianne.run.setup import EXIT_CLEAN, EXIT_LEFT, Signals, become_worker, incarnation_of
from marianne.run.spool import Spool
from marianne.run.tools import Tools
from marianne.run.trust import Trust, trust_of
from marianne.run.watermark import Watermark
from marianne.run.workshop import Workshop
from marianne.score.growth import grow
from marianne.score.pack import unpack_plan
from marianne.score.preflight import PromptLimits

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

GIVEN = ("plan", "env")

# Allocations between two collections of garbage: an attempt makes some 50 objects that last.
COLLECT_EVERY = 20_000

# How long the last words may take to leave.
BYE_SECONDS = 1.0

# Where one job follows the other a spare is wanted before, and its time is somebody else's.
REHEARSE_AFTER_MS = 20


class JobWorker:
    """Grants in, results out. ``run`` returns when it was told to stop and nothing is left."""

    def __init__(
        self, settings: dict[str, Any], line: Line, tools: Tools, trust: Trust | None = None
    ) -> None:
        self._line = line
        self._tools = tools
        self._sheet_grace = float(settings["sheet_grace_seconds"])
        self._orphan_grace = float(settings["orphan_grace_seconds"])
        self._lost_within = float(settings.get("lost_within_seconds") or self._sheet_grace)
        self._conductor = (settings["conductor_pid"], settings["conductor_start_time"])
        job_dir, job_id, owner = settings["job_dir"], settings["job_id"], settings["owner"]
        os.makedirs(f"{job_dir}/sheets", mode=0o700, exist_ok=True)
        given = settings.get("given") or {name: Path(job_dir, name).read_bytes() for name in GIVEN}
        plan, env = unpack_plan(given["plan"]), unpacked(msgpack.unpackb(given["env"]))
        self._loop = Loop()
        self._signals = Signals()
        self._enclosure = Enclosure.of(settings.get("groups"), job_id)
        mark = Watermark(owner, job_id, claim=True)
        self._nursery = Nursery(self._loop, owner, mark, self._enclosure)
        self._spool = spool = Spool(settings.get("spool") or f"{job_dir}/spool")
        self._shop = Workshop(
            plan=plan,
            env=env | (settings.get("environment") or {}),
            job_id=job_id,
            job_dir=job_dir,
            owner=owner,
            grace=self._sheet_grace,
            output_limit=settings.get("output_limit_bytes"),
            limits=settings.get("limits") or {},
            prompts=PromptLimits(*settings.get("preflight", ())),
            loop=self._loop,
            nursery=self._nursery,
            tools=tools,
            fresh=settings.get("fresh", False),
            anew=settings.get("anew", False),
            trace_seed=settings.get("trace_seed"),
            on_cleared=self._stop_if_done,
            tell=line.send,
        )
        self._kinds = kinds(staged=bool(settings.get("staged")))
        self._link = Link(
            self._loop,
            line,
            spool,
            job_id=job_id,
            incarnation=incarnation(),
            orphan_grace=self._orphan_grace,
            state=self._state,
            on_lost=self._lost,
            trust=trust,
        )
        self._live: dict[int, Attempt] = {}  # by sheet: queued and running
        self._queue: deque[Attempt] = deque()
        self._running = 0
        self._slots: int | None = None
        self._pumping = False
        self._stopping = self._held = False
        self._limit: dict[str, Any] = {}
        self._lease = LeaseWatch(self._loop, self._lost)
        # An earlier worker of this job is dead, or there would be no other: so are its attempts.
        for num, attempt, began_at in spool.unfinished:
            self._link.result(lost(num, attempt, began_at, time.time()).to_map(), more=True)
        # The newest attempt of each sheet that we know of: an older grant is an echo.
        self._newest = {r["num"]: r["attempt"] for r in spool.unacked}

    def close(self) -> None:
        """Gives back what a process that goes on would keep open. Not before ``run`` is over."""
        self._link.close()
        self._nursery.close()
        self._spool.close()
        self._signals.close()
        self._loop.close()

    def run(self, early: Sequence[Message] = ()) -> bool:
        """Until stopped. Returns whether nothing of its sheets is left, which is the rule.

        ``early`` is what came before; what waits besides is done before we introduce ourselves.
        """
        self._loop.add_reader(self._line.fileno(), self._heard)
        self._loop.add_reader(self._signals.fileno(), self._signalled)
        self._hear(early)
        self._heard()
        self._link.begin(*self._conductor)
        self._loop.run()
        left = confine.sweep(confine.all_below)
        clean = self._enclosure.close() and not left
        self._link.bye()
        return clean

    @property
    def loop(self) -> Loop:
        """What the worker waits with, for timers of whoever runs it in his own process."""
        return self._loop

    @property
    def heard(self) -> bool:
        """Whether there is a conductor to hear our last words."""
        return self._link.conductor_alive

    # -- what wakes us

    def _heard(self) -> None:
        self._hear(self._line.drain())

    def _hear(self, messages: Iterable[Message]) -> None:
        for message in messages:
            try:
                self._handle(message)
            except (KeyError, TypeError, ValueError) as error:
                complain(f"message not understood: {message!r:.200}: {error!r}")

    def _signalled(self) -> None:
        signals = self._signals.take()
        if signal.SIGCHLD in signals:
            self._nursery.reap()
        if signal.SIGTERM in signals or signal.SIGINT in signals:
            self._stop(0.0 if self._stopping else self._sheet_grace, "stopped")

    def _handle(self, message: Message) -> None:
        kind = message["kind"]
        if kind == "run":
            self._grant(message)
        elif kind == "ack":
            self._link.ack(message["serials"])
        elif kind == "cancel":
            self._cancel(message)
        elif kind == "grow":
            self._grow(message)
        elif kind == "staged":
            hand_over(self._live.get(message["num"]), message)
        elif kind == "lease":
            self._lease.extend(float(message["until"]))
        elif kind == "hold":
            self._hold(bool(message["on"]))
        elif kind == "withdraw":
            self._link.withdrawn(self._give_back())
        elif kind == "welcome":
            self._link.welcome(message["pid"], message["start_time"], message.get("keeper"))
        elif kind == "report":
            self._link.hello(message.get("round", 0))
        elif kind == "stop":
            grace, self._limit = message.get("grace"), message.get("limit") or {}
            self._stop(
                self._sheet_grace if grace is None else grace, message.get("category", "stopped")
            )

    def _grow(self, message: Message) -> None:
        """A list has added sheets to the plan; what is known already is no news."""
        items, names = tuple(message["items"]), tuple(message["names"])
        growth = Growth(message["source"], message["first"], items, names)
        self._shop.plan = grow(self._shop.plan, growth)

    # -- grants

    def _grant(self, message: Message) -> None:
        if "slots" in message:
            self._slots = message["slots"]
        granted: list[Attempt] = []
        for data in message["sheets"]:
            grant = Grant(data)
            if grant.attempt <= self._newest.get(grant.num, 0) or self._stopping:
                self._link.resend(grant.num, grant.attempt)
                continue
            if self._shop.plan.lists and grant.num > len(self._shop.plan.sheets):
                # What a list has added was lost with a connection: after a hello both are told.
                complain(f"sheet {grant.num} is not known yet")
                self._link.hello()
                continue
            if grant.num in self._live:
                complain(f"sheet {grant.num} already runs; attempt {grant.attempt} not started")
                continue
            self._newest[grant.num] = grant.attempt
            attempt = self._kinds[grant.num in self._shop.plan.lists](
                self._shop, grant, self._spool.begin, self._attempt_started, self._attempt_done
            )
            self._live[grant.num] = attempt
            if grant.delay > 0:
                self._loop.call_later(grant.delay, lambda a=attempt: self._enqueue(a))  # type: ignore[misc]
            elif grant.ahead:
                self._queue.append(attempt)
            else:
                granted.append(attempt)
        self._queue.extendleft(
            reversed(granted)
        )  # they have a slot: before those that wait for one
        self._pump()

    def _give_back(self) -> list[list[int]]:
        """Forgets what was granted ahead and has not begun; returns which."""
        back = [attempt for attempt in self._queue if attempt.grant.ahead]
        for attempt in back:
            self._queue.remove(attempt)
            del self._live[attempt.num]
            self._newest[attempt.num] = attempt.attempt - 1
        return [[attempt.num, attempt.attempt] for attempt in back]

    def _enqueue(self, attempt: Attempt) -> None:
        if attempt.state is State.QUEUED:
            self._queue.append(attempt)
            self._pump()

    def _pump(self) -> None:
        """Starts queued attempts while there are slots. An attempt may be over when it returns."""
        if self._pumping:
            return
        self._pumping = True
        while self._queue and (self._slots is None or self._running < self._slots):
            attempt = self._queue.popleft()
            if attempt.state is State.QUEUED:
                self._running += 1
                attempt.begin()
        self._pumping = False

    def _attempt_started(self, attempt: Attempt, pid: int, at: float) -> None:
        if self._held:
            attempt.hold(True)
        self._link.started(attempt, pid, at, more=bool(self._queue))

    def _attempt_done(self, attempt: Attempt, result: AttemptResult) -> None:
        del self._live[attempt.num]
        if attempt.begun:
            self._running -= 1
        self._tools.note(result)
        # On disk first. One of the queued starts now; the others make waiting worth it.
        told = by_limit(acceptable(result.to_map()), self._limit)
        self._link.result(told, more=len(self._queue) > 1)
        self._pump()
        self._stop_if_done()

    def _hold(self, on: bool) -> None:
        """Has all that runs stand still where it stands, or go on."""
        self._held = on
        for attempt in list(self._live.values()):
            attempt.hold(on)

    def _state(self) -> tuple[list[list[int]], list[list[int]], bool]:
        running: list[list[int]] = []
        queued: list[list[int]] = []
        for attempt in self._live.values():
            where = queued if attempt.grant.ahead and not attempt.begun else running
            where.append([attempt.num, attempt.attempt])
        return running, queued, self._held

    # -- endings

    def _cancel(self, message: Message) -> None:
        grace = message.get("grace")
        nums = message.get("sheets")
        for num in list(self._live) if nums is None else nums:
            attempt = self._live.get(num)
            if attempt is not None:
                attempt.end(
                    message.get("category", "cancelled"),
                    self._sheet_grace if grace is None else grace,
                )

    def _lost(self) -> None:
        """No conductor took us over. The graces run side by side, not one after the other."""
        within = min(self._sheet_grace, self._lost_within)
        self._stop(max(0.0, within - self._orphan_grace), "lost")

    def _stop(self, grace: float, category: str) -> None:
        self._stopping = True
        self._give_back()
        self._queue.clear()
        for attempt in list(self._live.values()):
            attempt.end(category, grace)
        self._shop.finish(grace)
        self._stop_if_done()

    def _stop_if_done(self) -> None:
        if self._stopping and not self._live and not self._shop.removing:
            self._loop.stop()


def incarnation() -> str:
    """This process's name."""
    return incarnation_of(os.getpid(), procfs.start_time(os.getpid()))


def worker_main(
    pipe: Connection, socket: str, place: str, owner: str, name: bytes, key: bytes | None = None
) -> None:
    """The target of the conductor's forkserver: connected, it waits for its settings, or its end.

    If they do not come at once, it has the time to rehearse, in the directory ``place``.
    ``socket`` is the path of the workers' socket, ``name`` what it is called there and keeps
    secret, ``key`` what the conductor there has the secret of (None: nobody is asked for a
    proof). What comes through ``pipe`` is a map: job_id, job_dir, owner (the marker),
    conductor_pid, conductor_start_time, orphan_grace_seconds, sheet_grace_seconds; optional
    lost_within_seconds (until all has ended when no conductor takes it over), spool (its file),
    output_limit_bytes, groups (where the home's control groups are, if it has any), limits (of
    sheets that say nothing else), environment (variables of the place where it runs, over the
    job's), preflight (tokens from which on a prompt is warned of, and refused), fresh (the job was
    submitted so: see Workshop.clear), keeper and key_file (see Trust), trace_seed (a collector is
    told of attempts: see Workshop), given (``plan`` and ``env`` packed, else they are files in
    job_dir). The end of the pipe instead ends the process: nobody knows it.
    """
    become_worker()
    procfs.take_name("marianne-spare")
    line = Dealer(socket, name, server_key=key)
    early: list[Message] = []
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    poll.register(line, select.POLLIN)
    patience: float | None = REHEARSE_AFTER_MS
    while pipe.fileno() not in (ready := dict(poll.poll(patience))):
        if ready:
            early += line.drain()  # which is what lets the connection come about
        else:
            patience = None
            rehearse(lambda settings, line: JobWorker(settings, line, Tools()), place, owner)
    try:
        settings = pipe.recv()
    except EOFError:
        os._exit(EXIT_CLEAN)
    pipe.close()
    _work(settings, line, early)


def _work(settings: dict[str, Any], line: Dealer, early: Sequence[Message]) -> None:
    procfs.take_name("marianne-worker")
    gc.disable()  # all objects of a plan stay: looking at those of 10,000 sheets doubles its time
    worker = JobWorker(settings, line, Tools(), trust_of(settings, line))
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY)
    gc.enable()
    clean = worker.run(early)
    line.close(BYE_SECONDS if worker.heard else 0.0)
    os._exit(EXIT_CLEAN if clean else EXIT_LEFT)
