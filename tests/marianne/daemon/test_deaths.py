"""Whom a death of an actor accuses: whom it served, much more than who waited for it."""

from __future__ import annotations

import pytest

from actors import Actor, ActorDied, Promise, System
from marianne.daemon.shared.deaths import REMEMBERED, Deaths


def test_a_request_is_the_cause_after_two_deaths_that_served_it_or_six_that_it_waited_for() -> None:
    deaths = Deaths()
    assert [deaths.enough("served", serving=True) for _ in range(2)] == [False, True]
    waited = [deaths.enough("waited", serving=False) for _ in range(6)]
    assert waited == [False] * 5 + [True]


def test_only_the_last_thousand_are_remembered() -> None:
    deaths = Deaths()
    deaths.enough("first", serving=True)
    for number in range(REMEMBERED):
        deaths.enough(str(number), serving=False)
    assert not deaths.enough("first", serving=True)


class Asked(Actor):
    def wait(self) -> Promise[None]:
        return self.promise()

    def fail(self) -> None:
        raise ValueError("on purpose")


def test_an_actor_that_ends_says_whom_it_served() -> None:
    system = System("deaths")
    asked = system.spawn(Asked)
    waits = asked.call(Asked.wait)
    fails = asked.call(Asked.fail)
    told = {}
    for name, future in (("waits", waits), ("fails", fails)):
        with pytest.raises(ActorDied) as died:
            future.get(5.0)
        told[name] = died.value.serving
    assert told == {"waits": False, "fails": True}
    system.shutdown()
