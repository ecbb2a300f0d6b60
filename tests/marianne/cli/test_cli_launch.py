"""Starting, stopping and replacing a conductor: real processes, one lock, evidence of death."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipc.client import Client
from marianne.cli import leaving
from marianne.daemon.boot import launch
from marianne.home import Home
from marianne.run import stop_order

STANDIN = str(Path(__file__).with_name("cli_standin.py"))

pytestmark = pytest.mark.slow


def _gone(pid: int) -> bool:
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    os.close(fd)
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "Z"


def _until(condition, seconds: float = 60.0) -> None:
    pause = threading.Event()
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        pause.wait(0.005)


@pytest.fixture
def standin(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """Conductors are stand-ins; the one that is left at the end is killed."""
    monkeypatch.setattr(
        launch, "command", lambda home: [sys.executable, STANDIN, "--home", str(home.path)]
    )
    yield home
    for pid in (home.heart(), home.holder()):
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
    _until(lambda: not home.running())


def test_start_returns_when_the_conductor_serves(standin: Home) -> None:
    result = launch.start(standin, wait=20)
    assert not result.already_running
    with Client(standin.conductor_sock) as client:
        assert client.request("hello")["pid"] == result.pid
    assert os.getsid(result.pid) == standin.heart() != os.getsid(0)


def test_start_of_a_running_one_names_it(standin: Home, marianne) -> None:
    first = launch.start(standin, wait=20)
    assert launch.start(standin, wait=20) == launch.LaunchResult(first.pid, already_running=True)
    told = marianne("start", "--json")
    assert told.json == {"pid": first.pid, "already_running": True}


def test_of_two_that_start_at_once_both_find_the_same_one(standin: Home) -> None:
    results: list[launch.LaunchResult] = []
    threads = [
        threading.Thread(target=lambda: results.append(launch.start(standin, wait=20)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {result.pid for result in results} == {standin.holder()}
    assert [result.already_running for result in results].count(False) == 1


def test_a_conductor_gets_no_mark_of_a_sheet(standin: Home, monkeypatch) -> None:
    for name in ("MARIANNE_JOB_ID", "MARIANNE_SHEET", "MARIANNE_OWNER", "MARIANNE_ATTEMPT"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("MARIANNE_LOG_LEVEL", "debug")
    monkeypatch.delenv("MARIANNE_TEST_JOBS", raising=False)
    launch.start(standin, wait=20)
    with Client(standin.conductor_sock) as client:
        environment = client.request("test.environment")
    marks = {name for name in environment if name.startswith("MARIANNE_")}
    # The last is the heart's own word to the conductor.
    assert marks == {"MARIANNE_HOME", "MARIANNE_LOG_LEVEL", "MARIANNE_ORIGINAL_LIMITS"}


def test_a_start_inside_a_sheet_says_how_long_the_conductor_lives(
    standin: Home, marianne, monkeypatch
) -> None:
    monkeypatch.setenv("MARIANNE_JOB_ID", "outer")
    told = marianne("start")
    assert told.code == 0
    assert "ends with that sheet" in told.err


def test_a_bad_config_exits_2_with_the_conductors_own_words(standin, marianne, monkeypatch) -> None:
    monkeypatch.setenv("STANDIN", "fail")
    told = marianne("start")
    assert told.code == 2
    assert "conductor.yaml:3:1: unknown key 'portt'" in told.err


def test_a_crash_at_the_start_is_told_without_its_traceback(standin, marianne, monkeypatch) -> None:
    monkeypatch.setenv("STANDIN", "crash")
    told = marianne("start")
    assert told.code == 3
    assert "RuntimeError: the reason" in told.err
    assert "Traceback" not in told.err


def test_a_start_waits_for_the_lock_of_one_that_was_killed(standin: Home) -> None:
    standin.prepare()
    lock = standin.lock()
    assert lock is not None
    dead = subprocess.Popen(["true"])
    dead.wait()
    lock.write(dead.pid, dead.pid)
    threading.Timer(0.2, lock.release).start()
    assert not launch.start(standin, wait=20).already_running


def test_one_that_does_not_come_up_in_time_is_told(standin, marianne, monkeypatch) -> None:
    monkeypatch.setenv("STANDIN", "silent")
    told = marianne("start", "--timeout", "0.5")
    assert told.code == 3
    assert "not ready within 0.5 s" in told.err
    _until(standin.running)


def test_stop_returns_when_the_process_is_gone(standin: Home, marianne) -> None:
    pid = launch.start(standin, wait=20).pid
    told = marianne("stop")
    assert (told.code, told.out) == (0, f"conductor stopped (pid {pid})\n")
    assert not standin.running()
    _until(lambda: _gone(pid))
    assert marianne("stop").out == "no conductor is running\n"


@pytest.fixture
def deaf(standin: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """One that runs and answers no wish to stop."""
    monkeypatch.setattr(leaving, "ASK_SECONDS", 0.3)
    monkeypatch.setenv("STANDIN", "deaf")
    launch.start(standin, wait=20)
    return standin


def test_one_that_does_not_listen_is_told_by_a_signal(deaf: Home, marianne) -> None:
    assert marianne("stop").code == 0
    assert not deaf.running()


def test_one_that_does_not_answer_for_a_while_drains_all_the_same(deaf: Home, marianne) -> None:
    """The signal would mean `stop`: what runs would be interrupted because the machine is slow."""
    assert marianne("stop", "--drain", "600", "--timeout", "3").code == 124
    assert deaf.running()
    order = stop_order.read(deaf.path)
    assert order is not None
    assert order.mode == "drain"


def test_one_that_does_not_answer_is_told_by_a_signal_when_the_time_of_its_drain_is_up(
    deaf: Home, marianne
) -> None:
    marianne("stop", "--drain", "1")
    assert not deaf.running()


def test_stop_gives_up_at_its_timeout(standin: Home, marianne, monkeypatch) -> None:
    monkeypatch.setattr(leaving, "_ask", lambda *_: {})
    launch.start(standin, wait=20)
    told = marianne("stop", "--timeout", "200ms")
    assert told.code == 124
    assert standin.running()


def test_restart_ends_with_another_process_that_serves(standin: Home, marianne) -> None:
    old = launch.start(standin, wait=20).pid
    told = marianne("restart", "--json")
    assert told.code == 0
    assert told.json["old_pid"] == old
    assert told.json["pid"] == standin.holder() != old


def test_restart_starts_one_when_none_runs(standin: Home, marianne) -> None:
    told = marianne("restart", "--json")
    assert told.json == {"pid": standin.holder(), "old_pid": None}


def test_a_start_begins_before_the_rest_of_the_program_is_imported(home: Home) -> None:
    code = (
        "import sys\n"
        "from marianne.cli import main\n"
        "from marianne.daemon.boot import launch\n"
        "launch.begin = lambda *_: print('click' in sys.modules)\n"
        "sys.argv = ['marianne', 'start']\n"
        "main.main()\n"
    )
    command = [sys.executable, "-c", code]
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    assert told.stdout.splitlines()[0] == "False"
    assert not home.running()
