"""What is tried again later, and what is a job's own failure."""

from __future__ import annotations

import errno
import itertools
import sqlite3

import pytest

from actors import ActorDied, AskTimeout, ChildError, NoSuchActor, StartError
from actors.reasons import SHUTDOWN, ExitReason, crash, gave_up
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.shared.start_delays import (
    BACKOFF,
    StartDelays,
    in_words,
    passing,
    passing_reason,
)
from marianne.state.errors import DatabaseCorrupt, StoreFull


def nested(error: BaseException) -> StartError:
    """As a supervisor says it whose child did not start."""
    return StartError("job:a", crash(StartError("job:a/worker", crash(error))))


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EAGAIN, "fork"),
        OSError(errno.EMFILE, "too many open files"),
        ConnectionRefusedError(),
        EOFError(),
        TimeoutError("slow"),
        sqlite3.OperationalError("unable to open database file"),
        MemoryError(),
        RuntimeError("can't start new thread"),
        StoreFull("full"),
        DatabaseCorrupt("a read error"),
        AskTimeout("no answer"),
        NoSuchActor("jobs"),
        ActorDied("jobs", SHUTDOWN),
        ChildError("already_started", "job:a"),
        Refused("unavailable", "just being put away"),
        nested(OSError(errno.EIO, "spool")),
        StartError("job:a", ExitReason("error", "no start within 30.0 s")),
        StartError(
            "job:a", ExitReason("error", "no thread", RuntimeError("can't start new thread"))
        ),
    ],
    ids=repr,
)
def test_what_the_machine_or_our_actors_refuse_is_tried_again(error: BaseException) -> None:
    assert passing(error)
    assert passing_reason(gave_up(crash(error)))


@pytest.mark.parametrize(
    "error",
    [
        LookupError("no plan"),
        ValueError(),
        OSError(errno.ENOENT, "x"),
        RuntimeError("oh"),
        Refused("invalid_score", "no sheets"),
        None,
    ],
    ids=repr,
)
def test_what_would_be_the_same_again_is_not(error: BaseException | None) -> None:
    assert not passing(error)
    assert not passing_reason(ExitReason("error", "x", error))
    assert not passing(nested(error or KeyError()))


def test_each_try_waits_longer_until_one_succeeds() -> None:
    delays = StartDelays()
    waited = [delays.note("a", "no thread") for _ in range(12)]
    assert all(b > a for a, b in itertools.pairwise(waited[:7]))
    assert waited[-1] <= BACKOFF.max * (1 + BACKOFF.jitter)
    delays.over("a")
    assert delays.note("a", "no thread") == waited[0]


def test_it_says_why_and_when() -> None:
    delays = StartDelays()
    assert delays.words() is None
    delays.note("a", "no thread")
    delays.note("b", "no file")
    delay = delays.of("a")
    assert delay is not None
    assert in_words(delay, delay.next_try - 2.5) == (
        "it cannot be started just now (no thread); the next try is in 3 s, 1 try"
    )
    assert delays.words() == "job a (and 1 more) cannot be started just now: no thread"
