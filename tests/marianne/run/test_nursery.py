"""Every child tree ends with its leader, whatever its members do to get away."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

import pytest
from run_stage import Stage, wait_for

from marianne.run import procfs
from marianne.run.child import Child, Ended
from marianne.run.spawn import SpawnError

SLEEP = "exec -a $TAG sleep 60"
NASTY = {
    "plain child": f"({SLEEP}) >/dev/null 2>&1 &",
    "child that holds stdout": f"({SLEEP}) &",
    "setsid child": f"setsid bash -c '{SLEEP}' &",
    "double-forked daemon": f"(setsid bash -c '({SLEEP}) & ' &) ",
    "child that ignores TERM": f"(trap '' TERM; {SLEEP}) &",
    "loop that ignores TERM": "(trap '' TERM; : $TAG; while :; do sleep 0.05; done) &",
    "child that cleared its environment": f"env -i setsid bash -c '{SLEEP}' &",
    "daemon without any trace": f"(env -i setsid -f bash -c '{SLEEP}') ",
    "stopped child": f"({SLEEP}) & kill -STOP $!",
    "tree of 40": f"for i in 1 2 3 4; do (for j in $(seq 10); do ({SLEEP}) & done; wait) & done",
    "tree of 40 in own sessions": (
        "for i in 1 2 3 4; do "
        f"setsid bash -c 'for j in $(seq 10); do ({SLEEP}) & done; wait' & done"
    ),
}
READY = "\nsleep 0.1"


class Done:
    """Collects what a nursery reports."""

    def __init__(self) -> None:
        self.ended: list[Ended] = []

    def __call__(self, ended: Ended) -> None:
        self.ended.append(ended)


def start(stage: Stage, script: str, grace: float = 0.3) -> tuple[Child, Done]:
    done = Done()
    child = stage.nursery.start(stage.command(script), done, f"{stage.count}.1", grace)
    return child, done


def test_an_exit_code_is_reported(stage: Stage) -> None:
    _, done = start(stage, "exit 7")
    stage.turn_until(lambda: done.ended)
    assert (done.ended[0].exit_code, done.ended[0].signal) == (7, None)
    assert done.ended[0].left_running == ()
    assert len(stage.nursery) == 0


def test_a_signal_is_reported(stage: Stage) -> None:
    _, done = start(stage, "kill -9 $$")
    stage.turn_until(lambda: done.ended)
    assert (done.ended[0].exit_code, done.ended[0].signal) == (None, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("kind", NASTY)
def test_what_a_finished_child_leaves_running_is_ended_and_named(stage: Stage, kind: str) -> None:
    _, done = start(stage, NASTY[kind] + READY)
    stage.turn_until(lambda: done.ended)
    assert stage.alive() == []
    assert done.ended[0].exit_code == 0
    assert done.ended[0].left_running
    assert done.ended[0].survivors == ()


@pytest.mark.slow
@pytest.mark.parametrize("kind", NASTY)
def test_ending_a_child_ends_its_whole_tree_within_the_grace(stage: Stage, kind: str) -> None:
    """The grace that is given with the end, not the ten minutes of its own that it began with."""
    script = NASTY[kind] + "\ntrap '' TERM; while :; do sleep 0.05; done"
    child, done = start(stage, script, grace=600.0)
    wait_for(lambda: len(stage.alive()) >= 2)
    stage.nursery.end(child, 0.3)
    stage.turn_until(lambda: done.ended)
    assert stage.alive() == []
    assert done.ended[0].signal == signal.SIGKILL


def test_a_grace_of_zero_kills_at_once(stage: Stage) -> None:
    script = "trap 'echo > asked' TERM; echo > up; while :; do sleep 0.05; done"
    child, done = start(stage, script, grace=600.0)
    wait_for((stage.folder / "up").exists)
    stage.nursery.end(child, 0)
    stage.turn_until(lambda: done.ended)
    assert done.ended[0].signal == signal.SIGKILL
    assert not (stage.folder / "asked").exists(), "it was asked first"


def test_a_child_may_clean_up_during_the_grace(stage: Stage) -> None:
    child, done = start(stage, "trap 'echo bye > cleaned; exit 3' TERM; echo > up; sleep 60 & wait")
    wait_for((stage.folder / "up").exists)
    stage.nursery.end(child, 5)
    stage.turn_until(lambda: done.ended)
    assert done.ended[0].exit_code == 3
    assert (stage.folder / "cleaned").read_text() == "bye\n"


def test_ending_again_with_less_grace_hurries(stage: Stage) -> None:
    child, done = start(stage, "trap '' TERM; while :; do sleep 0.05; done")
    wait_for(stage.alive)
    stage.nursery.end(child, 600)
    stage.nursery.end(child, 0)
    stage.turn_until(lambda: done.ended)


def test_what_is_just_ending_may_finish_in_peace(stage: Stage) -> None:
    _, done = start(stage, "exec > >(sleep 0.03; cat > log); echo word")
    stage.turn_until(lambda: done.ended)
    assert (stage.folder / "log").read_text() == "word\n"
    assert done.ended[0].left_running == ()


@pytest.mark.slow
def test_a_child_of_a_running_sheet_is_left_alone_when_another_sheet_ends(stage: Stage) -> None:
    lasting, lasting_done = start(
        stage, f"(env -i setsid -f bash -c '{SLEEP}'); echo > up; sleep 60; :"
    )
    wait_for((stage.folder / "up").exists)
    daemon = wait_for(stage.daemons)[0]
    for _ in range(5):
        _, done = start(stage, f"(env -i setsid -f bash -c '{SLEEP}'); sleep 0.05")
        stage.turn_until(lambda: done.ended)  # noqa: B023
        assert len(done.ended[0].left_running) == 1
        assert daemon in stage.alive()
    stage.nursery.end(lasting, 0.2)
    stage.turn_until(lambda: lasting_done.ended)
    assert stage.alive() == []


@pytest.mark.slow
def test_a_fork_bomb_of_sessions_is_outrun(stage: Stage) -> None:
    hop = Path(stage.folder / "hop.py")
    hop.write_text(
        # Bounded: where this test is killed, nobody else would ever end it.
        "import os, time\nopen('up', 'w')\nend = time.monotonic() + 120\n"
        "while time.monotonic() < end:\n    if os.fork():\n        os._exit(0)\n    os.setsid()\n"
    )
    child, done = start(stage, f"python3 -I -S hop.py {stage.tag} & sleep 60")
    # It hops faster than a look through /proc: whether it is seen now is luck.
    wait_for((stage.folder / "up").exists)
    stage.nursery.end(child, 0.1)
    stage.turn_until(lambda: done.ended)
    assert stage.alive() == []
    assert done.ended[0].survivors == ()


def test_the_memory_of_the_spawner_is_not_that_of_a_small_child(stage: Stage) -> None:
    _, done = start(stage, "true")
    stage.turn_until(lambda: done.ended)
    assert done.ended[0].peak_mb == 0.0


@pytest.mark.parametrize("program", ["exec {}", "{} & wait", "bash -c '{}; :'; :"])
def test_the_memory_of_a_small_child_is_seen_while_it_lives(stage: Stage, program: str) -> None:
    """Also of one below it; the spawner's, which it has until its exec, is not taken for it."""
    grows = 'python3 -I -S -c "x = bytearray(8 << 20); import time; time.sleep(60)"'
    child, done = start(stage, program.format(grows))
    wait_for(lambda: procfs.high_water_mb(child.pid) > 8)
    stage.nursery.look_at_memory(child)
    assert 8 < child.peak_mb < child.floor_kb / 1024
    child.peak_mb, child.floor_kb = 0.0, 1
    stage.nursery.look_at_memory(child)
    assert child.peak_mb == 0.0, "it may be the spawner's"
    stage.nursery.end(child, 0.1)
    stage.turn_until(lambda: done.ended)


@pytest.mark.slow
def test_cpu_and_memory_of_the_tree_are_counted(stage: Stage) -> None:
    # More than this process has, and had at most.
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024 + 50
    _, done = start(stage, f"python3 -S -c 'x = bytearray({most} << 20); sum(range(2000000))'")
    stage.turn_until(lambda: done.ended)
    assert done.ended[0].peak_mb > most
    assert done.ended[0].cpu_seconds > 0.01


def test_a_missing_program_is_an_error_and_leaves_nothing(stage: Stage) -> None:
    command = stage.command("")
    command.argv = ["no-such-program-here"]
    with pytest.raises(SpawnError) as raised:
        stage.nursery.start(command, Done(), "1.1", 1)
    assert raised.value.category == "not_found"
    assert "no-such-program-here" in raised.value.message
    assert len(stage.nursery) == 0
