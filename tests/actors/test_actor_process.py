"""Processes as children: started, watched, adopted, signalled, and never a stranger."""

from __future__ import annotations

import multiprocessing.util
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from actors import Actor, System, forkserver
from actors.process import Process, ProcessExit, start_time_of
from actors.processes import Processes

Eventually = Callable[[Callable[[], object]], None]


@pytest.fixture
def processes(system: System) -> Iterator[Processes]:
    system.processes.end_helpers()  # a forkserver that an earlier test left has other modules
    yield system.processes
    system.processes.end_helpers()


def ended(pid: int) -> bool:
    """Also true of a zombie: when it is reaped is its parent's affair."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):  # the latter when it is reaped meanwhile
        return True


class Owner(Actor):
    def __init__(self) -> None:
        self.exits: list[ProcessExit] = []
        self.gate = False

    def start_sleeper(self) -> int:
        process = self.system.processes.start(time.sleep, (60,), "sleeper")
        self.watch(process, own=True)
        return process.pid

    def on_process_exit(self, process: object, how: ProcessExit) -> None:
        self.exits.append(how)

    def seen(self) -> list[ProcessExit]:
        return list(self.exits)


def test_the_exit_code_of_a_started_process_is_known(processes: Processes) -> None:
    assert processes.start(os._exit, (7,)).wait(60) == ProcessExit(exit_code=7)


def test_a_target_named_by_its_module_is_imported_in_the_child_alone(
    processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "childs_own.py").write_text("import os\ndef leave(code):\n    os._exit(code)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert processes.start("childs_own:leave", (7,)).wait(60) == ProcessExit(exit_code=7)
    assert "childs_own" not in sys.modules


def test_the_signal_that_ended_a_process_is_known(processes: Processes) -> None:
    process = processes.start(time.sleep, (60,))
    assert process.alive()
    assert process.kill()
    assert process.wait(60) == ProcessExit(signal=signal.SIGKILL)
    assert not process.alive()


def test_a_process_that_has_ended_is_never_signalled(processes: Processes) -> None:
    process = processes.start(os._exit, (0,))
    assert process.wait(60) == ProcessExit(exit_code=0)
    assert not process.signal(signal.SIGTERM)


def test_a_watching_actor_gets_one_message(
    system: System, processes: Processes, eventually: Eventually
) -> None:
    owner = system.spawn(Owner)
    pid = owner.ask(Owner.start_sleeper)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: owner.ask(Owner.seen))
    assert owner.ask(Owner.seen) == [ProcessExit(signal=signal.SIGKILL)]


def test_killing_an_actor_kills_the_process_that_it_owns(
    system: System, processes: Processes, eventually: Eventually
) -> None:
    owner = system.spawn(Owner)
    pid = owner.ask(Owner.start_sleeper)
    system.kill(owner)
    eventually(lambda: ended(pid))


def test_death_of_the_forkserver_is_no_death_of_its_children(processes: Processes) -> None:
    process = processes.start(time.sleep, (60,))
    processes.end_helpers()
    assert process.wait(0.2) is None
    assert process.alive()
    process.kill()
    assert process.wait(60) == ProcessExit()  # nobody was left who could know how it ended


def _exit_with_blocked_signals() -> None:
    os._exit(3 + len(signal.pthread_sigmask(signal.SIG_BLOCK, ())))


def test_a_forkserver_that_is_replaced_hears_of_its_children(
    processes: Processes, eventually: Eventually
) -> None:
    """Whoever starts the next one may block signals, which are inherited."""
    processes.prepare()
    processes.start(os.getpid).wait(60)
    os.kill(server := processes.forkserver_pids()[0], signal.SIGKILL)
    eventually(lambda: ended(server))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGCHLD, signal.SIGTERM))
    try:
        process = processes.start(_exit_with_blocked_signals)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert process.wait(60) == ProcessExit(exit_code=3)


def test_a_forkserver_that_stalls_is_replaced(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes.start(os._exit, (0,)).wait(60)
    os.kill(processes.forkserver_pids()[0], signal.SIGSTOP)
    with monkeypatch.context() as patch:
        patch.setattr("actors.processes.STALL_SECONDS", 0.3)
        with pytest.raises((OSError, EOFError)):
            processes.start(os._exit, (0,))
    deadline = time.monotonic() + 60
    while True:
        try:
            assert processes.start(os._exit, (7,)).wait(60) == ProcessExit(exit_code=7)
            return
        except OSError:  # the killed one is not gone yet
            assert time.monotonic() < deadline


@pytest.mark.parametrize("dead", [False, True])
def test_a_forkserver_whose_temporary_files_were_removed_is_replaced(
    processes: Processes, eventually: Eventually, dead: bool
) -> None:
    processes.start(os._exit, (0,)).wait(60)
    server = processes.forkserver_pids()[0]
    if dead:
        os.kill(server, signal.SIGKILL)
        eventually(lambda: ended(server))
    removed = Path(multiprocessing.util.get_temp_dir())
    shutil.rmtree(removed)
    try:
        for code in (7, 8):
            assert processes.start(os._exit, (code,)).wait(60) == ProcessExit(exit_code=code)
    finally:
        removed.mkdir(exist_ok=True)  # multiprocessing removes it when the tests end
    assert ended(server)


class Keeper(Actor):
    def __init__(self) -> None:
        self.ends = 0

    def keep(self, known: Process | None = None) -> Process:
        process = self.system.processes.forkserver(known)
        if process is not known:
            self.watch(process)
        return process

    def on_process_exit(self, process: Process, how: ProcessExit) -> None:
        self.ends += 1

    def heard(self) -> int:
        return self.ends


def test_whoever_watches_the_forkserver_is_told_of_its_end_and_can_have_another(
    system: System, processes: Processes, eventually: Eventually
) -> None:
    keeper = system.spawn(Keeper)
    first = keeper.ask(Keeper.keep)
    assert keeper.ask(Keeper.keep, first) is first
    first.kill()
    eventually(lambda: keeper.ask(Keeper.heard) == 1)
    second = keeper.ask(Keeper.keep, first)
    assert second.pid != first.pid
    assert processes.forkserver_pids()[0] == second.pid
    assert processes.start(os._exit, (7,)).wait(60) == ProcessExit(exit_code=7)


def test_a_process_that_cannot_be_watched_is_not_left_running(
    processes: Processes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    processes.start(os._exit, (0,)).wait(60)

    def none_left(pid: int) -> int:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr("os.pidfd_open", none_left)
        with pytest.raises(OSError, match="Too many"):
            processes.start(_leave_number_and_sleep, (str(tmp_path / "pid"),))
        with pytest.raises(OSError, match="Too many"):
            processes.adopt(os.getpid(), start_time_of(os.getpid()) or 0)
    born = tmp_path / "pid"
    deadline = time.monotonic() + 60
    while born.exists() and not ended(int(born.read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _leave_number_and_sleep(path: str) -> None:
    Path(path + ".part").write_text(str(os.getpid()))
    Path(path + ".part").rename(path)
    time.sleep(60)


def test_a_process_is_adopted_by_pid_and_start_time(processes: Processes) -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        start_time = start_time_of(child.pid)
        assert start_time is not None
        process = processes.adopt(child.pid, start_time)
        assert process is not None
        process.kill()
        assert process.wait(60) == ProcessExit(signal=signal.SIGKILL)
        child.returncode = -9  # the watcher has reaped it


def test_a_process_that_nobody_has_reaped_yet_is_not_adopted(processes: Processes) -> None:
    child = subprocess.Popen(["true"])
    try:
        # WNOWAIT: it has ended, and stays a zombie.
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        start_time = start_time_of(child.pid)
        assert start_time is not None
        assert processes.adopt(child.pid, start_time) is None
    finally:
        child.wait()


def test_a_stranger_with_the_same_pid_is_not_adopted(processes: Processes) -> None:
    assert processes.adopt(os.getpid(), 1) is None


def test_helpers_can_be_named_and_ended(processes: Processes) -> None:
    processes.start(os._exit, (0,)).wait(60)
    pids = processes.forkserver_pids()
    assert len(pids) == 2
    processes.end_helpers()
    assert processes.forkserver_pids() == []
    assert [start_time_of(pid) for pid in pids] == [None, None]


def test_helpers_that_are_ended_for_good_are_not_made_anew_by_a_start_that_is_under_way(
    processes: Processes, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A conductor that was told to stop as it was just settling in left its forkserver's socket."""
    processes.start(os._exit, (0,)).wait(60)
    begun, go_on = threading.Event(), threading.Event()
    look = forkserver.end_unreachable

    def slow_look() -> None:
        begun.set()
        assert go_on.wait(60)
        look()

    monkeypatch.setattr(forkserver, "end_unreachable", slow_look)
    with ThreadPoolExecutor(2) as pool:
        start = pool.submit(processes.start, os._exit, (0,))
        assert begun.wait(60)
        ending = pool.submit(processes.end_helpers, for_good=True)
        eventually(lambda: not processes.forkserver_pids())
        go_on.set()
        ending.result(60)
        start.exception(60)
    assert processes.forkserver_pids() == []
    with pytest.raises(OSError, match="have been ended"):
        processes.start(os._exit, (0,))
    with pytest.raises(OSError, match="have been ended"):
        processes.forkserver()
    assert processes.forkserver_pids() == []


