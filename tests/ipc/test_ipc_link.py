"""The worker link: reconnects by itself, announces itself, takes over its name."""

from __future__ import annotations

import select
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ipc import curve
from ipc.codec import pack, unpack
from ipc.dealer import Dealer
from ipc.router import Router

WORKER = """
import select, sys
from ipc.dealer import Dealer
link = Dealer(sys.argv[1], sys.argv[2])
print("ready", flush=True)
loop = select.poll()
loop.register(link.fileno(), select.POLLIN)
while True:
    loop.poll()
    for message in link.drain():
        link.send({"kind": "answer", "to": message})
"""


class Conductor:
    """A router that notes what it hears."""

    def __init__(self, path: Path) -> None:
        self.heard: list[tuple[bytes, Any]] = []
        self.connected: list[bytes] = []
        self.router = Router(path, self.hear, on_connect=self.connected.append)
        self.router.start()

    def hear(self, identity: bytes, payload: bytes) -> None:
        self.heard.append((identity, unpack(payload)))

    def say(self, identity: bytes, message: dict[str, Any]) -> None:
        self.router.send(identity, pack(message))


class Loop:
    """A selector loop around a dealer, as a worker has one: drains only when woken."""

    def __init__(self, dealer: Dealer) -> None:
        self.dealer = dealer
        self.got: list[dict[str, Any]] = []
        self._poll = select.poll()
        self._poll.register(dealer.fileno(), select.POLLIN)

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, "nothing woke the loop"
            if self._poll.poll(5):
                self.got += self.dealer.drain()


@pytest.fixture
def conductors(place: Path) -> Iterator[Callable[[], Conductor]]:
    made: list[Conductor] = []

    def make() -> Conductor:
        made.append(Conductor(place / "w.sock"))
        return made[-1]

    yield make
    for conductor in made:
        assert conductor.router.stop()


@pytest.fixture
def dealers(place: Path) -> Iterator[Callable[..., Dealer]]:
    made: list[Dealer] = []

    def make(identity: str = "j/1", **options: int) -> Dealer:
        made.append(Dealer(place / "w.sock", identity, **options))
        return made[-1]

    yield make
    for dealer in made:
        dealer.close()


def test_messages_go_both_ways(conductors: Any, dealers: Any) -> None:
    conductor, dealer = conductors(), dealers()
    loop = Loop(dealer)
    dealer.send({"kind": "hello", "running": [[1, 2]]})
    loop.until(lambda: conductor.heard)
    assert conductor.heard == [(b"j/1", {"kind": "hello", "running": [[1, 2]]})]
    conductor.say(b"j/1", {"kind": "run", "outputs": {3: 1}})
    loop.until(lambda: loop.got)
    assert loop.got == [{"kind": "run", "outputs": {3: 1}}]


def test_each_connection_is_announced_before_anything_else(conductors: Any, dealers: Any) -> None:
    dealer = dealers()
    loop = Loop(dealer)
    dealer.send({"n": 1})
    for n in (1, 2, 3):
        conductor = conductors()
        loop.until(lambda: (b"j/1", {"n": n}) in conductor.heard)  # noqa: B023
        assert conductor.connected == [b"j/1"]
        assert conductor.router.stop()
        loop.until(lambda: not dealer.connected)
        dealer.send({"n": n + 1})
        assert dealer.waiting == 1


def test_what_waits_is_bounded_and_the_rest_is_counted(dealers: Any) -> None:
    dealer = dealers(limit=3)
    for n in range(5):
        dealer.send({"n": n})
    assert (dealer.waiting, dealer.dropped) == (3, 2)


def test_a_message_that_arrives_during_a_send_wakes_the_loop(
    conductors: Any, dealers: Any, wait_until: Any
) -> None:
    conductor, dealer = conductors(), dealers()
    loop = Loop(dealer)
    loop.until(lambda: conductor.connected)
    for n in range(200):
        conductor.say(b"j/1", {"n": n})
        wait_until(lambda: conductor.router.sent > n)  # noqa: B023
        dealer.send({"n": n})
        loop.until(lambda: len(loop.got) > n)  # noqa: B023
    assert [message["n"] for message in loop.got] == list(range(200))


def test_frames_that_are_no_maps_are_left_out(conductors: Any, dealers: Any) -> None:
    conductor, dealer = conductors(), dealers()
    loop = Loop(dealer)
    loop.until(lambda: conductor.connected)
    for frame in (b"\xc1", pack([1]), pack({"n": 1})):
        conductor.router.send(b"j/1", frame)
    loop.until(lambda: loop.got)
    assert (loop.got, dealer.malformed) == ([{"n": 1}], 2)


