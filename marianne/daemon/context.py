"""What every actor of the conductor is given: places, settings, the names of the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from actors import Handle, System
from marianne.daemon import ports
from marianne.daemon.backpressure import BackpressureController
from marianne.daemon.event_bus import EventBus
from marianne.daemon.job_service import JobService
from marianne.daemon.manager import JobManager
from marianne.daemon.monitor import ResourceMonitor
from marianne.daemon.output import StructuredOutput
from marianne.daemon.pgroup import ProcessGroupManager
from marianne.daemon.processes.control_groups import NONE, ControlGroups
from marianne.daemon.processes.host import Guest, Host
from marianne.daemon.shared.deaths import Deaths
from marianne.daemon.shared.failures import Delivery, FailureRate
from marianne.daemon.shared.figures import Figures
from marianne.daemon.shared.handoff import Entry
from marianne.daemon.shared.losses import Losses
from marianne.daemon.shared.proof import Proof
from marianne.daemon.shared.rate_limits import RateLimitCoordinator
from marianne.daemon.shared.score_cache import ScoreCache
from marianne.daemon.shared.start_delays import StartDelays
from marianne.daemon.shared.status_cache import StatusCache
from marianne.daemon.shared.storage import Storage
from marianne.learning.hub import LearningHub
from marianne.records import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from marianne.daemon.api.server import Server
    from marianne.daemon.config import DaemonConfig
    from marianne.daemon.job.actor import Job
    from marianne.daemon.job.supervisor import Jobs
    from marianne.daemon.jobs.actor import ManagerActor
    from marianne.daemon.jobs.roster import Roster
    from marianne.daemon.scheduler import GlobalSheetScheduler
    from marianne.daemon.schedules.actor import SchedulesActor
    from marianne.daemon.services.events import Events
    from marianne.daemon.services.health import HealthActor
    from marianne.daemon.services.learning import LearningActor
    from marianne.daemon.services.machine import Machine
    from marianne.daemon.services.monitor import MonitorActor
    from marianne.daemon.services.notifications import Notifications
    from marianne.daemon.services.parser import Parser
    from marianne.daemon.services.rates import RatesActor
    from marianne.daemon.services.retention import Retention
    from marianne.daemon.services.scheduler import SchedulerActor
    from marianne.daemon.services.serving import Serving
    from marianne.daemon.services.store import Store
    from marianne.daemon.shared.places import Places
    from marianne.executors.protocol import Executor
    from marianne.home import Home
    from marianne.replies.conductor import Hindrances, Troubles
    from marianne.score.settings import ScoreSettings


@dataclass(slots=True)
class StopRequest:
    """How the conductor was asked to end: None, or stop, drain, cancel, force, restart;
    failed when its tree gave up, unusable when its database is damaged. ``why`` is for the log:
    who asked, or how it is damaged.

    Written once by a handler or a signal and read by the conductor's waiting thread and by the
    worker actors, which must know whether to end their process or to leave it to the next
    conductor.
    """

    mode: str | None = None
    drain_seconds: float | None = None
    why: str = ""
    wake: Callable[[], None] = field(default=lambda: None, repr=False)

    def ask(self, mode: str, drain_seconds: float | None = None, why: str = "") -> None:
        """Asks the conductor's waiting thread to end it; a stronger wish replaces a weaker one.

        A tree that is gone can neither drain nor cancel: the order that is on disk is the next
        conductor's."""
        stronger = _STRONGER.get(self.mode or "", ())
        if self.mode is None or mode == "force" or mode in stronger:
            self.drain_seconds, self.why = drain_seconds, why
            self.mode = mode
            self.wake()

    @property
    def keeps_workers(self) -> bool:
        """Whether running sheets are to outlive this conductor."""
        return self.mode in (None, "restart", "failed", "unusable")


_STRONGER = {
    "drain": ("stop", "cancel", "failed", "unusable"),
    "cancel": ("failed", "unusable"),
}


