"""A job that is made by a schedule, on its way through the submission."""

from __future__ import annotations

from marianne.records import dataclass


@dataclass(frozen=True, slots=True)
class Fired:
    """The job is the one of this slot (seconds since the epoch) of the schedule; None: of a run
    that a person asked for."""

    schedule: str
    slot: float | None
