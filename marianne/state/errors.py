"""What can go wrong with the state, by whose fault it is and what to do next."""

# ruff: noqa: N818 - the names say what happened, as in "except StoreFull"

from __future__ import annotations


class StateError(Exception):
    """Base of all errors of the state."""


class DatabaseCorrupt(StateError):
    """The database file is damaged. Nothing is written to it; the message says what to do."""


class DatabaseTooNew(StateError):
    """A newer Marianne wrote this database. Install that version again, or move the file away."""


class StoreError(StateError):
    """The disk failed a write or a read. Nothing of the transaction counts; try again later."""


class StoreFull(StoreError):
    """The disk is full. Nothing of the transaction counts; it works again once there is space."""


class Refused(StateError):
    """The change itself is wrong: its batch is undone alone, other callers' batches are not."""


class NoSuchJob(Refused):
    """No job has this id (or this prefix)."""


class AmbiguousJob(Refused):
    """A prefix fits several jobs; ``candidates`` are some of their ids."""

    def __init__(self, prefix: str, candidates: list[str]) -> None:
        super().__init__(f"{prefix!r} fits several jobs: {', '.join(candidates)}")
        self.candidates = candidates


class JobExists(Refused):
    """The id is or was in use; ids are never used again."""


class JobLive(Refused):
    """The job is not in a final state, so its history stays."""


class NoSuchSchedule(Refused):
    """No schedule has this name (any more)."""


class ScheduleExists(Refused):
    """A schedule has this name already."""


class SlotGone(Refused):
    """No job is to be made for this slot: it has one, or was given up."""


class DuplicateAttempt(Refused):
    """This attempt already has its result: the first one counts."""


class DuplicateRequest(Refused):
    """This request was already carried out: answer with the reply that was kept."""


class OtherRequest(Refused):
    """The id was used by a request that asked for something else: ids are used once."""


class IllegalTransition(Refused):
    """A status cannot follow that other one: a bug of the caller."""

    def __init__(self, kind: str, old: str, new: str, hint: str = "") -> None:
        super().__init__(f"a {kind} cannot go from {old} to {new}{hint}")
        self.kind = kind
        self.old = old
        self.new = new
