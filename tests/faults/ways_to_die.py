"""Every way for a sheet to end that the orphan matrix knows. Used by the suite and scripts/chaos.

A way gets a home whose sheet runs with its children, lets it happen, and returns the moment from
which on survivors count (`time.monotonic()`). It checks what must be true besides: who lives on,
how the job stands. ``afterwards`` runs when the look has found nobody.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orphan_home import GRACE, Home, field, kill, wait_for

SHORT = 1.0
"""The orphan grace where nobody takes the worker over: it must run out."""


LONGEST_STEP = 0.5
"""Between fork and exec a step of a child's loop looks like the child; so long it does not stay."""


@dataclass(frozen=True)
class Way:
    """``orphan_grace`` and ``timeout`` are settings; ``grace`` is what the way is allowed, s."""

    happen: Callable[[Home], float]
    afterwards: Callable[[Home], object] = lambda home: None
    orphan_grace: float = 20.0
    timeout: str | None = None
    grace: float = GRACE


def the_sheet_ends(home: Home) -> float:
    (home.workspace / "go").touch()
    return time.monotonic()


def reported_what_it_left(home: Home) -> None:
    assert home.ends("completed")["left_running"]


def it_runs_out_of_time(home: Home) -> float:
    leader = home.leader
    wait_for(lambda: not field(leader, 3))
    return time.monotonic()


def failed_by(category: str) -> Callable[[Home], None]:
    def check(home: Home) -> None:
        assert home.ends("failed")["error"]["category"] == category

    return check


def command(*words: str) -> Callable[[Home], float]:
    """A command that returns when no process is left, so survivors count from its return on."""

    def happen(home: Home) -> float:
        begin = time.monotonic()
        home.must(*words)
        assert home.alive() == []
        return begin

    return happen


def cancelled(home: Home) -> float:
    return command("cancel", home.job, "--yes")(home)


def nothing_of_ours(home: Home) -> None:
    left = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in home.ours()}
    assert not left, left


def nothing_of_ours_soon(home: Home) -> None:
    """What waits for the death of all of ours outlives it by as long as the group takes to go."""
    wait_for(lambda: not home.ours(), 5)


def signalled(signum: signal.Signals) -> Callable[[Home], float]:
    def happen(home: Home) -> float:
        os.kill(home.conductor, signum)
        return time.monotonic()

    return happen


def kill_the_leader(home: Home) -> float:
    kill(home.leader)
    return time.monotonic()


def kill_the_worker(home: Home) -> float:
    kill(home.worker)
    return time.monotonic()


def second_attempt(home: Home) -> None:
    assert home.ends("completed")["attempt"] == 2


def unhurt(home: Home, happen: Callable[[], object]) -> None:
    """The sheet and its children are the same before and after."""
    before = set(home.lasting())
    time.sleep(LONGEST_STEP)
    lasting = before & set(home.lasting())
    leader = home.leader
    happen()
    assert home.leader == leader
    assert lasting <= set(home.alive())


def kill_the_forkserver(home: Home) -> float:
    worker, conductor = home.worker, home.conductor

    def happen() -> None:
        kill(home.forkserver)
        wait_for(lambda: field(worker, 4) == str(conductor))

    unhurt(home, happen)
    return cancelled(home)


def kill_the_forkserver_and_the_worker(home: Home) -> float:
    kill(home.forkserver, home.worker)
    return time.monotonic()


def replaced(home: Home, old: int) -> None:
    wait_for(lambda: home.conductor != old and home.serves())
    wait_for(lambda: home.status()["sheets"][0]["status"] == "running")


def kill_the_conductor(home: Home) -> float:
    def happen() -> None:
        old = home.conductor
        kill(old)
        replaced(home, old)

    unhurt(home, happen)
    assert home.sheet()["attempt"] == 1
    return cancelled(home)


def kill_the_heart(home: Home) -> float:
    conductor = home.conductor

    def happen() -> None:
        kill(home.heart)
        wait_for(lambda: not home.serves())

    unhurt(home, happen)
    assert home.conductor == conductor
    return command("stop")(home)


