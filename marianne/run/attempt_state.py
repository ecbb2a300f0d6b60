"""Where an attempt stands; how it gets from one to the other is in attempt.py."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where an attempt stands."""

    QUEUED = "queued"
    STAGING = "staging"
    SKIPPING = "skipping"
    RUNNING = "running"
    CHECKING = "checking"
    ENDING = "ending"
    DONE = "done"
