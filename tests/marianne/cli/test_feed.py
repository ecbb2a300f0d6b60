"""What a wait leaves behind: nothing, for a program may wait for thousands of jobs."""

from __future__ import annotations

import operator
import os
import select
import signal
import threading
from collections.abc import Iterator
from functools import partial

import pytest

from marianne.cli import feed
from marianne.cli.feed import Feed
from marianne.cli.session import Session
from marianne.home import Home


def descriptors() -> set[tuple[str, str]]:
    """Those that are open, with what they lead to. Earlier tests' may close at any moment."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            found.add((number, os.readlink(f"/proc/self/fd/{number}")))
        except FileNotFoundError:  # that of this look itself
            pass
    return found


def over(before: set[threading.Thread]) -> None:
    """The feeds' threads since then have ended; other tests' may wait for what never comes."""
    for thread in set(threading.enumerate()) - before:
        if thread.name == "feed":
            thread.join(60)
            assert not thread.is_alive()


class Held(Session):
    """With a conductor that runs: this process."""

    def running(self) -> bool:
        return True

    def holder(self) -> int | None:
        return os.getpid()


def test_a_wait_that_has_heard_what_it_waited_for_keeps_nothing_open(home: Home) -> None:
    session = Held.at(home)
    before, threads = descriptors(), set(threading.enumerate())
    for _ in range(20):
        for item in Feed(session, lambda: [1, 2]).items():
            assert item == 1
            break
        assert list(Feed(session, lambda: [1, 2]).items()) == [1, 2]
    over(threads)
    assert descriptors() <= before


def test_who_is_left_before_its_source_spoke_closes_when_that_speaks(home: Home) -> None:
    speak, closed = threading.Event(), threading.Event()

    def source() -> Iterator[int]:
        try:
            speak.wait(10)
            yield 1
            yield 2
        finally:
            closed.set()

    before, threads = descriptors(), set(threading.enumerate())
    items = Feed(Held.at(home), source).items(tick=0.001)
    assert next(items) is None
    items.close()
    speak.set()
    assert closed.wait(5), "nobody takes its second item"
    over(threads)
    assert descriptors() <= before


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


def test_who_was_interrupted_as_it_made_room_can_leave(home: Home) -> None:
    def play() -> None:
        waiting = Feed(Held.at(home), lambda: [1, 2])
        items = waiting.items()
        assert next(items) == 1
        waiting._room._cond.acquire()  # type: ignore[attr-defined]  # as it is left then
        items.close()  # type: ignore[attr-defined]
        waiting._room._cond.release()  # type: ignore[attr-defined]  # or its thread never ends

    playing = threading.Thread(target=play, daemon=True)
    playing.start()
    playing.join(5)
    assert not playing.is_alive()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_comes_right_before_the_wait_ends_it(
    home: Home, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    # Two calls from C, as it is in an unlucky moment: no handler of Python's runs in between. (What
    # os.kill sends to itself is handled before it returns.)
    class Raced:
        def __init__(self) -> None:
            self._real = poll()
            self.register = self._real.register

        def poll(self, ms: float | None) -> list[tuple[int, int]]:
            steps = [
                partial(signal.pidfd_send_signal, myself, number),
                partial(self._real.poll, ms),
            ]
            called: Iterator[list[tuple[int, int]]] = map(operator.call, steps)  # type: ignore[arg-type]
            return list(called)[1]

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    poll, over, myself = select.poll, threading.Event(), os.pidfd_open(os.getpid())

    spoken: list[bool] = []

    def source() -> Iterator[str]:
        over.wait(5)
        spoken.append(True)
        yield "only now, long after the signal"

    monkeypatch.setattr(select, "poll", Raced)
    before = signal.signal(number, interrupt)
    items = Feed(Held.at(home), source).items()
    try:
        with pytest.raises(KeyboardInterrupt):
            next(items)
        assert not spoken
    finally:
        over.set()
        os.close(myself)
        signal.signal(number, before)
    assert signal.set_wakeup_fd(-1) == -1, "nobody has left where signals are written"
