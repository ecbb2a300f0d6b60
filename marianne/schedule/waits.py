"""What a job waits for before it may begin: the ends of other jobs, and a time. Pure.

Kept in the job's options under ``waits_for``; a job without that waits for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from marianne.records import dataclass

OPTION = "waits_for"

AFTER, AT = "after", "at"
"""Why a job is queued that waits for others, or for its time; and why one was cancelled."""

LONGEST_SLEEP = 60.0
"""Seconds until another look at the clock at most: it may be set."""


@dataclass(frozen=True, slots=True)
class Waits:
    """``jobs`` are those whose end it waits for, each with whether any end will do; else it must be
    completed. ``at`` is in seconds since the epoch."""

    jobs: tuple[tuple[str, bool], ...] = ()
    at: float | None = None

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Waits:
        """Of a job's options."""
        kept = options.get(OPTION) or {}
        jobs = tuple((str(job_id), bool(any_end)) for job_id, any_end in kept.get("jobs") or ())
        return cls(jobs, kept.get("at"))

    def into(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options with this in the place of what they had."""
        left = {name: value for name, value in options.items() if name != OPTION}
        return {**left, OPTION: {"jobs": self.jobs, "at": self.at}} if self else left

    def __bool__(self) -> bool:
        """Whether anything is waited for."""
        return bool(self.jobs) or self.at is not None

    @property
    def reason(self) -> str | None:
        """In a word why the job is queued."""
        return AFTER if self.jobs else AT if self.at is not None else None


NOTHING = Waits()


@dataclass(frozen=True, slots=True)
class Found:
    """``left`` is what is still waited for. ``spoiled`` is a job that ended otherwise than it had
    to, and how: then nothing can come of the wait."""

    left: Waits
    spoiled: tuple[str, str] | None = None


def look(waits: Waits, end_of: Callable[[str], str | None], now: float) -> Found:
    """What has come by now. ``end_of`` says how a job ended, None while it is not over."""
    left = []
    for job_id, any_end in waits.jobs:
        end = end_of(job_id)
        if end is None:
            left.append((job_id, any_end))
        elif end != "completed" and not any_end:
            return Found(waits, (job_id, end))
    due = waits.at is None or waits.at <= now
    return Found(Waits(tuple(left), None if due else waits.at))


def sleep(waits: Waits, now: float) -> float | None:
    """Seconds until the clock has to be looked at again; None if no time is waited for."""
    return None if waits.at is None else min(max(waits.at - now, 0.0), LONGEST_SLEEP)