def test_a_preload_that_fails_is_not_silent(processes: Processes) -> None:
    with pytest.raises(RuntimeError, match="no_such_module"):
        processes.prepare(preload=["no_such_module"])
    processes.end_helpers()
    processes.prepare(preload=["sqlite3"])


def test_without_the_tracker_the_forkserver_is_the_only_helper(processes: Processes) -> None:
    processes.without_tracker()
    assert processes.start(os._exit, (3,)).wait(60) == ProcessExit(exit_code=3)
    assert len(processes.forkserver_pids()) == 1


def test_a_child_looks_for_garbage_but_not_in_what_was_preloaded(processes: Processes) -> None:
    processes.prepare()
    says = "import gc, os; os._exit(gc.isenabled() and gc.get_freeze_count() > 1_000)"
    assert processes.start(exec, (says,)).wait(60) == ProcessExit(exit_code=1)


ORPHAN = """
import os, sys, time
from actors import System

if __name__ == "__main__":
    system = System("parent")
    process = system.processes.start(time.sleep, (60,), die_with_parent=sys.argv[1] == "dies")
    print(process.pid, flush=True)
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("fate", ["dies", "survives"])
def test_a_child_dies_with_its_killed_parent_if_it_was_asked_to(
    tmp_path: object, fate: str, eventually: Eventually
) -> None:
    script = f"{tmp_path}/parent.py"
    with open(script, "w") as file:
        file.write(ORPHAN)
    command = [sys.executable, script, fate]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())  # not to the end: a survivor holds the pipe
    if fate == "dies":
        eventually(lambda: ended(pid))
    else:
        assert not ended(pid)
        os.kill(pid, signal.SIGKILL)


def test_a_number_that_is_a_threads_by_now_is_of_no_process(processes: Processes) -> None:
    tids: list[int] = []
    known, enough = threading.Event(), threading.Event()

    def be_a_thread() -> None:
        tids.append(threading.get_native_id())
        known.set()
        enough.wait()

    thread = threading.Thread(target=be_a_thread)
    thread.start()
    try:
        known.wait()
        assert processes.adopt(tids[0], 1) is None
    finally:
        enough.set()
        thread.join()
