"""The ways to stop, up to where the tree ends: the order on disk, draining, cancelling.

All but the taking of an order runs in the thread that hears what comes meanwhile: a drain may
last for minutes, and a stop or a second wish must not wait for it.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from actors import Future
from marianne.daemon.job import endings
from marianne.daemon.job.catch_up import catch_up
from marianne.daemon.job.machine import JobMachine
from marianne.daemon.jobs.actor import ManagerActor
from marianne.daemon.services.stopping import drain_limit
from marianne.daemon.shared.log import get_logger
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.views import queries
from marianne.daemon.worker.executor import spooled
from marianne.records import dataclass
from marianne.run import stop_order
from marianne.schedule.waits import NOTHING, OPTION
from marianne.state.changes import Change, UpdateJob
from marianne.state.database import Database
from marianne.state.errors import StateError
from marianne.state.models import JobStatus, SheetStatus
from marianne.state.reader import Reader

if TYPE_CHECKING:
    from marianne.daemon.context import Context
    from marianne.home import Home

log = get_logger(__name__)

FAILING_DISK_SECONDS = 5.0
"""Beyond the sheets' grace, how long a cancelling waits for a disk that fails."""

LOOK_EVERY = 1.0
"""Seconds between looks at the disk, meanwhile."""

ASK_AGAIN = 0.2
"""Seconds until a manager that died, or a job that has not said yet what runs, is asked again."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A sheet that ran when its drain was cut short; number 0 is the command of a hook."""

    job_id: str
    num: int
    name: str


# -- the order -------------------------------------------------------------------------------------


def take_order(home: Home, heart_pid: int | None) -> stop_order.StopOrder | None:
    """What an earlier conductor was told and did not live to do; None if that is nothing.

    Jobs that are to be cancelled are cancelled here, before any of them starts. For the lock's
    holder, before the tree. What a restart finds: the same order, and cancels what is left.
    """
    order = stop_order.read(home.path)
    if order is None:
        return None
    if order.mode == "cancel":
        _cancel_all(home)
    if order.mode in stop_order.RANK and order.heart == stop_order.mark_of(heart_pid) != "":
        return order
    stop_order.withdraw(home.path)
    return None


def close_order(home: Home, *, drained: bool, cancelled: bool, left: list[Interrupted]) -> None:
    """The order is carried out: takes it away, or says what a drain interrupted.

    A cancelling that came too late for this conductor stays for the next one.
    """
    try:
        order = stop_order.read(home.path)
        if order is not None and order.mode == "cancel" and not cancelled:
            return
        if drained:
            stop_order.finish(home.path, [f"{one.job_id} {one.num} {one.name}" for one in left])
        else:
            stop_order.withdraw(home.path)
    except OSError as error:
        log.warning("order_not_closed", error=str(error))


def _cancel_all(home: Home) -> None:
    with Database(home.db) as database, Reader(home.db) as reader:
        changes: list[Change] = []
        for job in reader.live_jobs():
            now = time.time()
            try:
                plan = queries.plan_of(reader, job.job_id)
            except Refused:
                changes += endings.close_row(job.job_id, JobStatus.CANCELLED, now)
                continue
            rows = {row.num: row for row in reader.sheets(job.job_id)}
            machine = JobMachine(plan, job, rows, random.random)
            changes += catch_up(machine, spooled(home.job_dir(job.job_id)), now).changes
            changes += machine.cancel(now).changes
            if OPTION in job.options:  # who lets it go on wants it to begin
                left = NOTHING.into(job.options)
                changes.append(UpdateJob(job.job_id, {"options": left}))
        if changes:
            database.write(changes)


# -- winding down ----------------------------------------------------------------------------------


def wind_down(context: Context, reap: Callable[[], object]) -> bool:
    """Drains or cancels, as it was asked; whether that came to its end.

    It does not when the time is up, or when a stronger wish comes. ``reap`` is called for each
    child that ended.
    """
    while (mode := context.stop.mode) in ("drain", "cancel"):
        begun = time.monotonic()
        deadline = begun + drain_limit(context, context.stop.drain_seconds)
        if _pursue(context, mode, begun, deadline, reap):
            return True
        if context.stop.mode == mode:
            log.error("jobs_not_finished", mode=mode)
            return False
    return False


def _pursue(
    context: Context, mode: str, begun: float, deadline: float, reap: Callable[[], object]
) -> bool:
    patience = context.config.sheet_grace_seconds + FAILING_DISK_SECONDS
    asked = _ask(context, mode)
    ask_at: float | None = None
    while context.stop.mode == mode:
        now = time.monotonic()
        if now >= deadline:
            return False
        failing = mode == "cancel" and context.storage.words() is not None
        if failing and now >= begun + patience:
            return False  # nothing can be committed; the order stays
        if asked.done and ask_at is None:
            if asked.outcome().ok and (mode == "cancel" or not running_sheets(context.home)):
                return True
            ask_at = now + ASK_AGAIN
        if ask_at is not None and now >= ask_at:
            asked, ask_at = _ask(context, mode), None
        until = deadline if ask_at is None else min(deadline, ask_at)
        _hear(context, max(0.0, min(until - now, LOOK_EVERY)), reap)
    return False


def _ask(context: Context, mode: str) -> Future[Any]:
    manager = context.manager.within(None)
    asked: Future[Any] = manager.call(ManagerActor.shutdown, mode == "drain")
    asked.on_done(lambda _: context.host.wake())
    return asked


def _hear(context: Context, seconds: float, reap: Callable[[], object]) -> None:
    got = context.host.hear(seconds)
    if got == signal.SIGCHLD:
        reap()
    elif got in (signal.SIGTERM, signal.SIGINT):
        context.stop.mode = "stop" if context.stop.mode == "drain" else "force"


# -- what was interrupted --------------------------------------------------------------------------


def running(context: Context) -> list[Interrupted]:
    """The sheets that run, by what is on disk, and the commands of hooks."""
    roster = context.roster
    hooks = sorted(roster.hooks_run) if roster is not None else []  # at once: others go on
    return running_sheets(context.home) + [Interrupted(job_id, 0, "") for job_id in hooks]


def running_sheets(home: Home) -> list[Interrupted]:
    """The sheets that run, by what is on disk."""
    found: list[Interrupted] = []
    try:
        with Reader(home.db) as reader:
            if not reader.running_sheets():
                return []
            for job in reader.live_jobs():
                rows = reader.sheets(job.job_id)
                nums = [row.num for row in rows if row.status is SheetStatus.RUNNING]
                plan = queries.plan_of(reader, job.job_id) if nums else None
                for num in nums:
                    name = plan.sheets[num - 1].name if plan is not None else ""
                    found.append(Interrupted(job.job_id, num, name))
    except (StateError, Refused) as error:
        log.warning("running_sheets_not_known", error=str(error))
    return found


def not_ended(home: Home, sheets: list[Interrupted]) -> list[Interrupted]:
    """Those of ``sheets`` that have come to no end of their own by now."""
    try:
        with Reader(home.db) as reader:
            return [
                one
                for one in sheets
                if not any(r.status.terminal for r in reader.sheets(one.job_id, one.num, one.num))
            ]
    except StateError as error:
        log.warning("ended_sheets_not_known", error=str(error))
        return sheets
