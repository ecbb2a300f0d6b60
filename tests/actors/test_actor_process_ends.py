"""No process and no descriptor outlives what it belongs to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from actors import Actor, Ignore, StartError, System
from actors.process import Process, ProcessExit, open_pidfd

Eventually = Callable[[Callable[[], object]], None]


def _sleep() -> None:
    signal.pause()


class Owner(Actor):
    def start_one(self, target: Callable[..., object] = _sleep) -> Process:
        process = self.system.processes.start(target)
        self.watch(process, own=True)
        return process


class Failing(Owner):
    def __init__(self, started: list[Process], ignores: bool) -> None:
        self.started = started
        self.ignores = ignores

    def on_start(self) -> Ignore | None:
        self.started.append(self.start_one())
        if self.ignores:
            return Ignore()
        raise ValueError("not today")


@pytest.mark.parametrize("ignores", [True, False])
def test_a_start_that_comes_to_nothing_ends_the_processes_it_owned(
    system: System, ignores: bool
) -> None:
    started: list[Process] = []
    with pytest.raises(StartError):
        system.spawn(Failing, started, ignores)
    assert started[0].wait(60) == ProcessExit(signal=signal.SIGKILL)


def test_a_process_that_has_ended_is_owned_no_more(system: System, eventually: Eventually) -> None:
    ref = system.spawn(Owner)
    for _ in range(3):
        ref.ask(Owner.start_one, os.getpid).wait(60)
    lasting = ref.ask(Owner.start_one)
    eventually(lambda: len(ref.cell().owned) == 1)
    lasting.kill()
    eventually(lambda: len(ref.cell().owned) == 0)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_process_that_outlives_its_system_can_be_waited_for_and_leaves_no_descriptor(
    eventually: Eventually,
) -> None:
    System("warm").processes.start(os.getpid).wait(60)  # the forkserver has descriptors of its own
    before = descriptors()
    system = System("test")
    living = [system.processes.start(_sleep, name=str(number)) for number in range(3)]
    system.shutdown()
    assert all(process.alive() for process in living)
    for process in living:
        process.kill()
        assert process.wait(60) == ProcessExit(signal=signal.SIGKILL)
    eventually(lambda: descriptors() <= before)


PARENT = """
import os, signal, sys, time
from actors import System

def begin(how):
    import re
    with open(how, "w"):
        pass
    if how == "spins":
        re.match(r"(a+)+$", "a" * 64 + "b")  # holds the interpreter's lock for ages
    signal.pause()

if __name__ == "__main__":
    system = System()
    process = system.processes.start(begin, (sys.argv[1],))
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.01)
    time.sleep(0.1)  # for the spin, which cannot say that it has begun
    if sys.argv[1] == "stopped":
        os.kill(process.pid, signal.SIGSTOP)
    others = [system.processes.start(signal.pause), system.processes.start(os.getpid)]
    others.pop().wait()
    for one in (process, *others):
        print(one.pid, one.start_time, flush=True)
    signal.pause()
"""


@pytest.mark.parametrize("how", ["waits", "stopped", "spins"])
def test_a_child_ends_with_its_parent_also_when_it_cannot_run(how: str, tmp_path: object) -> None:
    script = f"{tmp_path}/parent.py"
    with open(script, "w") as file:
        file.write(PARENT)
    parent = subprocess.Popen(
        [sys.executable, script, how],
        stdout=subprocess.PIPE,
        text=True,
        cwd=str(tmp_path),
        env={**os.environ, "PYTHONPATH": os.pathsep.join([os.getcwd(), *sys.path])},
    )
    assert parent.stdout is not None
    children = [tuple(map(int, parent.stdout.readline().split())) for _ in range(2)]
    parent.kill()
    parent.wait(60)
    parent.stdout.close()
    deadline = time.monotonic() + 60
    while left := [pid for pid, start_time in children if _runs(pid, start_time)]:
        if time.monotonic() > deadline:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            pytest.fail("a child goes on without its parent")
        time.sleep(0.02)


def _runs(pid: int, start_time: int) -> bool:
    found = open_pidfd(pid, start_time)
    if found is not None:
        os.close(found[0])
    return found is not None and not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
