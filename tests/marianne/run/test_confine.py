"""Processes that are ours are found and ended; strangers are never touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
from run_stage import Stage, tagged, wait_for

from marianne.run import confine, marked, procfs, watermark

DEAD = procfs.Stat(0, "Z", 0, 0, 0, 0, 0.0)


def gone(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None


def sleeper(env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "60"], env=env, start_new_session=True)


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def test_a_signal_needs_the_right_start_time() -> None:
    process = sleeper()
    start = procfs.start_time(process.pid)
    assert start is not None
    assert not confine.signal_exact(process.pid, start + 1, signal.SIGKILL)
    assert not gone(process)
    assert confine.signal_exact(process.pid, start, signal.SIGKILL)
    wait_for(lambda: gone(process))


def test_a_pid_that_nobody_has_gets_no_signal() -> None:
    assert not confine.signal_exact(2**22 - 1, 1, signal.SIGKILL)


@pytest.mark.parametrize("group", [0, 1, os.getpgrp(), 2**22 - 1])
def test_no_group_of_a_stranger_is_signalled(group: int) -> None:
    assert not confine.signal_group(group, signal.SIGTERM)


def test_a_group_is_signalled_while_a_child_of_ours_is_in_it() -> None:
    process = sleeper()
    assert confine.signal_group(process.pid, signal.SIGKILL)
    wait_for(lambda: gone(process))
    assert not confine.signal_group(process.pid, signal.SIGKILL)


def test_a_ladder_tells_once_then_kills() -> None:
    script = "trap 'echo told >> told' TERM; echo up; while :; do sleep 0.02; done"
    process = subprocess.Popen(
        ["bash", "-c", script], stdout=subprocess.PIPE, start_new_session=True, cwd="/tmp"
    )
    assert process.stdout is not None
    process.stdout.readline()
    begin = time.monotonic()
    ladder = confine.Ladder(begin, 0.3)

    def press() -> bool:
        look = procfs.stat(process.pid)
        ladder.press(time.monotonic(), [look] if look and not look.dead else [])
        return gone(process)

    wait_for(press)
    assert time.monotonic() - begin >= 0.3
    process.stdout.close()


def test_what_carries_the_marker_is_found_and_ended_and_nothing_else() -> None:
    owner = uuid4().hex
    ours = sleeper({"MARIANNE_OWNER": owner, "MARIANNE_JOB_ID": "a"})
    other_job = sleeper({"MARIANNE_OWNER": owner, "MARIANNE_JOB_ID": "b"})
    stranger = sleeper({"MARIANNE_OWNER": uuid4().hex, "MARIANNE_JOB_ID": "a"})
    bare = sleeper({})
    wait_for(lambda: all(b"sleep" in cmdline(p.pid) for p in (ours, other_job, stranger, bare)))
    # The session of the tests' own children is not that of a subreaper's orphans: spare them.
    spare = [other_job.pid, stranger.pid, bare.pid]
    assert [s.pid for s in marked.left_behind(owner, "a")] == [ours.pid]
    assert ours.pid in confine.sweep_orphans(owner, "a", spare=spare)
    assert not any(map(gone, (other_job, stranger, bare)))
    assert list(marked.left_behind(owner, "b", spare=[other_job.pid])) == []
    assert list(marked.left_behind(owner, "b", since=procfs.now_ticks() + 1000)) == []
    for process in (other_job, stranger, bare):
        end(process)
    ours.returncode = 0  # reaped by the sweep


def test_a_look_goes_on_with_what_was_born_during_it(monkeypatch: pytest.MonkeyPatch) -> None:
    owner, real = uuid4().hex, procfs.snapshot
    born: list[subprocess.Popen[bytes]] = []

    def slow() -> dict[int, procfs.Stat]:
        look = real()
        for parent in ("", "sleep 60 & wait"):  # one stands alone, one's child is to be spared
            env = {"MARIANNE_OWNER": owner, "PATH": os.environ["PATH"]}
            words = ["bash", "-c", parent] if parent else ["sleep", "60"]
            born.append(subprocess.Popen(words, env=env, start_new_session=True))
        wait_for(lambda: procfs.descendants({born[1].pid}, real()).keys() - {born[1].pid})
        spare.append(born[1].pid)
        return look

    spare: list[int] = []
    monkeypatch.setattr(procfs, "snapshot", slow)
    try:
        assert [one.pid for one in marked.left_behind(owner, spare=spare)] == [born[0].pid]
    finally:
        monkeypatch.undo()
        for one in marked.left_behind(owner):
            os.kill(one.pid, signal.SIGKILL)
        for process in born:
            process.wait()


def cmdline(pid: int) -> bytes:
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read()


def test_a_child_without_environment_group_and_session_still_carries_the_watermark(
    stage: Stage,
) -> None:
    stage.nursery.start(
        stage.command("env -i setsid -f bash -c 'exec -a $TAG sleep 60'; sleep 60; :"),
        lambda _: None,
        "1.1",
        1,
    )
    orphan = wait_for(stage.daemons)[0]
    assert watermark.read(orphan) is not None
    assert watermark.read(os.getpid()) is None


def test_a_watermark_names_owner_and_job_but_not_the_worker_itself() -> None:
    # In a process of its own: the hard limit cannot be undone.
    script = """
