"""An ask that races the end of its actor is answered under every schedule."""

from __future__ import annotations

from collections.abc import Sequence

import pykka
import pytest
from hypothesis import given, settings
from simulated_pykka import pykka_in

from actors import Actor, ActorDied, ActorRef, Refusal
from actors.testing import Preemptions, Simulation, explore, first_failure
from actors.testing.hypothesis import schedules

ASKERS = 2


class Echo(Actor):
    def echo(self, value: int) -> int:
        return value

    def crash(self) -> None:
        raise ValueError("broken")


class PlainEcho(pykka.ThreadingActor):
    def on_receive(self, message: int) -> int:
        return message


def asks_while(sim: Simulation, ref: ActorRef[Echo], end: str) -> list[object]:
    """Several threads ask while the actor ends; their answers, once all have one."""
    answers: list[object] = []

    def ask() -> None:
        try:
            answers.append(ref.within(None).ask(Echo.echo, 7))
        except ActorDied as died:
            answers.append(died.reason.kind)

    for number in range(ASKERS):
        sim.start_thread(ask, f"asker-{number}")
    if end == "stop":
        ref.stop()
    elif end == "kill":
        sim.system.kill(ref)
    else:
        ref.tell(Echo.crash)
    sim.until(lambda: len(answers) == ASKERS)
    return answers


def test_the_known_loss_in_plain_pykka_is_found_within_a_thousand_seeds() -> None:
    def scenario(sim: Simulation) -> None:
        with pykka_in(sim):
            answers: list[object] = []
            ref = PlainEcho.start()

            def ask() -> None:
                try:
                    answers.append(ref.ask(7))
                except pykka.ActorDeadError:
                    answers.append("dead")

            for number in range(ASKERS):
                sim.start_thread(ask, f"asker-{number}")
            ref.stop(block=False)
            sim.until(lambda: len(answers) == ASKERS)

    assert first_failure(scenario, range(1000)) is not None


@pytest.mark.parametrize("end", ["stop", "kill", "crash"])
def test_no_ask_is_lost_when_its_actor_ends(end: str, seeds: Sequence[int]) -> None:
    seen: set[object] = set()

    def scenario(sim: Simulation) -> None:
        seen.update(asks_while(sim, sim.system.spawn(Echo), end))

    explore(scenario, seeds)
    reason = {"stop": "shutdown", "kill": "killed", "crash": "error"}[end]
    assert seen == {7, reason} or len(seeds) < 20


@pytest.mark.parametrize("end", ["stop", "kill", "crash"])
def test_no_ask_is_lost_when_threads_change_between_any_two_lines(
    end: str, seeds: Sequence[int]
) -> None:
    def scenario(sim: Simulation) -> None:
        asks_while(sim, sim.system.spawn(Echo), end)

    explore(scenario, seeds, lines=True)


def test_without_the_lock_of_close_and_drain_the_loss_is_found_within_a_thousand_seeds() -> None:
    def scenario(sim: Simulation) -> None:
        ref = sim.system.spawn(Echo)
        # The lock stays a point where threads change places, but excludes nobody.
        ref.cell().mailbox._lock._exclusive = False  # type: ignore[attr-defined]
        asks_while(sim, ref, "stop")

    assert first_failure(scenario, range(1000), lines=True) is not None


@settings(max_examples=200, deadline=None)
@given(schedules())
def test_no_ask_is_lost_under_schedules_that_hypothesis_draws(policy: Preemptions) -> None:
    with Simulation(policy=policy) as sim:
        asks_while(sim, sim.system.spawn(Echo), "stop")


def test_every_promise_is_settled_once_whoever_comes_first(seeds: Sequence[int]) -> None:
    class Later(Actor):
        def ask_later(self, sim: Simulation) -> object:
            promise = self.promise()
            sim.start_thread(lambda: promise.set(1), "setter")
            sim.start_thread(lambda: promise.fail(Refusal("no")), "failer")
            return promise

    def scenario(sim: Simulation) -> None:
        ref = sim.system.spawn(Later)
        future = ref.call(Later.ask_later, sim)
        called: list[object] = []
        future.on_done(called.append)
        ref.stop()
        sim.until(lambda: called)
        sim.quiet()
        assert len(called) == 1
        assert future.outcome().value == 1 or isinstance(
            future.outcome().error, Refusal | ActorDied
        )

    explore(scenario, seeds)


def test_an_answer_at_its_deadline_is_an_answer_or_a_timeout(seeds: Sequence[int]) -> None:
    def scenario(sim: Simulation) -> None:
        ref = sim.system.spawn(Echo, start_timeout=None)
        answers: list[object] = []

        def ask() -> None:
            try:
                answers.append(ref.within(0.5).ask(Echo.echo, 7))
            except TimeoutError:
                answers.append("late")

        sim.start_thread(ask, "asker")
        sim.until(lambda: answers)
        assert answers[0] in {7, "late"}

    explore(scenario, seeds, time_pressure=0.05)