def kill_worker_and_conductor(home: Home) -> float:
    kill(home.worker, home.conductor)
    return time.monotonic()


def kill_forkserver_and_conductor(home: Home) -> float:
    def happen() -> None:
        old = home.conductor
        kill(home.forkserver, old)
        replaced(home, old)

    unhurt(home, happen)
    return cancelled(home)


def stop_the_worker_kill_the_conductor(home: Home) -> float:
    """The next conductor wakes a worker that says nothing, which then goes on as if nothing was."""

    def happen() -> None:
        old, worker = home.conductor, home.worker
        os.kill(worker, signal.SIGSTOP)
        kill(old)
        replaced(home, old)
        wait_for(lambda: field(worker, 3) != "T")

    unhurt(home, happen)
    assert home.sheet()["attempt"] == 1
    return cancelled(home)


def kill_heart_and_conductor(home: Home) -> float:
    kill(home.heart, home.conductor)
    return time.monotonic()


def a_hung_conductor_is_forced(home: Home) -> float:
    os.kill(home.conductor, signal.SIGSTOP)
    home.must("stop", "--force")
    assert home.alive() == []
    return time.monotonic()


def kill_heart_and_conductor_and_start(home: Home) -> float:
    def happen() -> None:
        kill(home.heart, home.conductor)
        home.must("start")
        wait_for(lambda: home.sheet()["status"] == "running")

    unhurt(home, happen)
    assert home.sheet()["attempt"] == 1
    return command("stop")(home)


def kill_all_four_and_start(home: Home) -> float:
    leader = home.leader
    kill(home.heart, home.conductor, home.forkserver, home.worker)
    assert home.walled or field(leader, 3), "nobody was left to end it"
    home.must("start")
    return time.monotonic()


def kill_all_four(home: Home) -> float:
    """Nothing is started afterwards: what ends the sheet is not ours, or has no name of ours."""
    kill(home.heart, home.conductor, home.forkserver, home.worker)
    return time.monotonic()


def nothing_of_ours_and_no_group(home: Home) -> None:
    nothing_of_ours_soon(home)
    wait_for(lambda: not home.groups())


WALLED_WAYS: dict[str, Way] = {"KILL all four": Way(kill_all_four, nothing_of_ours_and_no_group)}
"""Where a wall stands: a control group, a PID namespace."""

WAYS: dict[str, Way] = {
    "sheet ends": Way(the_sheet_ends, reported_what_it_left),
    "timeout": Way(it_runs_out_of_time, failed_by("timeout"), timeout="4s"),
    "cancel": Way(cancelled),
    "stop": Way(command("stop"), nothing_of_ours),
    "stop --force": Way(command("stop", "--force"), nothing_of_ours),
    "STOP conductor, stop --force": Way(a_hung_conductor_is_forced, nothing_of_ours),
    "TERM": Way(signalled(signal.SIGTERM), nothing_of_ours_soon),
    "INT": Way(signalled(signal.SIGINT), nothing_of_ours_soon),
    "KILL leader": Way(kill_the_leader, failed_by("signal")),
    "KILL worker": Way(kill_the_worker, second_attempt),
    "KILL forkserver": Way(kill_the_forkserver),
    "KILL conductor": Way(kill_the_conductor),
    "KILL heart": Way(kill_the_heart, nothing_of_ours_soon),
    "KILL forkserver, worker": Way(kill_the_forkserver_and_the_worker, second_attempt),
    "KILL forkserver, conductor": Way(kill_forkserver_and_conductor),
    "KILL worker, conductor": Way(kill_worker_and_conductor, second_attempt),
    "STOP worker, KILL conductor": Way(stop_the_worker_kill_the_conductor),
    "KILL heart, conductor": Way(
        kill_heart_and_conductor, nothing_of_ours_soon, orphan_grace=SHORT, grace=SHORT
    ),
    "KILL heart, conductor, start": Way(kill_heart_and_conductor_and_start, nothing_of_ours),
    "KILL all four, start": Way(kill_all_four_and_start, second_attempt),
}
