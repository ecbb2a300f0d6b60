"""A bound on how long the worker computes for one sheet while all others wait for it.

A template or a pattern comes from a score or a profile and may have no end. The worker has one
thread, so one of these would keep it from every other sheet, from every time limit and from the
conductor. What is bounded is computing time, which a busy machine does not use up.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SECONDS = 5.0
"""For a prompt, a condition, or the reading of an output."""


class TimeUp(BaseException):
    """No Exception: what runs under the limit may catch those and go on."""


def _time_up(_signum: int, _frame: FrameType | None) -> None:
    raise TimeUp


@contextmanager
def time_limit(seconds: float | None = None) -> Iterator[None]:
    """Raises TimeUp in the body when it has computed for so long (user and system time; None:
    ``SECONDS``).

    For the main thread. The engines of patterns and templates look for signals while they work; the
    signal comes again each second, for where the first one is swallowed (in a finalizer).
    """
    before = signal.signal(signal.SIGPROF, _time_up)
    try:
        signal.setitimer(signal.ITIMER_PROF, SECONDS if seconds is None else seconds, 1.0)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    finally:
        signal.signal(signal.SIGPROF, before)
