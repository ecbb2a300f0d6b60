"""The two lanes of a mailbox, their limit, and what happens at it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from actors import Actor, ActorRef, MailboxFull, System

Eventually = Callable[[Callable[[], object]], None]


class Slow(Actor):
    mailbox_limit = 3
    mailbox_high = 3

    def __init__(self, gate: threading.Event, entered: threading.Event) -> None:
        self.gate = gate
        self.entered = entered
        self.items: list[int] = []

    def hold(self) -> None:
        self.entered.set()
        self.gate.wait(5)

    def put(self, item: int) -> int:
        self.items.append(item)
        return item

    def read(self) -> list[int]:
        return list(self.items)


class DropNew(Slow):
    mailbox_policy = "drop_new"


class DropOld(Slow):
    mailbox_policy = "drop_old"


class Block(Slow):
    mailbox_policy = "block"


class Unbounded(Slow):
    mailbox_limit = None


def full(system: System, cls: type[Slow]) -> tuple[ActorRef[Slow], threading.Event]:
    """An actor that is in a handler, with 0, 1, 2 waiting: at its limit of 3."""
    gate, entered = threading.Event(), threading.Event()
    ref: ActorRef[Slow] = system.spawn(cls, gate, entered)
    ref.tell(Slow.hold)
    assert entered.wait(5)
    for item in range(3):
        ref.tell(Slow.put, item)
    return ref, gate


def test_at_the_limit_a_tell_raises_and_an_ask_fails(
    system: System, eventually: Eventually
) -> None:
    ref, gate = full(system, Slow)
    with pytest.raises(MailboxFull):
        ref.tell(Slow.put, 3)
    with pytest.raises(MailboxFull):
        ref.ask(Slow.put, 3)
    gate.set()
    eventually(lambda: len(ref.cell().mailbox) == 0)
    assert ref.ask(Slow.read) == [0, 1, 2]


def test_drop_new_loses_the_new_message_and_counts_it(system: System) -> None:
    ref, gate = full(system, DropNew)
    ref.tell(Slow.put, 3)
    gate.set()
    assert system.dead_letters == {"mailbox_full": 1}


def test_drop_old_loses_the_oldest_message_and_tells_its_asker(
    system: System, eventually: Eventually
) -> None:
    ref, gate = full(system, DropOld)
    futures = [ref.call(Slow.put, item) for item in (3, 4, 5)]
    ref.tell(Slow.put, 6)
    with pytest.raises(MailboxFull):
        futures[0].get()
    gate.set()
    eventually(lambda: len(ref.cell().mailbox) == 0)
    assert ref.ask(Slow.read) == [4, 5, 6]
    assert system.dead_letters == {"mailbox_full": 4}


def test_block_makes_the_sender_wait_for_room(system: System, eventually: Eventually) -> None:
    ref, gate = full(system, Block)
    sender = threading.Thread(target=lambda: ref.tell(Slow.put, 3))
    sender.start()
    eventually(lambda: ref.cell().mailbox.blocked)
    gate.set()
    sender.join(5)
    eventually(lambda: ref.ask(Slow.read) == [0, 1, 2, 3])


def test_a_blocked_ask_gives_up_at_its_deadline(system: System) -> None:
    ref, gate = full(system, Block)
    with pytest.raises(MailboxFull):
        ref.within(0.01).ask(Slow.put, 3)
    gate.set()


def test_stop_overtakes_a_full_mailbox_and_wakes_blocked_senders(
    system: System, eventually: Eventually
) -> None:
    ref, gate = full(system, Block)
    sender = threading.Thread(target=lambda: ref.tell(Slow.put, 3))
    sender.start()
    eventually(lambda: ref.cell().mailbox.blocked)
    ref.stop()
    gate.set()
    assert ref.join(5)
    sender.join(5)
    assert system.dead_letters == {"tell_dead": 4}


def test_high_water_is_told_once_until_the_mailbox_was_empty(system: System) -> None:
    told: list[str] = []
    system.on_event(lambda event: told.append(event.detail) if event.kind == "mailbox_high" else 0)
    ref, gate = full(system, Unbounded)
    for item in range(100):
        ref.tell(Slow.put, item)
    assert told == ["3"]
    gate.set()
    ref.ask(Slow.read)


def test_answers_that_an_actor_piped_to_itself_pass_the_limit(
    system: System, eventually: Eventually
) -> None:
    class Piper(Slow):
        def begin(self, other: ActorRef[Slow]) -> None:
            self.pipe(other.call(Slow.put, 42), Piper.receive)

        def receive(self, outcome: object) -> None:
            self.items.append(outcome.value)  # type: ignore[attr-defined]

    other = system.spawn(Slow, threading.Event(), threading.Event())
    ref, gate = full(system, Piper)
    ref.cell().mailbox.force(("begin", (other,), {}, None))
    gate.set()
    eventually(lambda: len(ref.cell().mailbox) == 0)
    eventually(lambda: ref.ask(Slow.read) == [0, 1, 2, 42])
