"""What the log says of a conductor: that it began and with what, why it ends, what crashed."""

from __future__ import annotations

import os
import time

from actors import SystemEvent
from marianne.daemon.context import Context
from marianne.daemon.services.store import Store
from marianne.daemon.shared.log import get_logger
from marianne.state.changes import AddEvent
from marianne.state.errors import DatabaseCorrupt
from marianne.version import VERSION

log = get_logger(__name__)

_TOLD = {
    "crashed": "actor.crashed",
    "restarted": "actor.restarted",
    "gave_up": "actor.gave_up",
}


def started(context: Context) -> None:
    """Its tree runs. ``config`` is the file that was read, None where all are defaults."""
    config = context.config
    log.info(
        "conductor_started",
        version=VERSION,
        pid=os.getpid(),
        home=str(context.home.path),
        config=str(config.config_file) if config.config_file else None,
        max_concurrent_jobs=config.max_concurrent_jobs,
        max_concurrent_sheets=config.max_concurrent_sheets,
        max_concurrent_agents=config.max_concurrent_agents,
        max_memory_mb=config.resource_limits.max_memory_mb,
    )


def stopping(context: Context) -> None:
    """It is to end: in which way, and who wanted it."""
    log.info("conductor_stopping", mode=context.stop.mode, why=context.stop.why)


def stopped(context: Context) -> None:
    """Its tree has ended. ``up`` is in seconds."""
    up = round(time.time() - context.started_at, 3)
    log.info("conductor_stopped", mode=context.stop.mode, pid=os.getpid(), up=up)


def of_the_tree(event: SystemEvent, context: Context) -> None:
    """Logs what happens in the tree, and tells clients; ends the conductor with its root."""
    told = _TOLD.get(event.kind)
    if event.kind == "crashed":
        log.error("actor_crashed", name=event.name, error=event.error, traceback=event.traceback)
        if DatabaseCorrupt.__name__ in event.error:  # a crash is told as text
            context.stop.ask("unusable", why=event.error)
            return
    elif told:
        log.warning(told.replace(".", "_"), name=event.name, detail=event.error or event.detail)
    if event.kind == "restarted":
        context.figures.restarted(event.name)
    if told:
        data = {"name": event.name, "error": event.error or event.detail}
        event_row = AddEvent(None, None, told, data, time.time())
        context.store.tell(Store.write, [event_row], kept=False)
    if event.name == "root" and event.kind in ("gave_up", "crashed"):
        context.stop.ask("failed", why="its tree gave up")
