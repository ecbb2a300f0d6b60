"""Putting another configuration in force while the conductor runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marianne.daemon.context import Context
from marianne.daemon.job.actor import Job
from marianne.daemon.jobs.roster import Roster
from marianne.daemon.services.health import HealthActor
from marianne.daemon.services.monitor import MonitorActor
from marianne.daemon.services.scheduler import SchedulerActor
from marianne.daemon.services.serving import Serving
from marianne.daemon.shared.log import set_level

if TYPE_CHECKING:
    from marianne.daemon.config import DaemonConfig


def put_in_force(context: Context, config: DaemonConfig, roster: Roster) -> None:
    """Tells whoever keeps something of it; the others read it when they need it."""
    context.config = context.face.config = config
    context.learned.enabled = config.learning.enabled
    context.monitor.tell(MonitorActor.update_limits, config.resource_limits)
    context.health.tell(HealthActor.start_periodic_checks)
    set_level(config.log_level)
    context.metrics.tell(Serving.apply)
    context.traces.tell(Serving.apply)
    context.pages.tell(Serving.apply)
    context.scheduler.tell(SchedulerActor.set_limits, config)
    for live in roster.running():
        context.job(live.row.job_id).tell(Job.look_at_clock)
