"""What stands in a group ends with it, whatever it does; whose a group is, a lock says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from marianne.walls import cgroups
from marianne.walls.cgroups import Group
from marianne.walls.group_pool import Groups
from marianne.walls.group_spawn import spawn_in

ENV = {"PATH": os.environ["PATH"]}


def wait_for(condition: Callable[[], object], timeout: float = 60.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "the condition did not hold in time"
        time.sleep(0.005)


def start(group: Group, script: str, out: Path | str = os.devnull) -> int:
    """A bash script in the group; its pid."""
    descriptors = [
        group.open(),
        os.open(os.devnull, os.O_RDONLY),
        os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND),
    ]
    fd, given, into = descriptors
    try:
        return spawn_in(fd, "/bin/bash", ["bash", "-c", script], ENV, (given, into, into), ())
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_program_is_in_its_group_before_its_first_instruction(yard: Path, tmp_path: Path) -> None:
    group = Group.make(f"{yard}/a")
    assert ended(start(group, "cat /proc/self/cgroup; cat /proc/$PPID/cgroup", tmp_path / "o")) == 0
    own, parent = (
        line for line in (tmp_path / "o").read_text().splitlines() if line.startswith("0::")
    )
    assert own.endswith(f"/{yard.name}/a")
    assert parent == f"0::{cgroups.group_of(os.getpid())}"


def test_a_program_that_cannot_be_started_says_why_and_leaves_nobody(yard: Path) -> None:
    group = Group.make(f"{yard}/a")
    fd = group.open()
    with pytest.raises(FileNotFoundError, match="/no/program"):
        spawn_in(fd, "/no/program", ["program"], ENV, (0, 1, 2), ())
    with pytest.raises(ValueError) as refused:
        spawn_in(fd, "/bin/true", ["true", "a\0b"], ENV, (0, 1, 2), ())
    os.close(fd)
    assert "null byte" in str(refused.value)
    assert not group.populated


def test_each_program_finds_its_own_environment(yard: Path, tmp_path: Path) -> None:
    given: list[dict[str, str]] = [
        {"A": "1", "B": "2"},
        {"B": "3", "A": "1"},  # a value is another
        {"A": "1", "B": "3", "C": "ü\udcff"},  # one more
        {"C": "4", "D": "1"},
        {},
        {"A": "", "B": "3"},
    ]
    group = Group.make(str(yard / "one"), kept=True)
    out = tmp_path / "out"
    for env in given:
        for wanted in (env, env):  # the same again
            with pytest.raises(ValueError, match="null byte"):
                environment_of(group, env | dict.fromkeys(env, "a\0b") | {"E": "\0"}, out)
            assert environment_of(group, wanted, out) == wanted


def environment_of(group: Group, env: dict[str, str], out: Path) -> dict[str, str]:
    """What a program that is given it in the group finds."""
    fd, into = group.open(), os.open(out, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        assert ended(spawn_in(fd, "/usr/bin/env", ["env", "-0"], env, (0, into, into), ())) == 0
    finally:
        os.close(fd)
        os.close(into)
    lines = os.fsdecode(out.read_bytes()).split("\0")[:-1]
    return dict(line.split("=", 1) for line in lines)


def test_a_started_program_has_clean_signals_and_a_process_group(
    yard: Path, tmp_path: Path
) -> None:
    group, fd = Group.make(f"{yard}/a"), os.open(yard / "a", os.O_RDONLY)
    out = os.open(tmp_path / "o", os.O_WRONLY | os.O_CREAT)
    before = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    try:
        words = ["bash", "-c", "echo $$; cut -d' ' -f5 /proc/$$/stat; grep Sig /proc/$$/status"]
        pid = spawn_in(fd, "/bin/bash", words, ENV, (out, out, out), (signal.SIGPIPE,))
        assert ended(pid) == 0
    finally:
        signal.signal(signal.SIGPIPE, before)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(fd)
        os.close(out)
    own, leader, *signals = (tmp_path / "o").read_text().splitlines()
    masks = {line.split()[0]: int(line.split()[1], 16) for line in signals if "Q" not in line}
    assert own == leader == str(pid)
    assert not masks["SigBlk:"] & 1 << (signal.SIGUSR1 - 1)
    assert not masks["SigIgn:"] & 1 << (signal.SIGPIPE - 1)
    assert not group.populated


def test_what_stays_open_of_a_group_tells_what_is_now(yard: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))
    group = Group.make(f"{yard}/a", kept=True)
    assert (group.populated, group.cpu_seconds()) == (False, 0.0)
    pid = start(group, "while :; do :; done")
    assert group.populated
    wait_for(lambda: (group.cpu_seconds() or 0.0) > 0.0)
    assert group.empty(patience=60.0)
    assert ended(pid) == -signal.SIGKILL
    assert group.remove()
    assert (group.populated, group.cpu_seconds()) == (False, None)
    group.shut()
    assert set(os.listdir("/proc/self/fd")) == before


SHED = {
    "a session and an empty environment": "env -i setsid -f sleep 600; sleep 600",
    "deaf to TERM": "trap '' TERM HUP INT; while :; do sleep 1; done",
    # It has an end: RLIMIT_NPROC would not bind root.
    "a fork storm": "f() { [ $1 = 8 ] || { f $(($1 + 1)) & f $(($1 + 1)) & }; sleep 600; }; f 1",
    "stopped": "kill -STOP $$; sleep 600",
}


@pytest.mark.parametrize("kind", SHED)
def test_a_kill_leaves_nobody(yard: Path, kind: str) -> None:
    group = Group.make(f"{yard}/a")
    pid = start(group, SHED[kind])
    least = {"a fork storm": 30, "a session and an empty environment": 2}.get(kind, 1)
    wait_for(lambda: len(group.pids()) >= least)
    assert group.empty(patience=60.0)
    assert group.pids() == []
    assert ended(pid) == -signal.SIGKILL


def test_what_is_frozen_stands_still_and_goes_on_and_can_be_killed(
    yard: Path, tmp_path: Path
) -> None:
    group, out = Group.make(f"{yard}/a"), tmp_path / "o"
    pid = start(group, "while :; do echo; sleep 0.01; done", out)
    wait_for(lambda: out.exists() and out.stat().st_size > 3)
    group.freeze(True)
    wait_for(lambda: "frozen 1" in group.read("cgroup.events"))
    size = out.stat().st_size
    time.sleep(0.1)
    assert out.stat().st_size == size
    group.freeze(False)
    wait_for(lambda: out.stat().st_size > size)
    group.freeze(True)
    assert group.empty()
    assert ended(pid) == -signal.SIGKILL


def test_the_time_of_children_that_nobody_waited_for_is_counted(yard: Path) -> None:
    group = Group.make(f"{yard}/a")
    burn = "trap '' CHLD; python3 -c 'import time\nwhile time.process_time() < 0.2: pass'"
    assert ended(start(group, burn)) == 0
    seconds = group.cpu_seconds()
    assert seconds is not None
    assert seconds >= 0.2
    assert ended(start(group, ":")) == 0
    again = group.cpu_seconds()
    assert again is not None
    assert again < seconds


# -- the groups of a job


def test_a_group_is_used_again_once_it_is_empty(yard: Path) -> None:
    groups = Groups(str(yard), "job")
    first = groups.take()
    second = groups.take()
    assert first.path != second.path
    groups.give_back(first)
    assert groups.take().path == first.path
    pid = start(second, "sleep 600")
    groups.give_back(second)
    assert groups.take().path not in (first.path, second.path), "somebody lives in it"
    Group.make(f"{first.path}/own")
    groups.give_back(first)
    assert groups.take().path != first.path, "whoever was in it has divided it"
    assert groups.close()
    assert ended(pid) == -signal.SIGKILL
    assert os.listdir(yard / "job") == [] if (yard / "job").exists() else True
    assert not (yard / "job").exists()


def test_a_group_that_was_killed_is_taken_by_nobody_again(yard: Path) -> None:
    """Linux 6.14 and later ends whoever is started in it."""
    groups = Groups(str(yard), "job")
    killed = groups.take()
    pid = start(killed, "sleep 600")
    killed.kill()
    assert ended(pid) == -signal.SIGKILL
    wait_for(lambda: not killed.populated)
    groups.give_back(killed)
    another = groups.take()
    assert another.path != killed.path
    assert ended(start(another, "exit 0")) == 0
    assert not os.path.exists(killed.path), "a job may have a hundred thousand such attempts"
    groups.give_back(another)
    assert groups.close()


def test_groups_that_somebody_took_away_are_made_anew(yard: Path) -> None:
    groups = Groups(str(yard), "job")
    taken = groups.take()
    groups.give_back(taken)
    Group(str(yard / "job")).remove()
    with pytest.raises(OSError):
        start(groups.take(), "exit 0")
    groups.forget()
    os.close(groups.take().open())
    assert groups.close()


HOLDER = """
import sys
from marianne.walls.group_pool import Groups
groups = Groups(sys.argv[1], sys.argv[2])
print(groups.take().path, flush=True)
sys.stdin.read()
"""


def programs(path: str) -> list[str]:
    """What runs in a group; a shell has not come to its last program yet."""
    return [Path(f"/proc/{pid}/comm").read_text().strip() for pid in Group(path).pids()]


def test_only_what_no_living_process_holds_is_ended(yard: Path) -> None:
    holders = [
        subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(yard), job],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for job in ("held", "left")
    ]
    try:
        paths = [holder.stdout.readline().strip() for holder in holders if holder.stdout]
        pids = [start(Group(path), "setsid -f sleep 600; exec sleep 600") for path in paths]
        wait_for(lambda: all(programs(path) == ["sleep", "sleep"] for path in paths))
        assert cgroups.end_abandoned(str(yard)) == []
        left = Group(paths[1]).pids()
        holders[1].kill()
        holders[1].wait()
        assert cgroups.end_abandoned(str(yard), "held") == []
        assert sorted(cgroups.end_abandoned(str(yard))) == sorted(left)
        assert ended(pids[1]) == -signal.SIGKILL
        assert len(Group(paths[0]).pids()) == 2
        assert [one.name for one in yard.iterdir() if one.is_dir()] == ["held"]
    finally:
        for holder in holders:
            holder.kill()
            holder.communicate()
    cgroups.end_abandoned(str(yard))
    assert ended(pids[0]) == -signal.SIGKILL


def test_a_home_is_believed_only_about_groups_of_its_owner(tmp_path: Path) -> None:
    place = f"/sys/fs/cgroup/{cgroups.base_name('a')}"
    (tmp_path / cgroups.NAME_FILE).write_text(f"{place}\n")
    assert cgroups.base_of(tmp_path, "a") == place
    assert cgroups.base_of(tmp_path, "b") is None, "a copied home names the original's"
    assert cgroups.base_of(tmp_path / "none", "a") is None