import os, subprocess, sys
from marianne.run import marked, watermark
mark = watermark.Watermark("me", "a-job", claim=True)
mark.put_on()
child = subprocess.Popen(["env", "-i", "setsid", "sleep", "60"])
mark.take_off()
def who(pid, *of): return watermark.belongs_to(pid, *of)
print(who(child.pid, "me"), who(child.pid, "me", "a-job"), [child.pid] == [
    s.pid for s in marked.left_behind("me", "a-job")])
print(who(child.pid, "you"), who(child.pid, "me", "another"), who(os.getpid(), "me"))
child.kill()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["True True True", "False False False"]


@pytest.mark.parametrize(
    ("name", "below", "spared"),
    [("marianne-worker", "", True), ("marianne-worker", "me", False), ("sheet", "", False)],
)
def test_a_worker_that_spawns_is_taken_for_none_of_its_sheets(
    monkeypatch: pytest.MonkeyPatch, name: str, below: str, spared: bool
) -> None:
    """Its own limits carry the mark of what it spawns, for as long as that takes to its exec: a
    heart that looked in that moment killed the worker of a conductor that had died with its
    forkserver. ``below`` is whose sheet the conductor of that worker is."""
    script = """
import sys
from marianne.run import procfs, watermark
procfs.take_name(sys.argv[1])
watermark.Watermark("me", "a-job", claim=True).put_on()
print(flush=True)
sys.stdin.read()
"""
    env = {k: v for k, v in os.environ.items() if k != marked.MARKER}
    worker = subprocess.Popen(
        [sys.executable, "-c", script, name],
        env=env | ({marked.MARKER: below} if below else {}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    monkeypatch.setattr(confine, "_subreaper", True)
    try:
        assert worker.stdout is not None
        worker.stdout.readline()
        assert watermark.belongs_to(worker.pid, "me", "a-job")
        found = [one.pid for one in confine.adopted("me")]
        assert (worker.pid not in found) is spared
    finally:
        worker.kill()
        worker.communicate()


@pytest.mark.slow
def test_a_killed_worker_leaves_nothing_that_its_adopter_does_not_end(stage: Stage) -> None:
    # The worker's part is played by a bash that is killed; we are the subreaper above it.
    nasty = (
        f"trap '' TERM; (setsid bash -c 'exec -a {stage.tag} sleep 60') & "
        f"(env -i setsid -f bash -c 'exec -a {stage.tag} sleep 60'); "
        f"for i in $(seq 100); do (exec -a {stage.tag} sleep 60) & done; sleep 60; : {stage.tag}"
    )
    worker = subprocess.Popen(["setsid", "-w", "bash", "-c", nasty], start_new_session=True)
    wait_for(lambda: len(tagged(stage.tag)) >= 103)
    worker.kill()
    worker.wait()
    ended = confine.sweep_orphans(stage.owner, "a-job")
    assert tagged(stage.tag) == []
    assert len(ended) >= 103


def test_a_killed_process_is_known_to_be_ending_at_once() -> None:
    process = sleeper()
    assert not procfs.ending(process.pid)
    process.kill()
    assert procfs.ending(process.pid)
    process.wait()
    assert procfs.ending(process.pid)


def test_a_look_reads_what_the_kernel_says() -> None:
    process = sleeper()
    look = procfs.stat(process.pid)
    assert look is not None
    assert (look.pid, look.ppid, look.pgrp, look.session) == (
        process.pid,
        os.getpid(),
        process.pid,
        process.pid,
    )
    assert abs(look.start_time - procfs.now_ticks()) < 300
    assert process.pid in procfs.own_children()
    assert process.pid in procfs.descendants({os.getpid()}, procfs.snapshot())
    end(process)
    assert procfs.stat(process.pid) is None
    assert procfs.environ(process.pid) == b""


def test_children_are_found_without_the_kernels_list_too(monkeypatch: pytest.MonkeyPatch) -> None:
    process = sleeper()
    read = procfs._read
    monkeypatch.setattr(
        procfs, "_read", lambda path: None if path.endswith("/children") else read(path)
    )
    assert process.pid in procfs.own_children()
    end(process)


def test_a_name_with_brackets_and_blanks_does_not_confuse_the_look() -> None:
    process = subprocess.Popen(
        ["python3", "-S", "-c", "open('/proc/self/comm', 'w').write('a) S 1 (b'); input()"],
        stdin=subprocess.PIPE,
    )
    wait_for(lambda: b"a) S 1 (b" in comm(process.pid))
    look = procfs.stat(process.pid)
    assert look is not None
    assert look.ppid == os.getpid()
    assert process.stdin is not None
    process.stdin.close()
    process.wait()


def comm(pid: int) -> bytes:
    with open(f"/proc/{pid}/comm", "rb") as file:
        return file.read()


WORKER = """
import os, signal, subprocess, sys, time
from marianne.run import watermark
owner, place = sys.argv[1:]
os.chdir(place)
mark = watermark.Watermark(owner, "a-job", claim=True)
mark.put_on()
sheet = "trap 'touch told; exit' TERM; touch begun; while :; do sleep 0.02; done"
subprocess.Popen(["bash", "-c", sheet], start_new_session=True)
mark.take_off()

def stop(*_):
    time.sleep(0.2)
    with open("heard", "w") as file:
        file.write(f"told before: {os.path.exists('told')}")
    os._exit(0)

signal.signal(signal.SIGTERM, stop)
while not os.path.exists("begun"):
    time.sleep(0.01)
open("up", "w").close()  # now it is a worker: it bears no sheet's mark, and hears
while True:
    signal.pause()
"""


@pytest.mark.parametrize("grace", [20.0, 0.0])
def test_what_stands_below_a_worker_gets_no_signal_before_that_has_ended(
    grace: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, told = uuid4().hex, []
    argv = [sys.executable, "-c", WORKER, owner, str(tmp_path)]
    worker = subprocess.Popen(argv, start_new_session=True)
    wait_for((tmp_path / "up").exists)
    real = confine.signal_exact

    def noted(pid: int, start_time: int, signum: int) -> bool:
        told.append((pid == worker.pid, worker.poll() is None))
        return real(pid, start_time, signum)

    monkeypatch.setattr(confine, "signal_exact", noted)
    assert confine.sweep(lambda: marked.left_behind(owner), grace) == []
    worker.returncode = 0  # reaped by the sweep
    assert told[0] == (True, True)
    assert all(to_worker for to_worker, lives in told if lives)
    assert any(not to_worker for to_worker, _ in told)
    if grace:
        assert (tmp_path / "heard").read_text() == "told before: False"
        assert (tmp_path / "told").exists()


def test_where_a_look_takes_longer_than_the_patience_nothing_is_left_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process, now, looks = sleeper(), 0.0, 0

    def slow_look() -> Iterator[procfs.Stat]:
        nonlocal now, looks
        now, looks = now + 6.0, looks + 1
        if looks > 1:
            wait_for(lambda: (procfs.stat(process.pid) or DEAD).dead)
        if (found := procfs.stat(process.pid)) is not None:
            yield found

    monkeypatch.setattr(confine, "time", SimpleNamespace(monotonic=lambda: now, sleep=time.sleep))
    try:
        assert confine.sweep(slow_look) == []
        assert procfs.stat(process.pid) is None, "and it is reaped"
    finally:
        end(process)


def test_what_no_signal_ends_is_given_up_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    process = sleeper()
    monkeypatch.setattr(confine, "signal_exact", lambda *_: True)
    try:
        stuck = procfs.stat(process.pid)
        assert stuck is not None
        assert confine.sweep(lambda: [stuck], patience=0.0) == [stuck]
    finally:
        end(process)
