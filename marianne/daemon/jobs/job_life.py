"""What there is of a job's actors, between its row and its running state machine. Pure.

    AT_REST ─► ENTERING ─► STARTING ─► UP ─► AT_REST
                              ▲  │      │
                              │  ▼      ▼
                             DELAYED ◄──┘     STARTING, DELAYED, UP ─► ENDING ─► AT_REST

A job that is not at rest holds one of the ``max_concurrent_jobs`` places. It is let in once, from
one state; what comes twice, or late, finds no move and means nothing. A place is given back when
the names of the job's actors are: at the notice of their end, never before.
"""

from __future__ import annotations

from enum import StrEnum


class Life(StrEnum):
    """Where a job that is not over stands."""

    AT_REST = "at rest"
    """A row and nothing else: it waits, is paused, or what follows it runs."""

    ENTERING = "entering"
    """It has a place; that it was let in is on its way to the disk."""

    STARTING = "starting"
    """Its supervisor is being started."""

    DELAYED = "delayed"
    """That could not be done just now; a timer tries again (see ``start_delays``)."""

    UP = "up"
    """Its supervisor lives, and is watched."""

    ENDING = "ending"
    """Its actors are given up, or it is cancelled without them: what they left is being ended."""


class Happens(StrEnum):
    """What moves it."""

    ADMIT = "admit"
    COMMITTED = "committed"
    FOUND = "found"
    """A restart of the manager finds it admitted on disk, without a supervisor."""
    FOUND_UP = "found up"
    STARTED = "started"
    PUT_OFF = "put off"
    TRY = "try"
    DOWN = "down"
    """Its supervisor ended though the job has not: it is to be started again."""
    GIVE_UP = "give up"
    LEAVE = "leave"
    """Its supervisor is gone, and the job is over or paused."""


_MOVES: dict[tuple[Life, Happens], Life] = {
    (Life.AT_REST, Happens.ADMIT): Life.ENTERING,
    (Life.AT_REST, Happens.FOUND): Life.STARTING,
    (Life.AT_REST, Happens.FOUND_UP): Life.UP,
    (Life.ENTERING, Happens.COMMITTED): Life.STARTING,
    (Life.STARTING, Happens.STARTED): Life.UP,
    (Life.STARTING, Happens.PUT_OFF): Life.DELAYED,
    (Life.STARTING, Happens.GIVE_UP): Life.ENDING,
    (Life.DELAYED, Happens.TRY): Life.STARTING,
    (Life.DELAYED, Happens.GIVE_UP): Life.ENDING,
    (Life.UP, Happens.DOWN): Life.STARTING,
    (Life.UP, Happens.PUT_OFF): Life.DELAYED,
    (Life.UP, Happens.GIVE_UP): Life.ENDING,
    (Life.UP, Happens.LEAVE): Life.AT_REST,
    (Life.ENDING, Happens.LEAVE): Life.AT_REST,
}


def after(life: Life, what: Happens) -> Life | None:
    """Where it stands then; None if that means nothing where it stands now."""
    return _MOVES.get((life, what))
