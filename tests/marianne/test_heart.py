"""The heart starts its conductor again, and only when it should."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

import marianne

pytestmark = pytest.mark.slow

HEART = Path(marianne.__file__).with_name("heart.py")
OWNER = "0123456789abcdef0123456789abcdef"
T = TypeVar("T")

PRELUDE = """
while [ $# -gt 0 ]; do
  case $1 in --ready-fd) ready=$2;; --heart-pid) heart=$2;; --lock-fd) lock=$2;; esac; shift
done
echo $$ >> started
serve() { printf 1 >&$ready; exec {ready}>&-; }
"""
SERVE = "serve; exec sleep 60"


def wait_for(condition: Callable[[], T], timeout: float = 60.0) -> T:
    deadline = time.monotonic() + timeout
    while not (held := condition()):
        assert time.monotonic() < deadline, "the condition did not hold in time"
        select.select([], [], [], 0.005)
    return held


class Home:
    """A home with a heart in it, whose conductor is a script."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "owner").write_text(OWNER + "\n")
        self.pid_file = folder / "conductor.pid"
        self.log = folder / "heart.log"
        self.log.touch()
        self.hearts: list[subprocess.Popen[bytes]] = []
        self.ready = -1

    def start(self, script: str, access: int = os.O_RDWR) -> subprocess.Popen[bytes]:
        """A heart whose conductors run this script."""
        (self.folder / "conductor.sh").write_text(PRELUDE + script)
        lock = os.open(self.pid_file, access | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.ready, theirs = os.pipe()
        heart = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", str(HEART), "--home", str(self.folder)),
                *("--lock-fd", str(lock), "--ready-fd", str(theirs), "--log", str(self.log)),
                *("--", "/bin/bash", str(self.folder / "conductor.sh")),
            ],
            pass_fds=(lock, theirs),
            cwd=self.folder,
            start_new_session=True,
        )
        os.close(lock)
        os.close(theirs)
        self.hearts.append(heart)
        return heart

    def conductors(self) -> list[int]:
        """The pids of all conductors so far."""
        try:
            return [int(word) for word in (self.folder / "started").read_text().split()]
        except FileNotFoundError:
            return []

    def nth(self, count: int) -> int:
        """Waits for the count-th conductor."""
        return wait_for(lambda: self.conductors()[count - 1 :])[0]

    def is_ready(self) -> bool:
        """Waits until the heart says ready, or cannot say it any more."""
        return os.read(self.ready, 1) == b"1"

    def locked(self) -> bool:
        """Whether somebody holds the lock."""
        with self.pid_file.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    def living(self) -> list[int]:
        """Processes that work in this folder, other than the heart."""
        found = []
        for name in os.listdir("/proc"):
            if not name.isdigit() or int(name) in {heart.pid for heart in self.hearts}:
                continue
            try:
                if os.readlink(f"/proc/{name}/cwd") == str(self.folder):
                    found.append(int(name))
            except OSError:
                continue
        return found

    def close(self) -> None:
        """Kills by pid what is left."""
        for heart in self.hearts:
            heart.kill()
            heart.wait()
        for pid in self.living():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.ready >= 0:
            os.close(self.ready)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    yield made
    made.close()


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}/cmdline").exists() and (
        Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    )


def test_readiness_is_passed_on_and_the_file_names_both(home: Home) -> None:
    heart = home.start(SERVE)
    assert home.is_ready()
    assert home.pid_file.read_text() == f"{home.nth(1)}\n{heart.pid}\n"
    assert os.getpgid(home.nth(1)) == home.nth(1)
    assert os.getsid(home.nth(1)) == heart.pid


def test_a_conductor_that_is_killed_again_and_again_is_replaced(home: Home) -> None:
    heart = home.start(SERVE)
    assert home.is_ready()
    for count in range(1, 9):
        os.kill(home.nth(count), signal.SIGKILL)
        home.nth(count + 1)
        assert home.locked()
    assert heart.poll() is None
    wait_for(lambda: home.pid_file.read_text() == f"{home.nth(9)}\n{heart.pid}\n")
    assert "killed by signal 9" in home.log.read_text()


