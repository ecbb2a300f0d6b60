"""Starts that this machine does not allow just now: they are tried again later, with a reason.

Our own trouble is never a job's failure. Whoever starts something for a job (admission its actors,
the worker's actor its process) and meets a :func:`passing` failure notes it here, sends itself the
next try after the seconds that :meth:`StartDelays.note` returns, and says :meth:`StartDelays.over`
once it has started. ``explain`` and ``health`` read why.

A restart finds nothing here: it starts the job anew, and notes what it meets.
"""

from __future__ import annotations

import errno
import math
import sqlite3
import time
from typing import TYPE_CHECKING

from actors import ActorDied, ActorError, Backoff, ChildError, StartError
from ipc.errors import RETRYABLE
from marianne.daemon.shared.refusal import Refused
from marianne.records import dataclass
from marianne.state.errors import DatabaseCorrupt, StoreError

if TYPE_CHECKING:
    from actors import ExitReason

BACKOFF = Backoff(min=0.1, max=15.0)
"""The first try follows at once: most of what passes is a name that is just being given back."""

PASSING = frozenset(
    {
        errno.EAGAIN,
        errno.EINTR,
        errno.ENOMEM,
        errno.ENFILE,
        errno.EMFILE,
        errno.ENOBUFS,
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EIO,
        errno.EROFS,
        errno.EBUSY,
        errno.ETIMEDOUT,
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EPIPE,
    }
)
"""What the machine, its disk or our forkserver answers that it may not answer later."""

ALWAYS_PASSING = (
    ActorError,
    ConnectionError,
    DatabaseCorrupt,  # a read error may look so; whoever writes ends the conductor if it is true
    EOFError,
    MemoryError,
    StoreError,
    TimeoutError,
    sqlite3.OperationalError,
)

NO_START = ("no thread", "no start within", "the system shuts down")
"""What ``actors`` says of a start for which it was the machine that had nothing left."""


@dataclass(frozen=True, slots=True)
class Delay:
    """Why a job's start waits. ``next_try`` is in seconds of the monotonic clock."""

    why: str
    tries: int
    next_try: float


class StartDelays:
    """By job; each entry has one writer, anybody may read."""

    def __init__(self) -> None:
        self._known: dict[str, Delay] = {}

    def note(self, job_id: str, why: str) -> float:
        """A start failed in passing; the seconds until the next try."""
        known = self._known.get(job_id)
        tries = known.tries + 1 if known is not None else 1
        seconds = BACKOFF.delay(tries - 1, job_id)
        self._known[job_id] = Delay(why, tries, time.monotonic() + seconds)
        return seconds

    def over(self, job_id: str) -> None:
        """It has started, or need not any more."""
        self._known.pop(job_id, None)

    def of(self, job_id: str) -> Delay | None:
        """What keeps this job from being started now."""
        return self._known.get(job_id)

    def __len__(self) -> int:
        return len(self._known)

    def words(self) -> str | None:
        """One sentence for all that wait; None while nobody does."""
        known = list(self._known.items())
        if not known:
            return None
        job_id, first = known[0]
        others = f" (and {len(known) - 1} more)" if len(known) > 1 else ""
        return f"job {job_id}{others} cannot be started just now: {first.why}"


def in_words(delay: Delay, now: float) -> str:
    """For a person, at ``now`` of the monotonic clock."""
    seconds = max(0, math.ceil(delay.next_try - now))
    tries = f"{delay.tries} tr{'y' if delay.tries == 1 else 'ies'}"
    return f"it cannot be started just now ({delay.why}); the next try is in {seconds} s, {tries}"


def passing(error: BaseException | None) -> bool:
    """Whether a failure is the machine's or our own actors', and not the job's."""
    if isinstance(error, StartError):
        return passing_reason(error.reason)
    if isinstance(error, ActorDied):
        return passing_reason(error.reason) or error.reason.kind != "error"
    if isinstance(error, ChildError):
        return error.code == "already_started"
    if isinstance(error, Refused):
        return error.code in RETRYABLE
    if isinstance(error, ALWAYS_PASSING):
        return True
    if isinstance(error, OSError):
        return error.errno in PASSING
    return isinstance(error, RuntimeError) and "can't start new thread" in str(error)


def passing_reason(reason: ExitReason) -> bool:
    """The same of the end of an actor, or of the supervisor that gave it up."""
    if reason.error is not None:
        return passing(reason.error)
    return reason.detail.startswith(NO_START)
