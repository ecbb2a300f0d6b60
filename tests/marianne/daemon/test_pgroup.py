"""Who of the processes below a conductor is of its group and ends with it; what it collects."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from marianne.daemon.pgroup import ProcessGroupManager

PROGRAM = """
import os, signal, subprocess, sys, time
from marianne.daemon.shared.log import early_lines
from marianne.daemon.pgroup import ProcessGroupManager
from marianne.run import procfs
from marianne.run.confine import become_subreaper

group, before = ProcessGroupManager(), os.getpgrp()
group.setup()
assert group.is_leader and group.original_pgid == before != os.getpgrp()
assert f"'before': {before}" in early_lines()[0]
inherited = subprocess.Popen(["sleep", "10"])
become_subreaper()
ours = subprocess.Popen(["bash", "-c", "sleep 10 & echo $!; wait"], stdout=subprocess.PIPE)
below = int(ours.stdout.readline())
stranger = subprocess.Popen(["sleep", "10"], process_group=0)
assert group.kill_all_children(0) == os.getpgrp()
group.kill_all_children(signal.SIGSTOP)
how = os.waitid(os.P_PID, ours.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT).si_code
assert how == os.CLD_STOPPED, "it was asked for another signal"
group.end_all_children()
assert group.kill_all_children(0) == 0
alive = [procfs.stat(pid) for pid in (inherited.pid, ours.pid, below, stranger.pid)]
print(*(one is not None and not one.dead for one in alive))
for one in (inherited, stranger):
    one.kill()
    one.wait()
ours.wait()
"""


def test_the_whole_group_below_it_ends_and_nobody_else() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout.split()) == (0, ["True", "False", "False", "True"]), (
        done.stderr
    )


ADOPTED = """
import os, signal, subprocess
from marianne.daemon.pgroup import ProcessGroupManager
from marianne.run.confine import become_subreaper

become_subreaper()
group = ProcessGroupManager()
leaves = subprocess.Popen(["bash", "-c", "sleep 0.01 & echo $!"], stdout=subprocess.PIPE)
orphan = int(leaves.stdout.readline())
leaves.wait()
backend, lives = subprocess.Popen(["true"]), subprocess.Popen(["sleep", "60"], stderr=-3, stdout=-3)
try:
    for pid in (orphan, backend.pid):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    group.track_backend_pid(backend.pid)
    assert group.cleanup_orphans() == [orphan]
    assert not os.path.exists(f"/proc/{orphan}") and lives.poll() is None
    assert os.waitid(os.P_PID, backend.pid, os.WEXITED), "its owner learns its end"
    group.untrack_backend_pid(backend.pid)
    assert group.cleanup_orphans() == []
finally:
    lives.kill()
    lives.wait()
"""


def test_an_orphan_that_ended_is_collected_and_nothing_else() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ADOPTED], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def orphan() -> Iterator[Callable[[str], int]]:
    """Makes what a sheet of an earlier conductor left: in a session of its own, its parent gone."""
    left: list[int] = []

    def leave(owner: str) -> int:
        env = {**os.environ, "MARIANNE_OWNER": owner, "MARIANNE_JOB_ID": "j", "MARIANNE_SHEET": "1"}
        words = ["setsid", "bash", "-c", "sleep 600 </dev/null >/dev/null 2>&1 & echo $!"]
        left.append(int(subprocess.run(words, env=env, check=True, capture_output=True).stdout))
        return left[-1]

    yield leave
    for pid in left:
        if _lives(pid):
            os.kill(pid, signal.SIGKILL)


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_what_an_earlier_conductor_left_is_ended_by_its_mark_and_no_stranger(
    orphan: Callable[[str], int],
) -> None:
    owner, group = secrets.token_hex(16), ProcessGroupManager()
    left, tracked, stranger = orphan(owner), orphan(owner), orphan("another home's")
    assert group.reap_orphaned_backends() == [], "nobody has said whose it is"
    group.belong_to(owner)
    group.track_backend_pid(tracked)
    assert group.reap_orphaned_backends() == [left]
    assert [_lives(pid) for pid in (left, tracked, stranger)] == [False, True, True]
    group.untrack_backend_pid(tracked)
    assert group.reap_orphaned_backends() == [tracked]
