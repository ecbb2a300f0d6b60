"""Asks, futures, promises and pipes: every ask has one end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from actors import (
    Actor,
    ActorDied,
    ActorRef,
    AskCycle,
    AskTimeout,
    Future,
    NoSuchActor,
    Outcome,
    Promise,
    Refusal,
    System,
)
from actors.testing import Simulation

Eventually = Callable[[Callable[[], object]], None]


class Server(Actor):
    def __init__(self) -> None:
        self.gate = threading.Event()
        self.served: list[object] = []
        self.kept: list[Promise[int]] = []

    def hold(self) -> None:
        self.gate.wait(5)

    def serve(self, value: int) -> int:
        self.served.append(value)
        return value

    def refuse(self) -> int:
        raise Refusal("no")

    def later(self) -> Promise[int]:
        promise: Promise[int] = self.promise()
        self.kept.append(promise)
        return promise

    def fulfil(self, value: int) -> None:
        self.kept.pop().set(value)

    def forward(self, other: ActorRef[Server], value: int) -> object:
        """Answers when the other has answered, without waiting for it."""
        promise = self.promise()
        self.pipe(other.call(Server.serve, value), Server.forwarded, promise)
        return promise

    def forwarded(self, outcome: Outcome[int], promise: Promise[int]) -> None:
        if outcome.error is not None:
            promise.fail(outcome.error)
        else:
            promise.set((outcome.value or 0) * 10)

    def ask_back(self, others: list[ActorRef[Server]]) -> int:
        return others[0].within(1).ask(Server.ask_back, [*others[1:], others[0]])

    def crash(self) -> None:
        raise ValueError("crash")


def actor_of(ref: ActorRef[Server]) -> Server:
    actor = ref.cell().actor
    assert isinstance(actor, Server)
    return actor


def test_an_ask_without_answer_ends_at_its_deadline(system: System) -> None:
    ref = system.spawn(Server)
    ref.tell(Server.hold)
    with pytest.raises(AskTimeout):
        ref.within(0.01).ask(Server.serve, 1)
    actor_of(ref).gate.set()


def test_an_expired_ask_is_not_executed(system: System) -> None:
    ref = system.spawn(Server)
    actor = actor_of(ref)
    ref.tell(Server.hold)
    for value in range(5):
        with pytest.raises(AskTimeout):
            ref.within(0.002).ask(Server.serve, value)
    actor.gate.set()
    assert ref.ask(Server.serve, 7) == 7
    assert actor.served == [7]
    assert system.dead_letters == {"expired": 5}


def test_a_late_answer_is_a_dead_letter() -> None:
    with Simulation() as sim:  # where no message waits for its turn until its deadline
        ref = sim.system.spawn(Server)
        with pytest.raises(AskTimeout):
            ref.within(0.01).ask(Server.later)
        ref.ask(Server.fulfil, 1)
        assert sim.system.dead_letters == {"late_reply": 1}


def test_get_may_give_up_earlier_than_the_deadline_and_be_asked_again(system: System) -> None:
    ref = system.spawn(Server)
    future = ref.call(Server.later)
    with pytest.raises(AskTimeout):
        future.get(timeout=0.001)
    ref.tell(Server.fulfil, 5)
    assert future.get() == 5


def test_many_threads_can_wait_for_one_future(system: System) -> None:
    ref = system.spawn(Server)
    future = ref.call(Server.later)
    answers: list[object] = []
    threads = [threading.Thread(target=lambda: answers.append(future.get())) for _ in range(5)]
    for thread in threads:
        thread.start()
    ref.tell(Server.fulfil, 3)
    for thread in threads:
        thread.join(5)
    assert answers == [3] * 5


def test_a_promise_is_fulfilled_by_any_thread(system: System, eventually: Eventually) -> None:
    ref = system.spawn(Server)
    future = ref.call(Server.later)
    eventually(lambda: actor_of(ref).kept)
    actor_of(ref).kept[0].set(11)
    assert future.get() == 11


def test_an_actor_that_ends_answers_its_open_promises(system: System) -> None:
    ref = system.spawn(Server)
    future = ref.call(Server.later)
    ref.tell(Server.crash)
    with pytest.raises(ActorDied):
        future.get()


def test_a_promise_of_a_tell_is_for_nobody(system: System) -> None:
    ref = system.spawn(Server)
    ref.tell(Server.later)
    assert ref.ask(Server.fulfil, 1) is None


def test_an_actor_can_answer_with_what_another_answers(system: System) -> None:
    a, b = system.spawn(Server), system.spawn(Server)
    assert a.ask(Server.forward, b, 4) == 40
    b.stop()
    assert b.join(5)
    with pytest.raises(ActorDied):
        a.ask(Server.forward, b, 4)


def test_a_pipe_ends_at_the_deadline_of_its_call(system: System) -> None:
    a, b = system.spawn(Server), system.spawn(Server)
    b.tell(Server.hold)
    with pytest.raises(AskTimeout):
        a.ask(Server.forward, b.within(0.01), 4)
    actor_of(b).gate.set()


def test_on_done_after_the_answer_calls_at_once(system: System) -> None:
    future = system.spawn(Server).call(Server.serve, 1)
    assert future.get() == 1
    called: list[Future[int]] = []
    future.on_done(called.append)
    assert called == [future]


def test_a_callback_that_raises_hurts_nobody(system: System) -> None:
    ref = system.spawn(Server)
    future = ref.call(Server.later)
    future.on_done(lambda _: 1 / 0)
    ref.tell(Server.fulfil, 1)
    assert future.get() == 1
    assert ref.ask(Server.serve, 1) == 1
    assert system.events.counts["warning"] == 1


def test_calls_that_were_answered_leave_no_timers(system: System) -> None:
    ref = system.spawn(Server)
    for value in range(1000):
        future = ref.call(Server.serve, value)
        future.on_done(lambda _: None)
        future.get()
    assert len(system.timers) < 200


def test_who_watches_the_deadline_himself_costs_no_timer_and_hears_the_answer(
    system: System,
) -> None:
    ref = system.spawn(Server)
    future = ref.call(Server.later)
    called: list[int] = []
    future.on_done(lambda done: called.append(done.value()), timed=False)
    assert len(system.timers) == 0
    ref.tell(Server.fulfil, 7)
    assert future.get() == 7
    until = ref.ask(Server.serve, 1)  # the callbacks of the message before have run
    assert (until, called) == (1, [7])


def test_a_self_ask_raises_at_once(system: System) -> None:
    class Selfish(Actor):
        ask_timeout = None  # what does not raise would wait for ever

        def ask_self(self) -> None:
            self.ref.ask(Selfish.ask_self)

        def get_self(self) -> None:
            self.ref.call(Selfish.ask_self).get()

    for method in (Selfish.ask_self, Selfish.get_self):
        ref = system.spawn(Selfish, name="selfish")
        with pytest.raises(ActorDied) as caught:
            ref.ask(method)
        error = caught.value.reason.error
        assert isinstance(error, AskCycle)
        assert error.path == ("selfish", "selfish")
        assert ref.join(5)


def test_an_ask_cycle_raises_with_its_path(system: System) -> None:
    a, b, c = (system.spawn(Server, name=name) for name in "abc")
    with pytest.raises(ActorDied):
        a.ask(Server.ask_back, [b, c, a])
    for ref in (a, b, c):
        assert ref.join(5)
    errors = [ref.reason.error for ref in (a, b, c) if ref.reason is not None]
    cycles = [error for error in errors if isinstance(error, AskCycle)]
    assert [cycle.path for cycle in cycles] == [("c", "a", "b", "c")]


def test_a_child_that_asks_its_starting_supervisor_fails_at_once(system: System) -> None:
    from actors import ChildSpec, StartError, Supervisor

    class Impatient(Actor):
        def on_start(self) -> None:
            self.system.handle(Supervisor, "sup").ask(Supervisor.which_children)

    with pytest.raises(StartError, match="AskCycle"):
        system.spawn(Supervisor, "one_for_one", [ChildSpec("a", Impatient)], name="sup")


def test_a_future_can_be_awaited_without_blocking_the_loop(system: System) -> None:
    ref = system.spawn(Server)

    async def wait(future: Future[int]) -> int:
        return await future

    async def program() -> None:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.001)

        ticker = asyncio.create_task(tick())
        answer = asyncio.ensure_future(wait(ref.call(Server.later)))
        while ticks < 3:
            await asyncio.sleep(0.001)
        assert not answer.done()
        ref.tell(Server.fulfil, 9)
        assert await answer == 9
        ticker.cancel()

    asyncio.run(program())


def test_awaiting_raises_what_get_would(system: System) -> None:
    ref = system.spawn(Server)

    async def program() -> None:
        with pytest.raises(Refusal, match="no"):
            await ref.call(Server.refuse)
        with pytest.raises(NoSuchActor):
            await system.handle(Server, "nobody").call(Server.serve, 1)
        with pytest.raises(AskTimeout):
            await ref.within(0.01).call(Server.later)

    asyncio.run(program())


def test_an_answer_for_a_loop_that_is_closed_disturbs_nobody(system: System) -> None:
    async def give_up() -> Future[int]:
        future = ref.call(Server.later)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(future, 0.01)
        return future

    ref = system.spawn(Server)
    future = asyncio.run(give_up())
    ref.ask(Server.fulfil, 7)
    assert future.get() == 7
    assert system.events.counts["warning"] == 0


def test_importing_actors_imports_neither_asyncio_nor_multiprocessing() -> None:
    import subprocess
    import sys

    code = (
        "import actors, sys; "
        "print([m for m in ('asyncio', 'multiprocessing', 'random') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


class Middleman(Actor):
    def pass_on(self, other: ActorRef[Server]) -> int:
        return other.ask(Server.refuse)

    def pass_on_future(self, other: ActorRef[Server]) -> int:
        return other.call(Server.refuse).get()

    def answer_for(self, other: ActorRef[Server]) -> int:
        try:
            return other.ask(Server.refuse)
        except Refusal as refusal:
            raise Refusal("my own") from refusal


@pytest.mark.parametrize("method", [Middleman.pass_on, Middleman.pass_on_future])
@pytest.mark.parametrize("told", [True, False])
def test_the_refusal_of_another_is_no_answer_of_ones_own(
    system: System, method: Callable[..., int], told: bool
) -> None:
    other = system.spawn(Server)
    middleman = system.spawn(Middleman)
    if told:
        middleman.tell(method, other)
    else:
        with pytest.raises(ActorDied, match="Refusal: no"):
            middleman.ask(method, other)
    assert middleman.join(5)
    assert other.alive


def test_who_handles_the_refusal_of_another_may_refuse_himself(system: System) -> None:
    other = system.spawn(Server)
    middleman = system.spawn(Middleman)
    for _ in range(2):
        with pytest.raises(Refusal, match="my own"):
            middleman.ask(Middleman.answer_for, other)


def test_the_own_edge_is_drawn_before_the_others_are_looked_at(system: System) -> None:
    """Two that ask each other at once: whoever looks second must find the other's edge."""
    me = system.spawn(Server).cell()
    latch: Future[int] = Future(system, "other", None, None)
    seen: list[object] = []

    class Other:
        name = "other"

        @property
        def awaits(self) -> None:
            seen.append(me.awaits)

    other: Any = Other()
    assert me.block_on(other, latch) is None
    assert seen == [(other, latch)]
    me.awaits = None
