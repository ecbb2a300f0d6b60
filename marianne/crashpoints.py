"""Named points at which a process of ours can be made to die, to prove what comes after.

Off unless ``MARIANNE_CRASH_POINTS`` names a directory, and then a point costs a call that does
nothing. While it is on, a file with a point's name in that directory is an order: the first
process to pass the point takes the file away (it becomes ``NAME.hit``) and kills itself. So a
campaign chooses the next death while everything runs, and sees when it has happened.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

VARIABLE = "MARIANNE_CRASH_POINTS"

POINTS = (
    "store.before-commit",
    "store.after-commit",
    "events.before-publish",
    "events.after-publish",
    "reply.before-send",
    "reply.after-send",
    "worker.before-record",
    "link.before-send",
    "link.after-send",
    "spool.before-write",
    "spool.after-write",
)
"""All points of a job's way. Those of the spool are the worker's, the others the conductor's."""

SCHEDULE_POINTS = (
    "schedule.before-take",
    "schedule.after-take",
    "schedule.before-fire",
    "schedule.after-fire",
)
"""Those of a schedule's slot: it is decided, then its job is made."""

FOLLOWER_POINTS = ("follower.before-keep", "follower.after-keep", "follower.before-cancel")
"""Those of a job that waits for others: it is let go, or cancelled."""

_orders = os.environ.get(VARIABLE)


def _passed(name: str) -> None:
    try:
        os.rename(f"{_orders}/{name}", f"{_orders}/{name}.hit")
    except OSError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def _off(name: str) -> None:
    pass


crash_point: Callable[[str], None] = _passed if _orders else _off
