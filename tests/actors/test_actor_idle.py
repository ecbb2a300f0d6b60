"""At rest nothing runs: no thread of a system wakes up to look whether there is work."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from actors import Actor, Backoff, ChildSpec, DynamicSupervisor, Supervisor, System


class Waiting(Actor):
    def on_start(self) -> None:
        self.send_after(3600, self.never)
        self.watch(self.system.processes.start(time.sleep, (3600,)), own=True)

    def never(self) -> None:
        raise AssertionError


def threads() -> set[str]:
    return {task.name for task in Path("/proc/self/task").iterdir()}


def switches(others: set[str]) -> dict[str, int]:
    """How often each thread but those has gone to sleep so far."""
    found = {}
    for task in Path("/proc/self/task").iterdir():
        if task.name not in others:
            status = (task / "status").read_text()
            found[task.name] = int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])
    return found


def still_for(seconds: float, others: set[str]) -> bool:
    before = switches(others)
    time.sleep(seconds)  # not for something to happen: nothing may
    return switches(others) == before


@pytest.mark.slow
def test_an_idle_system_polls_nothing(eventually: Callable[[Callable[[], object]], None]) -> None:
    others = threads()  # the runner's: pytest-xdist's wake up whenever it sends something
    system = System("idle")
    try:
        spec = ChildSpec("waiting", Waiting, backoff=Backoff())
        system.spawn(
            Supervisor, "rest_for_one", [spec, ChildSpec("pool", DynamicSupervisor)], name="root"
        )
        eventually(lambda: all(node["state"] == "idle" for node in system.tree()))
        eventually(lambda: still_for(0.05, others))
        assert still_for(0.5, others)
    finally:
        system.shutdown(timeout=5.0)
        system.processes.end_helpers()
