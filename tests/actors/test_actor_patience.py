"""How long an ask waits: 5 seconds, for a supervisor without limit, or as the class says."""

from __future__ import annotations

from typing import Any

import pytest

from actors import Actor, AskTimeout, ChildSpec, DynamicSupervisor, SpecError, Supervisor
from actors.testing import Simulation


class Sleeper(Actor):
    def __init__(self, seconds: float = 0.0) -> None:
        self.sleep(seconds)

    def sleep(self, seconds: float) -> str:
        lock = self.system.runtime.lock()
        lock.acquire()
        lock.acquire(True, seconds)
        return "slept"

    def on_stop(self, reason: object) -> None:
        self.sleep(20.0)


class Patient(Sleeper):
    ask_timeout = 60.0


def test_a_supervisor_answers_when_its_child_has_started_or_ended() -> None:
    with Simulation() as sim:
        sup = sim.system.spawn(Supervisor, "one_for_one", [], name="sup")
        pool = sim.system.spawn(DynamicSupervisor, name="pool")
        spec = ChildSpec("a", Sleeper, (20.0,), shutdown=60.0)
        assert sup.ask(Supervisor.start_child, spec) is not None
        assert sim.system.handle(Supervisor, "sup").ask(Supervisor.terminate_child, "a") is None
        spec = ChildSpec("b", Sleeper, (20.0,), shutdown=60.0)
        assert pool.ask(DynamicSupervisor.start_child, spec) is not None
        pool.call(DynamicSupervisor.terminate_child, "b").get()
        assert sim.now == 80.0
        with pytest.raises(AskTimeout):
            sup.within(5.0).ask(Supervisor.start_child, spec)


def test_other_actors_have_five_seconds_or_what_their_class_says() -> None:
    with Simulation() as sim:
        for cls, waits in ((Sleeper, False), (Patient, True)):
            ref = sim.system.spawn(cls, name=cls.__name__)
            handle: Any = sim.system.handle(cls, cls.__name__)
            for address in (ref, handle):
                if waits:
                    assert address.ask(Sleeper.sleep, 20.0) == "slept"
                else:
                    with pytest.raises(AskTimeout):
                        address.ask(Sleeper.sleep, 20.0)
                    sim.sleep(60.0)
                assert address.within(30.0).ask(Sleeper.sleep, 20.0) == "slept"


def test_a_wrong_limit_is_named() -> None:
    with pytest.raises(SpecError, match="ask_timeout"):
        type("Odd", (Actor,), {"ask_timeout": "5"})