def test_a_second_peer_of_one_name_takes_it_over(conductors: Any, dealers: Any) -> None:
    conductor, old = conductors(), dealers()
    old.send({"from": "old"})
    Loop(old).until(lambda: conductor.heard)
    new = dealers()
    loop = Loop(new)
    new.send({"from": "new"})
    loop.until(lambda: len(conductor.heard) == 2)
    conductor.say(b"j/1", {"to": "new"})
    loop.until(lambda: loop.got)
    assert loop.got == [{"to": "new"}]


def test_messages_to_nobody_are_counted(conductors: Any, wait_until: Any) -> None:
    conductor = conductors()
    conductor.say(b"nobody", {"kind": "run"})
    wait_until(lambda: conductor.router.dropped_absent == 1)


def test_a_handler_that_raises_does_not_deafen_the_router(place: Path, dealers: Any) -> None:
    heard: list[bytes] = []

    def hear(_: bytes, payload: bytes) -> None:
        heard.append(payload)
        raise ValueError("bad day")

    router = Router(place / "w.sock", hear)
    router.start()
    dealer = dealers()
    dealer.send({"n": 1})
    dealer.send({"n": 2})
    Loop(dealer).until(
        lambda: len(heard) == 3
    )  # the announcement is a message too, without on_connect
    assert router.failures == 3
    assert router.stop()


def test_many_threads_may_send_and_each_keeps_its_order(conductors: Any, dealers: Any) -> None:
    conductor, dealer = conductors(), dealers()
    loop = Loop(dealer)
    loop.until(lambda: conductor.connected)

    def say(thread: int) -> None:
        for n in range(200):
            conductor.say(b"j/1", {"thread": thread, "n": n})

    threads = [threading.Thread(target=say, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    loop.until(lambda: len(loop.got) == 800)
    for thread in threads:
        thread.join()
    for number in range(4):
        assert [m["n"] for m in loop.got if m["thread"] == number] == list(range(200))


def test_a_worker_process_finds_the_next_conductor(
    place: Path, conductors: Any, spawn: Callable[..., subprocess.Popen[str]], wait_until: Any
) -> None:
    spawn(WORKER, place / "w.sock", "j/7")
    for n in range(3):
        conductor = conductors()
        wait_until(lambda: conductor.connected)  # noqa: B023
        conductor.say(b"j/7", {"n": n})
        wait_until(lambda: conductor.heard)  # noqa: B023
        assert conductor.heard == [(b"j/7", {"kind": "answer", "to": {"n": n}})]
        assert conductor.router.stop()


def test_a_dealer_with_a_key_speaks_with_nobody_else(place: Path) -> None:
    right, wrong = curve.new_secret(), curve.new_secret()
    heard: list[bytes] = []
    false = Router(place / "w.sock", lambda _, payload: heard.append(payload), secret_key=wrong)
    false.start()
    dealer = Dealer(place / "w.sock", "j/1", server_key=curve.public_of(right))
    loop = Loop(dealer)
    dealer.send({"n": 1})
    # One that is believed beside it: as long as that takes, the other had.
    other = Dealer(place / "w.sock", "j/2", server_key=curve.public_of(wrong))
    other.send({"n": 2})
    Loop(other).until(lambda: pack({"n": 2}) in heard)
    assert pack({"n": 1}) not in heard
    assert not dealer.connected
    assert false.stop()
    true = Router(place / "w.sock", lambda _, payload: heard.append(payload), secret_key=right)
    true.start()
    loop.until(lambda: pack({"n": 1}) in heard)
    assert true.stop()
    dealer.close()
    other.close()


def test_a_router_with_a_key_takes_nobody_without(place: Path) -> None:
    secret = curve.new_secret()
    heard: list[bytes] = []
    router = Router(place / "w.sock", lambda _, payload: heard.append(payload), secret_key=secret)
    router.start()
    plain = Dealer(place / "w.sock", "j/1")
    plain.send({"n": 1})
    good = Dealer(place / "w.sock", "j/2", server_key=curve.public_of(secret))
    good.send({"n": 2})
    Loop(good).until(lambda: pack({"n": 2}) in heard)
    assert [payload for payload in heard if payload] == [pack({"n": 2})]
    assert plain.waiting == 1
    assert router.stop()
    plain.close()
    good.close()


def test_a_dealer_that_trusts_another_key_goes_on_with_what_waited(place: Path) -> None:
    old, new = curve.new_secret(), curve.new_secret()
    heard: list[bytes] = []
    router = Router(place / "w.sock", lambda _, payload: heard.append(payload), secret_key=new)
    router.start()
    dealer = Dealer(place / "w.sock", "j/1", server_key=curve.public_of(old))
    loop = Loop(dealer)
    dealer.send({"n": 1})
    dealer.trust(curve.public_of(new))
    loop.until(lambda: pack({"n": 1}) in heard)
    assert router.stop()
    dealer.close()
