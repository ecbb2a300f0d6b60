"""A function called as another process that has our memory. Each in an interpreter of its own, for
what goes wrong would take this one along."""

from __future__ import annotations

import subprocess
import sys

import pytest

from marianne.walls import aside

pytestmark = pytest.mark.skipif(not aside.AVAILABLE, reason="this Python bounds its stack")

HEAD = """
import ctypes, gc, os, signal, sys
from marianne.walls import aside
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # a subreaper
"""


def ends(program: str) -> tuple[int, str]:
    """The exit code of these lines, and what they print."""
    done = subprocess.run(
        [sys.executable, "-c", HEAD + program],
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


def test_it_is_another_process_and_what_it_started_is_ours() -> None:
    program = """
before, fds = os.getcwd(), os.listdir("/proc/self/fd")
def there():
    os.chdir("/proc")
    os.open("/dev/null", os.O_RDONLY)
    return os.getpid(), os.posix_spawn("/bin/sh", ["sh", "-c", "exit 7"], {})
other, started = aside.call(there)
assert other != os.getpid() and os.getcwd() == before and os.listdir("/proc/self/fd") == fds
assert gc.isenabled() and signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
print(os.waitstatus_to_exitcode(os.waitpid(started, 0)[1]))
"""
    assert ends(program) == (0, "7\n")


def test_what_it_raises_is_raised_here_any_number_of_times() -> None:
    program = """
for number in range(2000):
    try:
        aside.call(lambda: {}[number])
    except KeyError as error:
        assert error.args == (number,)
try:
    os.waitpid(-1, 0)
except ChildProcessError:
    print("none left")
"""
    assert ends(program) == (0, "none left\n")


def test_a_signal_that_it_gets_is_not_ours_and_ours_is_not_lost() -> None:
    program = """
heard = []
signal.signal(signal.SIGTERM, lambda *_: heard.append(os.getpid()))
aside.call(lambda: os.kill(os.getpid(), signal.SIGTERM))
assert heard == []
aside.call(lambda: os.kill(os.getppid(), signal.SIGTERM))
print(heard == [os.getpid()])
"""
    assert ends(program) == (0, "True\n")


def test_who_is_killed_in_the_middle_takes_us_along() -> None:
    """Our interpreter stands where that one stood."""
    program = """
aside.call(lambda: os.kill(os.getpid(), signal.SIGKILL))
print("goes on")
"""
    assert ends(program) == (137, "")
