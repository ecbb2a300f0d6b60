"""Timers fire in order and only when wanted; readers are called when there is something to read."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from marianne.run.loop import Loop


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


def test_timers_fire_in_the_order_of_their_times(loop: Loop) -> None:
    seen: list[int] = []
    loop.call_later(0.02, lambda: seen.append(2))
    loop.call_later(0.01, lambda: seen.append(1))
    loop.call_later(0.03, loop.stop)
    loop.run()
    assert seen == [1, 2]


def test_a_cancelled_timer_does_not_fire_nor_wake(loop: Loop) -> None:
    loop.call_later(0.0, lambda: pytest.fail("cancelled")).cancel()
    loop.call_later(0.05, loop.stop)
    begin = time.monotonic()
    loop.run()
    assert time.monotonic() - begin >= 0.05


def test_cancelled_timers_do_not_pile_up(loop: Loop) -> None:
    kept = [loop.call_later(1000, loop.stop) for _ in range(10)]
    for _ in range(10_000):
        loop.call_later(1000, loop.stop).cancel()
    assert len(loop._timers) < 1000
    assert {timer for _, _, timer in loop._timers} >= set(kept)


def test_a_timer_may_set_another_that_is_due_at_once(loop: Loop) -> None:
    loop.call_later(0.0, lambda: loop.call_later(0.0, loop.stop))
    loop.run()


def test_a_reader_is_called_until_it_is_removed(loop: Loop) -> None:
    read, write = os.pipe()
    seen: list[bytes] = []

    def ready() -> None:
        seen.append(os.read(read, 1))
        loop.remove_reader(read)
        loop.stop()

    loop.add_reader(read, ready)
    os.write(write, b"ab")
    loop.run()
    loop.turn(0.0)
    assert seen == [b"a"]
    loop.remove_reader(read)
    os.close(read)
    os.close(write)


def test_a_reader_removed_by_another_of_the_same_round_is_not_called(loop: Loop) -> None:
    pipes = [os.pipe(), os.pipe()]
    seen: list[int] = []

    def first(own: int, other: int) -> None:
        seen.append(own)
        loop.remove_reader(other)

    (a, wa), (b, wb) = pipes
    loop.add_reader(a, lambda: first(a, b))
    loop.add_reader(b, lambda: first(b, a))
    os.write(wa, b"x")
    os.write(wb, b"x")
    loop.turn(1.0)
    assert len(seen) == 1
    for pair in pipes:
        for fd in pair:
            os.close(fd)
