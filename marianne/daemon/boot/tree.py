"""The conductor's supervision tree: who is started, in which order, and who goes down with whom.

docs/architecture.md has the picture. rest_for_one: what stands above a crashed part (later in the
list) stands on its state and is restarted with it; what stands below goes on.
"""

from __future__ import annotations

from actors import ActorRef, ChildSpec, Supervisor
from marianne.daemon.api.server import Server
from marianne.daemon.context import Context
from marianne.daemon.job.supervisor import Jobs
from marianne.daemon.jobs.actor import ManagerActor
from marianne.daemon.schedules.actor import SchedulesActor
from marianne.daemon.services.events import Events
from marianne.daemon.services.health import HealthActor
from marianne.daemon.services.learning import LearningActor
from marianne.daemon.services.machine import Machine
from marianne.daemon.services.metrics import Metrics
from marianne.daemon.services.monitor import MonitorActor
from marianne.daemon.services.notifications import Notifications
from marianne.daemon.services.pages import Pages
from marianne.daemon.services.parser import Parser
from marianne.daemon.services.rates import RatesActor
from marianne.daemon.services.renewal import Renewal
from marianne.daemon.services.retention import Retention
from marianne.daemon.services.scheduler import SchedulerActor
from marianne.daemon.services.serving import Serving
from marianne.daemon.services.store import Store
from marianne.daemon.services.traces import Traces

ROOT_INTENSITY = 10
ROOT_PERIOD = 30.0


def services(context: Context) -> list[ChildSpec]:
    """Parts that nobody's state depends on: each is restarted alone."""
    given = (context,)
    return [
        ChildSpec(id="events", cls=Events, args=given),
        ChildSpec(id="monitor", cls=MonitorActor, args=given),
        ChildSpec(id="rates", cls=RatesActor, args=given),
        ChildSpec(id="learning", cls=LearningActor, args=given),
        ChildSpec(id="parser", cls=Parser, args=given),
        ChildSpec(id="health", cls=HealthActor, args=given),
        ChildSpec(id="notifications", cls=Notifications, args=given),
        ChildSpec(id="machine", cls=Machine, args=given),
        ChildSpec(id="metrics", cls=Serving, args=(context, Metrics)),
        ChildSpec(id="traces", cls=Serving, args=(context, Traces)),
        ChildSpec(id="web", cls=Serving, args=(context, Pages)),
        ChildSpec(id="renewal", cls=Renewal, args=given),
        ChildSpec(id="retention", cls=Retention, args=given),
        ChildSpec(id="schedules", cls=SchedulesActor, args=given),
        *context.executor.services(),
    ]


def children(context: Context) -> list[ChildSpec]:
    """The children of the root, in start order."""
    given = (context,)
    return [
        ChildSpec(id="store", cls=Store, args=given, shutdown=30.0),
        ChildSpec(
            id="services",
            cls=Supervisor,
            kwargs={
                "strategy": "one_for_one",
                "intensity": ROOT_INTENSITY,
                "period": ROOT_PERIOD,
                "children": services(context),
            },
        ),
        ChildSpec(id="scheduler", cls=SchedulerActor, args=given),
        ChildSpec(id="jobs", cls=Jobs),
        ChildSpec(id="manager", cls=ManagerActor, args=given),
        ChildSpec(id="server", cls=Server, args=given),
    ]


def start(context: Context) -> ActorRef[Supervisor]:
    """Starts the whole tree; raises the first child's start error with its cause."""
    return context.system.spawn(
        Supervisor,
        strategy="rest_for_one",
        intensity=ROOT_INTENSITY,
        period=ROOT_PERIOD,
        children=children(context),
        name="root",
    )
