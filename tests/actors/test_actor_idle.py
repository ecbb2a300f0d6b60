"""At rest nothing runs: no thread of a system wakes up to look whether there is work."""

from __future__ import annotations

import os
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


def switches() -> dict[str, int]:
    """How often each thread but this one has gone to sleep so far."""
    found = {}
    for task in Path("/proc/self/task").iterdir():
        if int(task.name) != os.getpid():
            status = (task / "status").read_text()
            found[task.name] = int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])
    return found


def still_for(seconds: float) -> bool:
    before = switches()
    time.sleep(seconds)  # not for something to happen: nothing may
    return switches() == before


@pytest.mark.slow
def test_an_idle_system_polls_nothing(
    system: System, eventually: Callable[[Callable[[], object]], None]
) -> None:
    spec = ChildSpec("waiting", Waiting, backoff=Backoff())
    system.spawn(
        Supervisor, "rest_for_one", [spec, ChildSpec("pool", DynamicSupervisor)], name="root"
    )
    eventually(lambda: all(node["state"] == "idle" for node in system.tree()))
    eventually(lambda: still_for(0.05))
    assert still_for(0.5)
    system.stop(system.handle(Supervisor, "root"))
    system.processes.end_helpers()
