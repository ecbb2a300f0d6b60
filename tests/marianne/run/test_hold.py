"""What is held stands still, and its limits with it; it goes on, or is ended, as if nothing was."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from run_stage import Stage, wait_for

from marianne.run.child import Child, Ended
from marianne.run.enclosure import Enclosure
from marianne.run.limits import Limits, Watch
from marianne.run.nursery import Nursery
from marianne.run.watermark import Watermark


@pytest.fixture
def enclosed(stage: Stage, yard: Path) -> Stage:
    mark = Watermark(stage.owner, "a-job", claim=False)
    stage.nursery = Nursery(stage.loop, stage.owner, mark, Enclosure.of(str(yard), "job"))
    return stage


def start(stage: Stage, script: str) -> tuple[Child, list[Ended]]:
    done: list[Ended] = []
    child = stage.nursery.start(stage.command(script), done.append, f"{stage.count}.1", 0.5)
    return child, done


TICKS = "trap 'echo ended; exit 3' TERM; while :; do echo; sleep 0.01; done"


def test_a_held_child_writes_no_more_until_it_goes_on(enclosed: Stage) -> None:
    child, done = start(enclosed, TICKS)
    out = enclosed.folder / "1.out"
    wait_for(lambda: out.stat().st_size > 3)
    assert enclosed.nursery.hold(child, True)
    assert child.group is not None
    wait_for(lambda: "frozen 1" in child.group.read("cgroup.events"))
    size = out.stat().st_size
    time.sleep(0.1)
    assert out.stat().st_size == size
    assert enclosed.nursery.hold(child, False)
    wait_for(lambda: out.stat().st_size > size)
    enclosed.nursery.end(child)
    enclosed.turn_until(lambda: done, timeout=60)


def test_a_held_child_that_is_to_end_hears_its_term(enclosed: Stage) -> None:
    child, done = start(enclosed, TICKS)
    wait_for(lambda: (enclosed.folder / "1.out").stat().st_size > 3)
    enclosed.nursery.hold(child, True)
    enclosed.nursery.end(child, 60.0)
    enclosed.turn_until(lambda: done, timeout=60)
    assert done[0].exit_code == 3
    assert (enclosed.folder / "1.out").read_text().endswith("ended\n")


def test_without_a_group_nothing_is_held_and_that_is_told(stage: Stage) -> None:
    child, done = start(stage, "exec sleep 600")
    assert not stage.nursery.hold(child, True)
    stage.nursery.end(child, 0.0)
    stage.turn_until(lambda: done, timeout=60)


class Said:
    """What a watch found, and a watch of a child."""

    def __init__(self, stage: Stage, limits: Limits, script: str = "exec sleep 600") -> None:
        self.child, self.done = start(stage, script)
        self.over: list[str] = []
        outputs = tuple(str(stage.folder / f"1.{end}") for end in ("out", "err"))
        self.watch = Watch(
            stage.loop,
            stage.nursery,
            self.child,
            limits,
            outputs,
            lambda category, _: self.over.append(category),
        )


@pytest.mark.slow
@pytest.mark.parametrize("limits", [Limits(timeout=0.4), Limits(idle=0.4)], ids=["time", "silence"])
def test_a_limit_stands_still_while_its_child_is_held(enclosed: Stage, limits: Limits) -> None:
    said = Said(enclosed, limits)
    said.watch.hold(True)
    said.watch.hold(True)
    until = time.monotonic() + 1.0
    enclosed.turn_until(lambda: time.monotonic() > until)
    assert said.over == []
    said.watch.hold(False)
    begun = time.monotonic()
    enclosed.turn_until(lambda: said.over, timeout=60)
    assert said.over == ["timeout" if limits.timeout else "idle"]
    assert time.monotonic() - begun > 0.05
    enclosed.nursery.end(said.child, 0.0)
    enclosed.turn_until(lambda: said.done, timeout=60)
