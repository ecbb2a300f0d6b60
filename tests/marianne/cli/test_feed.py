"""What a wait leaves behind: nothing, for a program may wait for thousands of jobs."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from marianne.cli import feed
from marianne.cli.feed import Feed
from marianne.cli.session import Session
from marianne.home import Home


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


class Held(Session):
    """With a conductor that runs: this process."""

    def running(self) -> bool:
        return True

    def holder(self) -> int | None:
        return os.getpid()


def test_a_wait_that_has_heard_what_it_waited_for_keeps_nothing_open(home: Home) -> None:
    session = Held.at(home)
    before = descriptors()
    for _ in range(20):
        for item in Feed(session, lambda: [1, 2]).items():
            assert item == 1
            break
        assert list(Feed(session, lambda: [1, 2]).items()) == [1, 2]
    for thread in threading.enumerate():
        if thread.name == "feed":
            thread.join(5)
    assert descriptors() == before


def test_who_is_left_before_its_source_spoke_closes_when_that_speaks(home: Home) -> None:
    speak, closed = threading.Event(), threading.Event()

    def source() -> Iterator[int]:
        try:
            speak.wait(10)
            yield 1
            yield 2
        finally:
            closed.set()

    before = descriptors()
    items = Feed(Held.at(home), source).items(tick=0.001)
    assert next(items) is None
    items.close()
    speak.set()
    assert closed.wait(5), "nobody takes its second item"
    for thread in threading.enumerate():
        if thread.name == "feed":
            thread.join(5)
    assert descriptors() == before


def test_a_source_waits_for_whoever_takes_slowly(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "_MOST", 10)
    given = [0]
    full = threading.Event()

    def source() -> Iterator[int]:
        while True:
            given[0] += 1
            if given[0] > 10:
                full.set()
            yield given[0]

    items = Feed(Held.at(home), source).items()
    for taken in range(1, 500):
        assert next(items) == taken
        assert given[0] <= taken + 11
    assert full.wait(5), "and does not wait before"
    items.close()
