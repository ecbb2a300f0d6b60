"""The conductor dies; the worker and its sheets go on, or end in time."""

from __future__ import annotations

import time

import pytest
from run_conductor import Conductor
from run_stage import wait_for

from marianne.run.spool import read_spool

pytestmark = pytest.mark.slow

COUNT = "for i in $(seq 1 40); do echo $i; sleep 0.05; done"


def test_a_running_sheet_does_not_notice_three_new_conductors(conductor: Conductor) -> None:
    conductor.start(COUNT)
    conductor.hello()
    conductor.run(1)
    conductor.started(1)
    for _ in range(3):
        conductor.die()
        conductor.rebind()
        hello = conductor.hello()
        assert hello["running"] == [[1, 1]]
    assert conductor.result()["outcome"] == "completed"
    out = (conductor.job_dir / "sheets/1.1.out").read_text().split()
    assert out == [str(n) for n in range(1, 41)]


def test_a_new_conductor_hears_within_a_second(conductor: Conductor) -> None:
    conductor.start("sleep 60")
    conductor.hello()
    conductor.run(1)
    conductor.started(1)
    conductor.die()
    begin = time.monotonic()
    conductor.rebind()
    conductor.hello()
    assert time.monotonic() - begin < 1.0


def test_what_ends_between_two_conductors_is_told_to_the_second(conductor: Conductor) -> None:
    conductor.start("until [ -e go ]; do sleep 0.01; done; exit 7")
    conductor.hello()
    conductor.run(1)
    conductor.started(1)
    conductor.die()
    (conductor.workspace / "go").touch()
    spool = str(conductor.job_dir / "spool")
    wait_for(lambda: read_spool(spool))
    conductor.rebind()
    assert conductor.result()["exit_code"] == 7


def test_without_a_new_conductor_everything_ends_within_the_larger_grace(
    conductor: Conductor,
) -> None:
    stubborn = (
        "trap '' TERM; (trap '' TERM; env -i setsid -f sleep 60); while :; do sleep 0.05; done"
    )
    worker = conductor.start(stubborn, orphan_grace_seconds=0.5, sheet_grace_seconds=1.0)
    conductor.hello()
    conductor.run(1)
    conductor.started(1)
    begin = time.monotonic()
    conductor.die()
    assert worker.wait(60) == 0
    assert time.monotonic() - begin > 0.9
    assert conductor.alive() == []
    result = read_spool(str(conductor.job_dir / "spool"))[0]
    assert (result["outcome"], result["category"]) == ("interrupted", "lost")


def test_a_worker_that_nobody_welcomes_ends_itself(conductor: Conductor) -> None:
    conductor.welcome = lambda: None  # type: ignore[method-assign]
    worker = conductor.start("true", orphan_grace_seconds=0.5)
    conductor.hello()
    assert worker.wait(10) == 0


def test_a_conductor_that_is_dead_before_the_worker_starts_counts_as_lost(
    conductor: Conductor,
) -> None:
    worker = conductor.start("true", orphan_grace_seconds=0.3, conductor_start_time=1)
    conductor.welcome = lambda: None  # type: ignore[method-assign]
    assert worker.wait(10) == 0


def test_an_idle_worker_waits_for_the_next_conductor_too(conductor: Conductor) -> None:
    conductor.start("true")
    conductor.hello()
    conductor.die()
    conductor.rebind()
    conductor.hello()
    conductor.run(1)
    assert conductor.result()["outcome"] == "completed"


def test_results_that_nobody_acknowledges_are_said_again(conductor: Conductor) -> None:
    conductor.acking = False
    conductor.start("true")
    conductor.hello()
    conductor.run(1)
    conductor.result()
    conductor.messages.clear()
    conductor.until(lambda: conductor.of("results"))
