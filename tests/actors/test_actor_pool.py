"""`Pool`: at most so many jobs at once, a bounded queue, and each job's end is its own."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Sequence

import pytest
from worlds import World

from actors import (
    Actor,
    ActorDied,
    AskTimeout,
    Pool,
    PoolFull,
    Refusal,
    SpecError,
    StartError,
    System,
)
from actors.testing import Simulation, explore


def double(number: int) -> int:
    return 2 * number


def fail(error: BaseException) -> None:
    raise error


def test_a_job_is_answered_with_what_its_callable_returns(world: World) -> None:
    pool = world.system.spawn(Pool, 2)
    assert pool.ask(Pool.run, double, 4) == 8
    assert [future.get() for future in [pool.call(Pool.run, double, n) for n in range(9)]] == [
        2 * n for n in range(9)
    ]
    assert pool.ask(Pool.run, dict, a=1) == {"a": 1}  # any callable, a class too


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt()])
def test_a_job_that_crashes_ends_alone_and_its_asker_learns_why(
    world: World, error: BaseException
) -> None:
    pool = world.system.spawn(Pool, 1)
    before = pool.call(Pool.run, fail, error)
    after = pool.call(Pool.run, double, 1)
    with pytest.raises(ActorDied) as died:
        before.get()
    assert died.value.reason.error is error
    assert after.get() == 2
    assert pool.alive


def test_a_refusal_of_a_job_is_its_answer(world: World) -> None:
    pool = world.system.spawn(Pool, 1)
    with pytest.raises(Refusal, match="not today"):
        pool.ask(Pool.run, fail, Refusal("not today"))
    assert pool.ask(Pool.run, double, 1) == 2


def test_what_is_no_callable_harms_its_own_job_only(world: World) -> None:
    pool = world.system.spawn(Pool, 1)
    with pytest.raises(ActorDied, match="TypeError"):
        pool.ask(Pool.run, "double", 1)  # type: ignore[arg-type]
    assert pool.ask(Pool.run, double, 1) == 2


def test_a_full_queue_refuses_and_a_place_in_it_is_free_again_later() -> None:
    gate, system = threading.Event(), System("test")
    pool = system.spawn(Pool, 1, queue=2)
    running = pool.call(Pool.run, gate.wait)
    waiting = [pool.call(Pool.run, double, number) for number in range(2)]
    with pytest.raises(PoolFull):
        pool.ask(Pool.run, double, 2)
    gate.set()
    assert running.get()
    assert [future.get() for future in waiting] == [0, 2]
    assert pool.ask(Pool.run, double, 2) == 4
    system.shutdown()


def test_a_pool_without_a_queue_takes_what_it_can_begin() -> None:
    gate, system = threading.Event(), System("test")
    pool = system.spawn(Pool, 1, queue=0)
    running = pool.call(Pool.run, gate.wait)
    with pytest.raises(PoolFull):
        pool.ask(Pool.run, double, 2)
    gate.set()
    assert running.get()
    system.shutdown()


@pytest.mark.slow
def test_no_more_than_its_size_run_at_once_and_all_end(seeds: Sequence[int]) -> None:
    def scenario(sim: Simulation) -> None:
        inside, most, begun = set[int](), 0, list[int]()

        def job(number: int) -> int:
            nonlocal most
            inside.add(number)
            begun.append(number)
            most = max(most, len(inside))
            sim.yield_point()
            inside.discard(number)
            if number % 3 == 0:
                raise ValueError(number)
            if number % 3 == 1:
                raise Refusal(str(number))
            return number

        pool = sim.system.spawn(Pool, 2)
        futures = [pool.call(Pool.run, job, number) for number in range(9)]
        for number, future in enumerate(futures):
            error = [ActorDied, Refusal, None][number % 3]
            if error is None:
                assert future.get() == number
            else:
                with pytest.raises(error, match=str(number)):
                    future.get()
        assert most <= 2
        assert sorted(begun) == list(range(9))  # each once
        pool.ask(Pool.drain)
        sim.quiet()
        assert sim.system.inspect(pool).statistics()["promises"] == 0

    explore(scenario, seeds)


def test_those_who_have_given_up_take_no_place_in_a_full_queue() -> None:
    with Simulation(seed=3) as sim:
        pool = sim.system.spawn(Pool, 1, queue=2)
        pool.tell(Pool.run, sim.sleep, 2.0)
        for _ in range(2):
            pool.within(0.5).call(Pool.run, double, 1)
        sim.sleep(1.0)
        last = [pool.call(Pool.run, double, number) for number in range(3)]
        assert [future.get() for future in last[:2]] == [0, 2]
        with pytest.raises(PoolFull):
            last[2].get()


@pytest.mark.slow
def test_whatever_is_killed_each_job_runs_once_at_most_and_gets_its_answer(
    seeds: Sequence[int],
) -> None:
    def scenario(sim: Simulation) -> None:
        chance, begun = random.Random(sim.seed), Counter[int]()

        def job(number: int) -> int:
            begun[number] += 1
            sim.sleep(chance.choice([0.0, 1.9, 2.0, 2.1]))
            return number

        def kill_some() -> None:
            for node in sim.system.tree()[0]["children"]:
                worker = sim.system.whereis(node["name"])
                if worker is not None and chance.random() < 0.5:
                    sim.system.kill(worker)

        pool = sim.system.spawn(Pool, chance.choice([1, 2]), timeout=2.0)
        futures = [
            pool.within(chance.choice([None, 1.0, 3.0])).call(Pool.run, job, number)
            for number in range(6)
        ]
        sim.start_thread(kill_some, "killer")
        sim.sleep(100.0)
        for number, future in enumerate(futures):
            outcome = future.outcome()
            assert future.done
            assert outcome.value == number or isinstance(
                outcome.error, ActorDied | AskTimeout | StartError
            )
        assert max(begun.values(), default=0) <= 1
        pool.ask(Pool.drain)
        sim.quiet()
        assert sim.system.inspect(pool).statistics()["promises"] == 0
        assert pool.ask(Pool.run, double, 2) == 4

    explore(scenario, seeds)


def test_a_job_whose_asker_has_given_up_is_not_begun() -> None:
    with Simulation(seed=3) as sim:
        begun: list[str] = []
        pool = sim.system.spawn(Pool, 1)
        sleeper = pool.call(Pool.run, sim.sleep, 1.0)
        late = pool.within(0.5).call(Pool.run, begun.append, "late")
        pool.tell(Pool.run, begun.append, "told")
        sleeper.get()
        pool.ask(Pool.drain)
        assert isinstance(late.outcome().error, AskTimeout)  # also when nobody waits for it
        assert begun == ["told"]
        assert sim.system.dead_letters == {"expired": 1}
        sim.quiet()
        assert sim.system.inspect(pool).statistics()["promises"] == 0


def test_a_job_over_its_time_is_cut_off_and_its_place_goes_to_the_next() -> None:
    with Simulation(seed=3) as sim:
        pool = sim.system.spawn(Pool, 1, timeout=1.0)
        long = pool.within(None).call(Pool.run, sim.sleep, 100.0)
        following = pool.call(Pool.run, double, 4)
        with pytest.raises(AskTimeout):
            long.get()
        assert following.get() == 8
        assert sim.now < 2
        assert len(sim.system.zombies) == 1  # a thread cannot be ended; it does not count
        sim.sleep(200)
        assert sim.system.zombies == []


def test_a_worker_that_is_killed_from_outside_costs_its_job_and_nothing_else() -> None:
    with Simulation(seed=3) as sim:
        pool = sim.system.spawn(Pool, 1)
        long = pool.within(None).call(Pool.run, sim.sleep, 100.0)
        sim.quiet()
        task = sim.system.tree()[0]["children"][0]["name"]
        ref = sim.system.whereis(task)
        assert ref is not None
        sim.system.kill(ref)
        with pytest.raises(ActorDied, match="killed"):
            long.get()
        assert pool.ask(Pool.run, double, 4) == 8


def test_a_stop_lets_the_running_jobs_answer_and_the_waiting_ones_die() -> None:
    with Simulation(seed=3) as sim:
        pool = sim.system.spawn(Pool, 1)

        def job() -> str:
            sim.sleep(2)
            return "done"

        running, waiting = pool.call(Pool.run, job), pool.call(Pool.run, job)
        sim.quiet()
        pool.stop()
        assert running.get() == "done"
        with pytest.raises(ActorDied):
            waiting.get()
        assert sim.system.shutdown() == []


def test_drain_answers_when_all_that_was_given_before_has_ended() -> None:
    with Simulation(seed=3) as sim:
        pool = sim.system.spawn(Pool, 2)
        ended: list[int] = []

        def job(number: int) -> None:
            sim.sleep(1)
            ended.append(number)

        for number in range(5):
            pool.tell(Pool.run, job, number)
        pool.ask(Pool.drain)
        assert sorted(ended) == list(range(5))
        pool.ask(Pool.drain)  # at once


class Connection(Actor):
    made = 0

    def __init__(self, where: str) -> None:
        Connection.made += 1
        self.where = where
        self.served = 0

    def fetch(self, page: str) -> str:
        if page == "torn":
            raise KeyError(page)
        self.served += 1
        return f"{self.where}/{page}"

    def bye(self) -> None:
        self.stop()


def test_workers_of_a_class_live_from_job_to_job_and_a_crashed_one_is_replaced(
    world: World,
) -> None:
    Connection.made = 0
    pool = world.system.spawn(Pool, 1, worker=Connection, args=("here",))
    for page in ("a", "b"):
        assert pool.ask(Pool.send, Connection.fetch, page) == f"here/{page}"
    assert Connection.made == 1
    with pytest.raises(ActorDied, match="torn"):
        pool.ask(Pool.send, Connection.fetch, "torn")
    assert pool.ask(Pool.send, Connection.fetch, "c") == "here/c"
    assert Connection.made == 2
    pool.ask(Pool.send, Connection.bye)
    assert pool.ask(Pool.send, Connection.fetch, "d") == "here/d"
    with pytest.raises(Refusal, match="is no method of Connection"):
        pool.ask(Pool.send, len, "d")
    with pytest.raises(Refusal, match="is no method of Connection"):
        pool.ask(Pool.run, len, "d")


def test_a_worker_that_cannot_start_fails_the_job_and_not_the_pool(world: World) -> None:
    pool = world.system.spawn(Pool, 1, worker=Connection)  # it wants an argument
    for _ in range(3):
        with pytest.raises(StartError, match="where"):
            pool.ask(Pool.send, Connection.fetch, "a")
    assert pool.alive


@pytest.mark.parametrize(
    "wrong", [(0,), (-1,), (True,), ("2",), (1, -1), (1, None), (1, 1, float("nan")), (1, 1, "5")]
)
def test_a_pool_of_senseless_sizes_does_not_start(wrong: tuple[object, ...]) -> None:
    system = System("test")
    with pytest.raises(StartError) as refused:
        system.spawn(Pool, *wrong)  # type: ignore[call-overload]
    assert isinstance(refused.value.reason.error, SpecError | TypeError)
    system.shutdown()