def test_a_conductor_that_exits_0_ends_the_heart(home: Home) -> None:
    heart = home.start("serve; until [ -e go ]; do sleep 0.01; done; exit 0")
    assert home.is_ready()
    (home.folder / "go").touch()
    assert heart.wait(5) == 0
    assert len(home.conductors()) == 1
    assert not home.locked()


def test_a_conductor_that_cannot_start_fails_the_start_with_its_code(home: Home) -> None:
    heart = home.start("exit 2")
    assert not home.is_ready()
    assert heart.wait(5) == 2
    assert len(home.conductors()) == 1


def test_five_starts_that_never_get_ready_are_enough(home: Home) -> None:
    heart = home.start("[ -e broken ] && exit 3; serve; exec sleep 60")
    assert home.is_ready()
    (home.folder / "broken").touch()
    os.kill(home.nth(1), signal.SIGKILL)
    assert heart.wait(20) == 1
    assert len(home.conductors()) == 6
    assert "giving up" in home.log.read_text()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_stop_is_passed_on(home: Home, signum: int) -> None:
    script = "trap 'echo TERM >> got; exit 0' TERM; trap 'echo INT >> got; exit 0' INT"
    heart = home.start(f"{script}; serve; while :; do sleep 0.01; done")
    assert home.is_ready()
    heart.send_signal(signum)
    assert heart.wait(5) == 0
    assert (home.folder / "got").read_text() == signal.Signals(signum).name[3:] + "\n"
    assert home.living() == []


def test_a_conductor_that_dies_while_it_stops_is_not_replaced(home: Home) -> None:
    heart = home.start("trap : TERM; serve; setsid sleep 60 & while :; do sleep 0.01; done")
    assert home.is_ready()
    heart.send_signal(signal.SIGTERM)
    os.kill(home.nth(1), signal.SIGKILL)
    assert heart.wait(10) == 0
    assert len(home.conductors()) == 1
    assert home.living() == []


def test_a_stop_between_two_conductors_is_heard(home: Home) -> None:
    heart = home.start("[ -e broken ] && exit 3; serve; exec sleep 60")
    assert home.is_ready()
    (home.folder / "broken").touch()
    os.kill(home.nth(1), signal.SIGKILL)
    home.nth(2)
    heart.send_signal(signal.SIGTERM)
    assert heart.wait(5) == 0


def test_a_home_that_cannot_be_written_does_not_end_the_heart(home: Home) -> None:
    home.log = Path("/dev/full")
    heart = home.start(SERVE, access=os.O_RDONLY)
    assert home.is_ready()
    os.kill(home.nth(1), signal.SIGKILL)
    os.kill(home.nth(2), signal.SIGKILL)
    home.nth(3)
    heart.terminate()
    assert heart.wait(15) == 0
    assert not home.locked()


@pytest.mark.parametrize("mode", ["stop", "force", "done"])
def test_a_conductor_that_dies_over_an_order_to_stop_is_not_replaced(home: Home, mode: str) -> None:
    heart = home.start(SERVE)
    assert home.is_ready()
    (home.folder / "stop-order").write_text(f"{mode}\n\n\n")
    os.kill(home.nth(1), signal.SIGKILL)
    assert heart.wait(15) == 0
    assert len(home.conductors()) == 1


@pytest.mark.parametrize("mode", ["drain", "cancel"])
def test_a_drain_and_a_cancelling_are_brought_to_their_end_by_another_conductor(
    home: Home, mode: str
) -> None:
    heart = home.start(SERVE)
    assert home.is_ready()
    (home.folder / "stop-order").write_text(f"{mode}\n\n\n")
    os.kill(home.nth(1), signal.SIGKILL)
    home.nth(2)
    assert heart.poll() is None


