"""In a control group a sheet's processes are known as its own, whatever they shed."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from run_stage import Stage, wait_for

from marianne.run.child import Child, Ended
from marianne.run.enclosure import Enclosure
from marianne.run.nursery import Nursery
from marianne.run.spawn import SpawnError
from marianne.run.watermark import Watermark
from marianne.walls.cgroups import Group, group_of
from marianne.walls.group_pool import Groups


@pytest.fixture
def enclosed(stage: Stage, yard: Path) -> Stage:
    """The stage, with a control group for each child."""
    enclosure = Enclosure(Groups(str(yard), "job"))
    mark = Watermark(stage.owner, "a-job", claim=False)
    stage.nursery = Nursery(stage.loop, stage.owner, mark, enclosure)
    return stage


def start(stage: Stage, script: str, grace: float = 0.3, **limits: float) -> tuple[Child, list]:
    done: list[Ended] = []
    child = stage.nursery.start(
        stage.command(script), done.append, f"{stage.count}.1", grace, limits
    )
    return child, done


SHED = "env -i prlimit --rttime=1000000000:1000000000 setsid -f bash -c 'exec -a $TAG sleep 600'"


def test_what_shed_everything_ends_with_its_own_attempt(enclosed: Stage) -> None:
    """Another that is older might be its origin, by all but the group."""
    older, _ = start(enclosed, "exec -a $TAG sleep 600")
    _, done = start(enclosed, SHED)
    enclosed.turn_until(lambda: done, timeout=60)
    assert done[0].exit_code == 0
    assert len(done[0].left_running) == 1
    assert enclosed.alive() == [older.pid]
    enclosed.nursery.end(older, 0.0)
    enclosed.turn_until(lambda: not enclosed.alive(), timeout=60)


def test_a_fork_storm_is_gone_with_its_first_kill(enclosed: Stage) -> None:
    # It has an end: RLIMIT_NPROC would not bind root.
    storm = "f() { [ $1 = 8 ] || { f $(($1 + 1)) & f $(($1 + 1)) & }; (exec -a $TAG sleep 600); }"
    storm = f"trap '' TERM; {storm}; f 1"
    child, done = start(enclosed, storm, grace=0.0)
    wait_for(lambda: len(enclosed.alive()) > 50)
    enclosed.nursery.end(child)
    enclosed.turn_until(lambda: done, timeout=60)
    assert enclosed.alive() == []
    assert done[0].survivors == ()
    assert done[0].signal == signal.SIGKILL


def test_what_runs_after_one_that_had_to_be_killed_runs(enclosed: Stage) -> None:
    left = "setsid -f bash -c 'trap \"\" TERM; while :; do sleep 0.1; done'"
    for _ in range(3):
        child, done = start(enclosed, left, grace=0.0)
        enclosed.turn_until(lambda done=done: done, timeout=60)
        assert (done[0].exit_code, done[0].signal) == (0, None)
    assert child.group is not None


def test_where_no_group_can_be_made_it_runs_as_without(
    stage: Stage, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    mark = Watermark(stage.owner, "a-job", claim=False)
    enclosure = Enclosure(Groups(str(tmp_path / "no" / "such"), "job"))
    stage.nursery = Nursery(stage.loop, stage.owner, mark, enclosure)
    for _ in range(2):
        child, done = start(stage, "exit 7")
        stage.turn_until(lambda done=done: done, timeout=60)
        assert (done[0].exit_code, child.group) == (7, None)
    assert capfd.readouterr().err.count("no control group") == 1


def test_limits_that_nobody_keeps_are_waited_for_unless_they_are_a_wish(stage: Stage) -> None:
    with pytest.raises(OSError, match="nobody keeps max_processes here"):
        start(stage, "exit 0", max_processes=5)
    _, done = start(stage, "exit 0", max_processes=5, best_effort=True)
    stage.turn_until(lambda: done, timeout=60)
    assert done[0].exit_code == 0


def test_a_program_that_is_not_there_is_its_own_fault_in_a_group_too(enclosed: Stage) -> None:
    command = enclosed.command("exit 0")
    command.argv = ["no-such-program"]
    with pytest.raises(SpawnError) as refused:
        enclosed.nursery.start(command, lambda _: None, "1.1", 0.3)
    assert refused.value.category == "not_found"
    script = enclosed.folder / "script"
    script.write_text("#!/no/interpreter\n")
    script.chmod(0o755)
    command.argv = [str(script)]
    with pytest.raises(SpawnError, match="the interpreter that it names does not exist"):
        enclosed.nursery.start(command, lambda _: None, "1.1", 0.3)
    _, done = start(enclosed, "exit 3")
    enclosed.turn_until(lambda: done, timeout=60)
    assert done[0].exit_code == 3


def test_groups_that_were_taken_away_are_made_again(enclosed: Stage, yard: Path) -> None:
    first, done = start(enclosed, "exit 0")
    enclosed.turn_until(lambda: done, timeout=60)
    assert Group(str(yard / "job")).remove()
    again, done = start(enclosed, "exec -a $TAG sleep 600")
    assert first.group is not None
    assert again.group is not None
    assert again.group.holds(group_of(again.pid))
    enclosed.nursery.end(again, 0.0)
    enclosed.turn_until(lambda: done, timeout=60)


@pytest.mark.slow
def test_the_time_of_children_that_nobody_waits_for_counts(enclosed: Stage) -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    _, done = start(enclosed, f"trap '' CHLD; python3 -c '{burn}' & sleep 0.01; wait")
    enclosed.turn_until(lambda: done, timeout=60)
    assert done[0].cpu_seconds >= 0.3
    _, again = start(enclosed, ":")
    enclosed.turn_until(lambda: again, timeout=60)
    assert again[0].cpu_seconds < done[0].cpu_seconds


def test_the_worker_leaves_no_group_behind(enclosed: Stage, yard: Path) -> None:
    _, done = start(enclosed, "exec -a $TAG sleep 600")
    assert enclosed.nursery._enclosure.close()
    enclosed.turn_until(lambda: done, timeout=60)
    assert not (yard / "job").exists()


# -- limits, where the controllers are of version 2


@pytest.fixture
def bounded(enclosed: Stage, yard: Path) -> Stage:
    """The same, with what keeps limits."""
    top = yard.parent
    for folder in (top, yard):
        for name in ("memory", "pids", "cpu", "io"):
            if name not in (folder / "cgroup.controllers").read_text().split():
                pytest.skip(f"the controller {name} is not to be had here")
            (folder / "cgroup.subtree_control").write_text(f"+{name}")
    return enclosed


ALLOCATE = "import mmap; m = mmap.mmap(-1, {0} << 20); m.write(b'x' * ({0} << 20)); print('all')"


def test_a_sheet_that_takes_more_memory_is_ended_before_it_has_it(bounded: Stage) -> None:
    child, done = start(bounded, f'python3 -c "{ALLOCATE.format(1000)}"', max_memory_mb=100)
    bounded.turn_until(lambda: done, timeout=60)
    assert child.group is not None
    assert int(child.group.read("memory.peak")) <= 100 << 20
    assert "wanted more than 100 MB of memory" in done[0].exceeded
    assert done[0].exit_code != 0
    assert "all" not in (bounded.folder / "1.out").read_text()
    assert child.kept("memory.max")
    _, done = start(bounded, f'python3 -c "{ALLOCATE.format(40)}"', max_memory_mb=100)
    bounded.turn_until(lambda: done, timeout=60)
    assert (done[0].exit_code, done[0].exceeded) == (0, ""), "what was before is not its fault"


def test_a_limit_of_one_attempt_is_none_of_the_next_in_its_group(bounded: Stage) -> None:
    first, done = start(bounded, "exit 0", max_memory_mb=100, max_processes=5, max_cpus=0.5)
    bounded.turn_until(lambda: done, timeout=60)
    second, done = start(bounded, f'python3 -c "{ALLOCATE.format(200)}"')
    bounded.turn_until(lambda: done, timeout=60)
    assert first.group is second.group is not None
    assert done[0].exit_code == 0
    files = ("memory.max", "pids.max", "memory.oom.group", "memory.swap.max")
    assert [second.group.read(name).strip() for name in files] == ["max", "max", "0", "max"]
    assert second.group.read("cpu.max").split()[0] == "max"


def test_a_fork_bomb_meets_its_limit(bounded: Stage) -> None:
    bomb = "f() { f & f & exec -a $TAG sleep 600; }; f"
    child, done = start(bounded, bomb, max_processes=30)
    group = child.group
    assert group is not None
    wait_for(lambda: int(group.read("pids.events").split()[1]) > 0)
    assert int(group.read("pids.peak")) <= 30
    bounded.nursery.end(child, 0.0)
    bounded.turn_until(lambda: done, timeout=60)
    assert bounded.alive() == []
    assert "refused another process" in done[0].exceeded


def test_processors_and_shares_are_what_was_written(bounded: Stage) -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    child, done = start(
        bounded, f"python3 -c '{burn}'", max_cpus=0.25, cpu_weight=20, high_memory_mb=300
    )
    begun = time.monotonic()
    bounded.turn_until(lambda: done, timeout=120)
    assert child.group is not None
    assert time.monotonic() - begun > 0.3 / 0.25 * 0.7
    assert child.group.read("cpu.max") == "25000 100000\n"
    assert child.group.read("cpu.weight") == "20\n"
    assert child.group.read("memory.high") == f"{300 << 20}\n"
