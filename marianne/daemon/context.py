"""What every actor of the conductor is given: places, settings, the names of the others."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from actors import Handle, System
from marianne.daemon.backpressure import BackpressureController
from marianne.daemon.deaths import Deaths
from marianne.daemon.entry import Entry
from marianne.daemon.failures import Delivery, FailureRate
from marianne.daemon.losses import Losses
from marianne.daemon.peers import Peers
from marianne.daemon.rate_board import RateBoard
from marianne.daemon.resources import Resources
from marianne.daemon.score_cache import ScoreCache
from marianne.daemon.shelf import Shelf
from marianne.daemon.spare import Spare
from marianne.daemon.start_delays import StartDelays
from marianne.daemon.starts import Starts
from marianne.daemon.storage import Storage
from marianne.learning.board import LearningBoard

if TYPE_CHECKING:
    from pathlib import Path

    from actors.process import Process
    from marianne.daemon.config import DaemonConfig
    from marianne.daemon.events import Events
    from marianne.daemon.health import HealthChecker
    from marianne.daemon.housekeeper import Housekeeper
    from marianne.daemon.job import Job
    from marianne.daemon.jobs import Jobs
    from marianne.daemon.learning_hub import LearningHub
    from marianne.daemon.link import Link
    from marianne.daemon.manager import JobManager
    from marianne.daemon.monitor import ResourceMonitor
    from marianne.daemon.notices import Notices
    from marianne.daemon.parser import Parser
    from marianne.daemon.places import Places
    from marianne.daemon.rates import RateLimitCoordinator
    from marianne.daemon.scheduler import GlobalSheetScheduler
    from marianne.daemon.server import Server
    from marianne.daemon.spare import SpareKeeper
    from marianne.daemon.store import Store
    from marianne.daemon.worker import Worker
    from marianne.home import Home


@dataclass(slots=True)
class StopRequest:
    """How the conductor was asked to end: None, or stop, drain, cancel, force, restart;
    failed when its tree gave up, unusable when its database is damaged (``why`` says how).

    Written once by a handler or a signal and read by the main thread and by the worker actors,
    which must know whether to end their process or to leave it to the next conductor.
    """

    mode: str | None = None
    drain_seconds: float | None = None
    why: str = ""
    pid: int = field(default_factory=os.getpid)

    def ask(self, mode: str, drain_seconds: float | None = None, why: str = "") -> None:
        """Asks the main thread to end the conductor; a stronger wish replaces a weaker one."""
        cuts_short = self.mode == "drain" and mode in ("stop", "cancel")
        if self.mode is None or mode == "force" or cuts_short:
            self.drain_seconds, self.why = drain_seconds, why
            self.mode = mode
            os.kill(self.pid, signal.SIGUSR1)

    @property
    def keeps_workers(self) -> bool:
        """Whether running sheets are to outlive this conductor."""
        return self.mode in (None, "restart", "failed", "unusable")


@dataclass(slots=True)
class Context:
    """Shared by all actors of one conductor. Only ``stop``, ``config`` and ``origins`` ever change.

    A configuration is replaced as a whole, by :meth:`JobManager.apply_config`: who needs several
    values that belong together takes ``config`` once. ``config_path`` is the file that was named
    at the start, None if it is looked for. ``delivery`` counts notices that reach nobody.
    ``serving`` is set when the heart knows that we are ready: nobody is answered before.
    ``unreadable`` is why scores cannot be read at the moment, by the parser; None: they can.
    ``client`` is the process, by pid and start time, that a private conductor must not outlive.

    What is read without asking (``resources``, ``storage``, ``rate_limits``, ``learned``,
    ``start_delays``) has one writer each, the last one a writer for each job.

    ``owner`` is the marker of this home in the environment of every sheet; ``start_time`` is the
    conductor's own, in clock ticks since boot; ``started_at`` is in seconds since the epoch.
    ``workers`` are the living worker processes by pid, which no sweep may touch.  ``swept``
    are, by job, workers (pid and start time) that ended badly and left nothing any more.
    ``post`` sends a message to the worker process of that name; to one that is gone, or while the
    link is being restarted, it is lost, which the worker's actor notices. ``reached`` are the names
    of worker processes that have been connected; ``silent`` are, by job, the pids of those that do
    not answer; ``losses`` counts the lost ones,
    ``peers`` knows their names. ``entries`` are, by job, for the first actors of
    those just let in.
    """

    system: System
    home: Home
    config: DaemonConfig
    owner: str
    start_time: int
    started_at: float
    stop: StopRequest
    resources: Resources
    storage: Storage
    failures: FailureRate = field(default_factory=FailureRate)
    deaths: Deaths = field(default_factory=Deaths)
    rate_limits: RateBoard = field(default_factory=RateBoard)
    learned: LearningBoard = field(default_factory=LearningBoard)
    origins: Mapping[str, str] = field(default_factory=dict)
    config_path: Path | None = None
    places: Places | None = None
    heart_pid: int | None = None
    heart_lost: bool = False
    client: tuple[int, int] | None = None
    serving: bool = False
    unreadable: str | None = None
    workers: dict[int, Process] = field(default_factory=dict)
    delivery: Delivery = field(default_factory=Delivery)
    scores: ScoreCache = field(default_factory=ScoreCache)
    shelf: Shelf = field(default_factory=Shelf)
    spare: Spare = field(default_factory=Spare)
    swept: dict[str, tuple[int, int]] = field(default_factory=dict)
    start_delays: StartDelays = field(default_factory=StartDelays)
    reached: set[bytes] = field(default_factory=set)
    silent: dict[str, int] = field(default_factory=dict)
    losses: Losses = field(default_factory=Losses)
    peers: Peers = field(default_factory=Peers)
    entries: dict[str, Entry] = field(default_factory=dict)
    post: Callable[[bytes, dict[str, Any]], None] = lambda identity, message: None
    starts: Starts = field(init=False)
    backpressure: BackpressureController = field(init=False)

    def __post_init__(self) -> None:
        self.starts = Starts(self.system)
        self.scores.limits = lambda: self.config.preflight.tokens
        self.backpressure = BackpressureController(self.resources, self.rate_limits, self.learned)

    def _named(self, name: str) -> Handle[Any]:
        # Not by ``system.handle``, which wants the class: importing it here takes longer than to
        # send a message, and these are asked for with each.
        return Handle(self.system, name)

    @property
    def store(self) -> Handle[Store]:
        """The sole writer of the database."""
        return self._named("store")

    @property
    def events(self) -> Handle[Events]:
        """The publisher of committed events."""
        return self._named("events")

    @property
    def link(self) -> Handle[Link]:
        """The socket that all workers talk to."""
        return self._named("link")

    @property
    def monitor(self) -> Handle[ResourceMonitor]:
        """The resource monitor."""
        return self._named("monitor")

    @property
    def rates(self) -> Handle[RateLimitCoordinator]:
        """The rate limits in force."""
        return self._named("rates")

    @property
    def learning(self) -> Handle[LearningHub]:
        """Who learns from how jobs end."""
        return self._named("learning")

    @property
    def parser(self) -> Handle[Parser]:
        """The reader of scores."""
        return self._named("parser")

    @property
    def scheduler(self) -> Handle[GlobalSheetScheduler]:
        """The scheduler that grants sheets."""
        return self._named("scheduler")

    @property
    def jobs(self) -> Handle[Jobs]:
        """The supervisor of the admitted jobs."""
        return self._named("jobs")

    @property
    def health(self) -> Handle[HealthChecker]:
        """The liveness and readiness probes."""
        return self._named("health")

    @property
    def housekeeper(self) -> Handle[Housekeeper]:
        """Who forgets the past."""
        return self._named("housekeeper")

    @property
    def spare_keeper(self) -> Handle[SpareKeeper]:
        """Who keeps a worker process ready."""
        return self._named("spare")

    @property
    def notices(self) -> Handle[Notices]:
        """Who tells people."""
        return self._named("notices")

    @property
    def manager(self) -> Handle[JobManager]:
        """The job manager."""
        return self._named("manager")

    @property
    def server(self) -> Handle[Server]:
        """Who answers clients."""
        return self._named("server")

    def job(self, job_id: str) -> Handle[Job]:
        """The state machine of an admitted job."""
        return self._named(f"job:{job_id}/job")

    def worker(self, job_id: str) -> Handle[Worker]:
        """The owner of an admitted job's worker process."""
        return self._named(f"job:{job_id}/worker")
