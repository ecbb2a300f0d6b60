"""The one table of legal transitions of job and sheet, and the one way to make one.

Staying is always legal: a row is saved again for another field's sake. Leaving a final state is
legal only when a person asked for it (retry, resume, recover, modify), which the tables of
``*_ASKED`` name: a completed sheet never runs again by itself. Who holds a row moves it here, and
the store checks every write once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Protocol, overload

from marianne.state.errors import IllegalTransition
from marianne.state.models import JobStatus, SheetStatus

J = JobStatus
S = SheetStatus

JOB: Mapping[JobStatus, frozenset[JobStatus]] = {
    # Queued or pending jobs are rows, not actors, so pause and cancel take effect at once.
    # Cancelling is then passed through in one step: nothing of it runs.
    J.QUEUED: frozenset({J.PENDING, J.RUNNING, J.PAUSED, J.FAILED, J.CANCELLING, J.CANCELLED}),
    J.PENDING: frozenset({J.QUEUED, J.RUNNING, J.PAUSED, J.FAILED, J.CANCELLING, J.CANCELLED}),
    # To queued: a conductor that starts admits its running jobs again, in order.
    J.RUNNING: frozenset(
        {J.QUEUED, J.PAUSING, J.PAUSED, J.COMPLETED, J.FAILED, J.CANCELLING, J.CANCELLED}
    ),
    # To running: resumed before the last sheet ended.
    J.PAUSING: frozenset({J.RUNNING, J.PAUSED, J.COMPLETED, J.FAILED, J.CANCELLING, J.CANCELLED}),
    # To completed or failed: recover found that nothing is left to run.
    J.PAUSED: frozenset(
        {J.QUEUED, J.PENDING, J.RUNNING, J.COMPLETED, J.FAILED, J.CANCELLING, J.CANCELLED}
    ),
    # To completed or failed: the last sheet ended before the cancel reached it.
    J.CANCELLING: frozenset({J.COMPLETED, J.FAILED, J.CANCELLED}),
    J.COMPLETED: frozenset(),
    J.FAILED: frozenset(),
    J.CANCELLED: frozenset(),
}

JOB_ASKED: Mapping[JobStatus, frozenset[JobStatus]] = {
    # To failed: a hook of it failed, and its author wants that to count. To paused: the author
    # wants a person to agree to the job that follows.
    J.COMPLETED: frozenset({J.QUEUED, J.PENDING, J.RUNNING, J.PAUSED, J.FAILED}),
    # To completed: recover marked every failed sheet as done.
    J.FAILED: frozenset({J.QUEUED, J.PENDING, J.RUNNING, J.PAUSED, J.COMPLETED}),
    J.CANCELLED: frozenset({J.QUEUED, J.PENDING, J.RUNNING, J.PAUSED}),
}

SHEET: Mapping[SheetStatus, frozenset[SheetStatus]] = {
    S.PENDING: frozenset(
        {S.READY, S.RUNNING, S.WAITING, S.COMPLETED, S.FAILED, S.SKIPPED, S.CANCELLED}
    ),
    S.READY: frozenset(
        {S.PENDING, S.RUNNING, S.WAITING, S.COMPLETED, S.FAILED, S.SKIPPED, S.CANCELLED}
    ),
    # To pending or ready: interrupted, which uses up no retry.
    S.RUNNING: frozenset(
        {S.PENDING, S.READY, S.WAITING, S.COMPLETED, S.FAILED, S.SKIPPED, S.CANCELLED}
    ),
    S.WAITING: frozenset(
        {S.PENDING, S.READY, S.RUNNING, S.COMPLETED, S.FAILED, S.SKIPPED, S.CANCELLED}
    ),
    S.COMPLETED: frozenset(),
    S.FAILED: frozenset(),
    S.SKIPPED: frozenset(),
    S.CANCELLED: frozenset(),
}

SHEET_ASKED: Mapping[SheetStatus, frozenset[SheetStatus]] = {
    S.COMPLETED: frozenset({S.PENDING, S.READY}),
    # To completed: recover found its work in the workspace.
    S.FAILED: frozenset({S.PENDING, S.READY, S.COMPLETED}),
    S.SKIPPED: frozenset({S.PENDING, S.READY}),
    S.CANCELLED: frozenset({S.PENDING, S.READY}),
}


def allowed(old: StrEnum, new: StrEnum, *, asked: bool = False) -> bool:
    """Whether ``new`` may follow ``old``; both are statuses of one kind."""
    if old is new:
        return True
    if isinstance(old, JobStatus):
        return new in JOB[old] or (asked and new in JOB_ASKED.get(old, ()))
    if isinstance(old, SheetStatus):
        return new in SHEET[old] or (asked and new in SHEET_ASKED.get(old, ()))
    raise TypeError(f"{old!r} is no status")


def check(old: StrEnum, new: StrEnum, *, asked: bool = False) -> None:
    """Raises IllegalTransition unless ``new`` may follow ``old``.

    ``asked`` says that a person asked for it, which alone brings final states back to life.
    """
    if not allowed(old, new, asked=asked):
        hint = " unless a person asked for it (asked=True)" if allowed(old, new, asked=True) else ""
        raise IllegalTransition(_KIND[type(old)], old, new, hint)


class _Job(Protocol):
    status: JobStatus


class _Sheet(Protocol):
    status: SheetStatus


@overload
def move(row: _Job, status: JobStatus, *, asked: bool = False) -> None: ...
@overload
def move(row: _Sheet, status: SheetStatus, *, asked: bool = False) -> None: ...
def move(row: Any, status: StrEnum, *, asked: bool = False) -> None:
    """Gives a row its next status; no other code assigns one. As :func:`check`, which it raises."""
    check(row.status, status, asked=asked)
    row.status = status


_KIND = {JobStatus: "job", SheetStatus: "sheet"}
