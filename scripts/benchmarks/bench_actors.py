"""`actors` beside plain pykka: ask, tell, crash to restarted, memory, stopping many children.

The two are measured in turns of short rounds, and the median of the rounds' ratios counts. The
rows of two threads that answer each other are measured on one core: over two, the kernel places
each pair of threads anew, near or far, and the ratio is that of their places (16 and 80 us).
"""

from __future__ import annotations

import contextlib
import logging
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pykka
from table import Row

from actors import Actor, ChildSpec, DynamicSupervisor, Supervisor, System

ROUNDS = 31
ASKS = 400
TELLS = 4000
CRASHES = 60
IDLE = 500


class PlainEcho(pykka.ThreadingActor):
    use_daemon_thread = True

    def on_receive(self, message: object) -> object:
        return message


class Echo(Actor):
    def echo(self, message: object) -> object:
        return message

    def crash(self) -> None:
        raise ValueError("crash")


def timed(work: Callable[[], None]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """This thread and those that it starts meanwhile stay on one core (sched_setaffinity(2))."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def in_turns(
    name: str, ours: Callable[[], None], theirs: Callable[[], None], count: int, **options: object
) -> Row:
    """Rounds of both in turns; the row shows medians so that the median ratio is their ratio."""
    pairs = []
    for number in range(ROUNDS):
        first, second = (ours, theirs) if number % 2 else (theirs, ours)
        one, two = timed(first), timed(second)
        pairs.append((one, two) if number % 2 else (two, one))
    ratio = statistics.median(mine / other for mine, other in pairs)
    baseline = statistics.median(other for _, other in pairs) / count * 1e6
    return Row(name, ratio * baseline, baseline, "us", **options)  # type: ignore[arg-type]


def ask_and_tell(system: System) -> list[Row]:
    plain = PlainEcho.start()
    ref = system.spawn(Echo, name="echo")
    handle = system.handle(Echo, "echo")

    def plain_asks() -> None:
        for number in range(ASKS):
            plain.ask(number)

    def ref_asks() -> None:
        for number in range(ASKS):
            ref.ask(Echo.echo, number)

    def handle_asks() -> None:
        for number in range(ASKS):
            handle.ask(Echo.echo, number)

    def plain_tells() -> None:
        for number in range(TELLS):
            plain.tell(number)
        plain.ask(0)

    def handle_tells() -> None:
        for number in range(TELLS):
            handle.tell(Echo.echo, number)
        handle.ask(Echo.echo, 0)

    rows = [
        in_turns("ask by ref / pykka ask", ref_asks, plain_asks, ASKS, bar=1.0),
        in_turns("ask by name / pykka ask", handle_asks, plain_asks, ASKS, bar=1.0),
        in_turns(
            "pykka tell / tell by name", handle_tells, plain_tells, TELLS, bar=1.3, at_least=True
        ),
    ]
    plain.stop()
    return rows


class PlainFragile(pykka.ThreadingActor):
    """Like Fragile: ready when its own on_start runs."""

    use_daemon_thread = True
    present: pykka.ActorRef[PlainFragile]

    def __init__(self, keeper: pykka.ActorRef[PlainKeeper], ready: threading.Semaphore) -> None:
        super().__init__()
        self.keeper = keeper
        self.ready = ready

    def on_start(self) -> None:
        PlainFragile.present = self.actor_ref
        self.ready.release()

    def on_receive(self, message: object) -> object:
        raise ValueError("crash")

    def on_failure(self, *_: object) -> None:
        self.keeper.tell("restart")


class PlainKeeper(pykka.ThreadingActor):
    """The one more actor: restarts what fails."""

    use_daemon_thread = True

    def __init__(self, ready: threading.Semaphore) -> None:
        super().__init__()
        self.ready = ready

    def on_receive(self, message: object) -> object:
        PlainFragile.start(self.actor_ref, self.ready)
        return None


class Fragile(Actor):
    def __init__(self, ready: threading.Semaphore) -> None:
        self.ready = ready

    def on_start(self) -> None:
        self.ready.release()

    def crash(self) -> None:
        raise ValueError("crash")


def crash_to_restarted(system: System) -> Row:
    logging.getLogger("pykka").setLevel(logging.CRITICAL)
    ready = threading.Semaphore(0)
    keeper = PlainKeeper.start(ready)
    keeper.ask("begin")
    ready.acquire()

    def plain() -> None:
        for _ in range(CRASHES):
            PlainFragile.present.tell("crash")
            ready.acquire()

    ours = threading.Semaphore(0)
    system.spawn(
        Supervisor,
        "one_for_one",
        [ChildSpec("fragile", Fragile, (ours,))],
        intensity=10**9,
        name="keeper",
    )
    ours.acquire()
    fragile = system.handle(Fragile, "fragile")

    def supervised() -> None:
        for _ in range(CRASHES):
            fragile.tell(Fragile.crash)
            ours.acquire()

    return in_turns("crash to restarted / pykka by hand", supervised, plain, CRASHES, bar=1.1)


MEMORY = f"""
import sys
import actors, pykka

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4.096

class Plain(pykka.ThreadingActor):
    use_daemon_thread = True

class Ours(actors.Actor):
    pass

system = actors.System()
make = Plain.start if sys.argv[1] == "pykka" else lambda: system.spawn(Ours)
kept = [make() for _ in range(20)]
before = resident()
kept += [make() for _ in range({IDLE})]
print((resident() - before) / {IDLE})
"""


def memory() -> Row:
    def of(which: str) -> float:
        command = [sys.executable, "-c", MEMORY, which]
        runs = [subprocess.run(command, check=True, capture_output=True) for _ in range(3)]
        return statistics.median(float(run.stdout) for run in runs)

    return Row("memory of an idle actor / pykka's", of("ours"), of("pykka"), "kB", 1.15)


def stop_many(system: System) -> Row:
    """Cost a child of ending a dynamic supervisor with 5,000 children, and with 1,000."""

    def per_child(count: int) -> float:
        pool = system.spawn(DynamicSupervisor, name="pool")
        for number in range(count):
            spec = ChildSpec(f"child-{number}", Echo, restart="temporary")
            pool.ask(DynamicSupervisor.start_child, spec)
        begun = time.perf_counter()
        assert system.stop(pool, timeout=60)
        return (time.perf_counter() - begun) / count * 1e6

    pairs = [(per_child(5000), per_child(1000)) for _ in range(5)]
    ratio = statistics.median(many / few for many, few in pairs)
    few = statistics.median(few for _, few in pairs)
    return Row("stop a child of 5,000 / of 1,000", ratio * few, few, "us", 1.3)


def measure() -> list[Row]:
    """All rows."""
    system = System("bench")
    with one_core():
        rows = [*ask_and_tell(system), crash_to_restarted(system)]
    rows += [memory(), stop_many(system)]
    system.shutdown()
    return rows