@dataclass(slots=True)
class Context:
    """Shared by all actors of one conductor. Only ``stop``, ``config`` and ``origins`` ever change.

    A configuration is replaced as a whole, by :meth:`ManagerActor.apply_config`: who needs several
    values that belong together takes ``config`` once. ``config_path`` is the file that was named
    at the start, None if it is looked for. ``delivery`` counts notices that reach nobody.
    ``serving`` is set when the heart knows that we are ready: nobody is answered before.
    ``unreadable`` is why scores cannot be read at the moment, by the parser; None: they can.
    ``renews`` says whether a program that was replaced replaces this conductor, too.
    ``client`` is the process, by pid and start time, that a private conductor must not outlive.

    What is read without asking (``resources``, ``storage``, ``rate_limits``, ``learned``,
    ``start_delays``) has one writer each, the last one a writer for each job.

    ``owner`` is the marker of this home in the environment of every sheet; ``start_time`` is the
    conductor's own, in clock ticks since boot; ``started_at`` is in seconds since the epoch.
    ``host`` is the process that all this runs in. ``face`` is the documented manager, ``service``
    what its jobs have in common, ``bus`` who hears of events in this process. ``roster`` are the
    manager actor's live jobs and ``scheduling`` the scheduler's queue, of which others may read
    the numbers.
    ``executor`` is what runs the jobs' sheets: nobody else knows where, or in which processes.
    ``groups`` are the control groups of its jobs. ``losses`` counts the runners that were lost with
    their sheets; ``figures`` is what is counted for metrics. ``proof`` is what this conductor
    proves itself by to workers. ``unserved`` says by address why other machines are not served
    there. ``entries`` are, by job, for the first actors of those just let in.
    """

    system: System
    home: Home
    config: DaemonConfig
    owner: str
    start_time: int
    started_at: float
    stop: StopRequest
    resources: ResourceMonitor
    storage: Storage
    host: Host = field(default_factory=Guest)
    group: ProcessGroupManager = field(default_factory=ProcessGroupManager)
    face: JobManager = None  # type: ignore[assignment]  # one is made below
    roster: Roster | None = None
    scheduling: GlobalSheetScheduler | None = None
    service: JobService = field(default_factory=JobService)
    bus: EventBus = field(default_factory=EventBus)
    failures: FailureRate = field(default_factory=FailureRate)
    deaths: Deaths = field(default_factory=Deaths)
    rate_limits: RateLimitCoordinator = field(default_factory=RateLimitCoordinator)
    learned: LearningHub = field(default_factory=LearningHub)
    origins: Mapping[str, str] = field(default_factory=dict)
    config_path: Path | None = None
    places: Places | None = None
    heart_pid: int | None = None
    heart_lost: bool = False
    renews: bool = True
    client: tuple[int, int] | None = None
    proof: Proof = field(default_factory=Proof)
    serving: bool = False
    unreadable: str | None = None
    scores: ScoreCache = field(default_factory=ScoreCache)
    status_cache: StatusCache = field(default_factory=StatusCache)
    start_delays: StartDelays = field(default_factory=StartDelays)
    losses: Losses = field(default_factory=Losses)
    figures: Figures = field(default_factory=Figures)
    entries: dict[str, Entry] = field(default_factory=dict)
    groups: ControlGroups = NONE
    unserved: dict[str, str] = field(default_factory=dict)
    executor: Executor = None  # type: ignore[assignment]  # set by whoever makes this
    delivery: Delivery = field(init=False)
    backpressure: BackpressureController = field(init=False)

    def __post_init__(self) -> None:
        if self.face is None:
            self.face = JobManager(self.config, monitor=self.resources)
        self.face.bind(self)
        self.service.tell_too(StructuredOutput(event_bus=self.bus))
        self.service.on_limit(self._report_limit)
        self.delivery = self.service.delivery
        self.scores.settings = lambda: repr(self.score_settings)
        self.backpressure = BackpressureController(self.resources, self.rate_limits, self.learned)

    def _report_limit(self, key: str, seconds: float, job_id: str, num: int) -> None:
        self.rates.tell(ports.Rates.report, key, seconds, job_id, num)

    @property
    def trace_seed(self) -> str | None:
        """What the numbers of spans are made of; None: no collector is told."""
        if self.config.traces.endpoint is None:
            return None
        from marianne.trace_context import seed_of

        return seed_of(self.owner)

    @property
    def score_settings(self) -> ScoreSettings:
        """What is said to whoever reads a score."""
        from marianne.daemon.processes.score_settings import (
            score_settings,  # late: nobody serves before
        )

        return score_settings(self.config, self.groups.lacking)

    @property
    def identity(self) -> dict[str, Any]:
        """What a worker needs to know of this conductor, beside its pid, to watch it."""
        return {"start_time": self.start_time, "keeper": self.proof.keeper}

    def troubles(self) -> Troubles:
        """What is ok, or in words what is not. Asks nobody, reads nothing."""
        return {
            "storage": self.storage.words() or "ok",
            "starts": self.start_delays.words() or "ok",
            "metrics": self.figures.unserved or "ok",
            "listen": "; ".join(self.unserved.values()) or "ok",
            **self.executor.troubles(),
        }

    def hindrances(self) -> tuple[bool, Hindrances]:
        """Whether anything but load keeps jobs from being taken; and what it is judged by."""
        problem = self.storage.words()
        return bool(self.heart_lost or problem or self.unreadable), {
            "heart_lost": self.heart_lost,
            "storage": problem or "ok",
            "scores": self.unreadable or "ok",
        }

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
    def monitor(self) -> Handle[MonitorActor]:
        """The resource monitor."""
        return self._named("monitor")

    @property
    def rates(self) -> Handle[RatesActor]:
        """The rate limits in force."""
        return self._named("rates")

    @property
    def learning(self) -> Handle[LearningActor]:
        """Who learns from how jobs end."""
        return self._named("learning")

    @property
    def parser(self) -> Handle[Parser]:
        """The reader of scores."""
        return self._named("parser")

    @property
    def scheduler(self) -> Handle[SchedulerActor]:
        """The scheduler that grants sheets."""
        return self._named("scheduler")

    @property
    def jobs(self) -> Handle[Jobs]:
        """The supervisor of the admitted jobs."""
        return self._named("jobs")

    @property
    def health(self) -> Handle[HealthActor]:
        """The liveness and readiness probes."""
        return self._named("health")

    @property
    def retention(self) -> Handle[Retention]:
        """Who forgets the past."""
        return self._named("retention")

    @property
    def notifications(self) -> Handle[Notifications]:
        """Who tells people."""
        return self._named("notifications")

    @property
    def metrics(self) -> Handle[Serving]:
        """Who has the figures served."""
        return self._named("metrics")

    @property
    def machine(self) -> Handle[Machine]:
        """Who looks after what people are told of the machine."""
        return self._named("machine")

    @property
    def traces(self) -> Handle[Serving]:
        """Who has a collector told."""
        return self._named("traces")

    @property
    def pages(self) -> Handle[Serving]:
        """Who has the pages of ``marianne web`` served."""
        return self._named("web")

    @property
    def manager(self) -> Handle[ManagerActor]:
        """The job manager."""
        return self._named("manager")

    @property
    def schedules(self) -> Handle[SchedulesActor]:
        """Who makes jobs by the clock."""
        return self._named("schedules")

    @property
    def server(self) -> Handle[Server]:
        """Who answers clients."""
        return self._named("server")

    def job(self, job_id: str) -> Handle[Job]:
        """The state machine of an admitted job."""
        return self._named(f"job:{job_id}/job")

    def worker(self, job_id: str) -> Handle[Any]:
        """Who runs an admitted job's sheets: the executor's Runner."""
        return self._named(f"job:{job_id}/worker")