def test_the_heart_s_death_does_not_touch_the_conductor(home: Home) -> None:
    heart = home.start(SERVE)
    assert home.is_ready()
    heart.kill()
    heart.wait()
    assert alive(home.nth(1))
    assert home.locked()


@pytest.mark.parametrize("how", ["passed on", "of the kernel"])
def test_a_conductor_that_boots_does_not_die_of_a_hangup(home: Home, how: str) -> None:
    """The kernel's comes to a stopped process group whose parent has gone (POSIX, _exit())."""
    heart = home.start("until test -e go; do sleep 0.01; done; touch booted; exec sleep 60")
    conductor = home.nth(1)
    if how == "passed on":
        heart.send_signal(signal.SIGHUP)
        wait_for(lambda: has_pending(conductor, signal.SIGHUP) or not alive(conductor))
    else:
        os.kill(conductor, signal.SIGSTOP)
        wait_for(lambda: state_of(conductor) == "T")
        heart.kill()
        heart.wait()
    (home.folder / "go").touch()
    wait_for(lambda: (home.folder / "booted").exists() or not alive(conductor))
    assert alive(conductor)


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]


def has_pending(pid: int, signum: int) -> bool:
    lines = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return bool(int(lines["ShdPnd"], 16) >> (signum - 1) & 1)


def test_helpers_and_orphans_of_a_dead_conductor_are_ended_and_workers_are_not(
    home: Home,
) -> None:
    # A helper (forkserver) in the heart's session with a worker below it; an orphan of a worker
    # that died: a session of its own, nothing above it.
    script = """
    if [ $(wc -l < started) = 1 ]; then
      bash -c 'echo $$ > helper; setsid bash -c "echo \\$\\$ > worker; exec sleep 60" & wait' &
      (env -i setsid -f bash -c 'echo $$ > orphan; exec sleep 60')
      until [ -s worker ] && [ -s orphan ] && [ -s helper ]; do sleep 0.01; done
    fi
    serve; exec sleep 60
    """
    home.start(script)
    assert home.is_ready()
    pids = {name: int((home.folder / name).read_text()) for name in ("helper", "worker", "orphan")}
    os.kill(home.nth(1), signal.SIGKILL)
    home.nth(2)
    wait_for(lambda: not alive(pids["orphan"]) and not alive(pids["helper"]))
    assert alive(pids["worker"])


def test_it_is_small_and_sleeps(home: Home) -> None:
    heart = home.start(SERVE)
    assert home.is_ready()
    status = Path(f"/proc/{heart.pid}/status").read_text()
    rss = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    assert rss < 12 * 1024

    def rests() -> bool:
        """Uses no time of a processor for 0.3 s: it may still have had to do with the start."""
        stat = Path(f"/proc/{heart.pid}/stat")
        before = stat.read_text().rpartition(") ")[2].split()[11:13]
        select.select([], [], [], 0.3)
        return stat.read_text().rpartition(") ")[2].split()[11:13] == before

    assert any(rests() for _ in range(5))


def test_a_bad_command_line_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(HEART), "--nonsense"], capture_output=True, check=False
    )
    assert done.returncode == 2
    assert b"--nonsense" in done.stderr


def test_of_several_that_end_at_once_each_is_collected() -> None:
    """The kernel tells of them one time: those behind the conductor stayed until the next end."""
    program = """
import os, select
from types import SimpleNamespace
from marianne.run.keeper import Keeper
pids = []
for code in (3, 4, 5):
    if (pid := os.fork()) == 0:
        os._exit(code)
    pids.append(pid)
for pid in pids:
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
keeper = Keeper.__new__(Keeper)
keeper._conductor, keeper._watch = pids[0], SimpleNamespace(pid=0)
assert keeper._reap() == 3
try:
    print(os.waitpid(-1, os.WNOHANG))
except ChildProcessError:
    print("all collected")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout == "all collected\n", done.stderr
