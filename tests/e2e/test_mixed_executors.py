"""One job with sheets on this machine and sheets on a cluster: all that holds for a job holds over
both, whatever of it dies."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e_marianne import conductor
from test_dask import CONFIG, SLOTS, Stage, named, until

from marianne.state.reader import Reader

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts" / "chaos_parts"))

from dask_cluster import DaskCluster

pytestmark = pytest.mark.timeout(900)

WITNESS = 'echo "{what} $MARIANNE_SHEET $MARIANNE_ATTEMPT" >> ledger'
BOTH = f"""
sheets:
  - &waits
    name: here
    run: |
      {WITNESS.format(what="start")}
      until test -e go; do sleep 0.05; done
      {WITNESS.format(what="end")}
  - <<: *waits
    name: there
    executor: cluster
  - name: after
    needs: [here, there]
    run: sort ledger
"""
ENDS = ["end 1 1", "end 2 1", "start 1 1", "start 2 1"]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    place = tmp_path_factory.mktemp("mixed")
    (place / "shared").mkdir(mode=0o700)
    with DaskCluster(place / "cluster", SLOTS) as cluster:
        config = CONFIG.partition("  - name: brief")[0]
        config = config.format(
            address=cluster.address,
            lease=60.0,  # nobody here is to lose one, however long a busy machine takes
            shared=place / "shared",
            nodes=cluster.directory,
        ).replace("executor: cluster", "executor: local", 1)
        with conductor(place, config) as marianne:
            made = Stage(cluster, marianne)
            made.ready()
            yield made


def nodes_of(stage: Stage, job: str) -> list[str | None]:
    return [sheet["node"] for sheet in stage.marianne.status(job)["sheets"]]


def ran_once(stage: Stage, name: str, job: str) -> None:
    stage.go(name)
    assert stage.marianne.wait(job)["status"] == "completed"
    assert sorted(stage.ledger(name)) == ENDS
    assert stage.marianne("output", job, "3").out.splitlines() == ENDS


def test_sheets_run_where_they_belong_and_see_each_other(stage: Stage) -> None:
    text = """
sheets:
  - {name: make, run: echo made > in; echo here}
  - name: far
    needs: [make]
    executor: cluster
    each: [a, b, c]
    run: cat in; echo {{ item }} >> seen
  - name: close
    needs: [far]
    executor: cluster
    skip_when: sheets[1].exit_code == 0
    run: "false"
  - name: list
    needs: [far]
    executor: cluster
    each: {command: sort seen}
    run: echo {{ item }} >> more
  - {name: report, needs: [list, close], run: sort more}
"""
    job = stage.marianne.play("parts", text)
    nodes = nodes_of(stage, job)
    assert nodes[0] is None
    assert set(nodes[1:4]) <= set(SLOTS)
    sheets = stage.marianne.status(job)["sheets"]
    assert [one["status"] for one in sheets if one["name"] == "close"] == ["skipped"]
    assert stage.marianne("output", job, "report").out == "a\nb\nc\n"
    assert stage.marianne("output", job, "2").out == "made\n"
    assert stage.marianne("output", job, "1").out == "here\n"
    tree = stage.marianne.submit("both", BOTH)
    stage.begun("both", 2)
    actors = stage.marianne.tree()
    assert {f"job:{tree}/worker", f"job:{tree}/worker:cluster"} <= set(actors)
    ran_once(stage, "both", tree)


def test_who_asks_for_an_executor_has_it_and_one_that_there_is_none_of_is_refused(
    stage: Stage,
) -> None:
    text = 'sheets:\n  - {name: s, run: "true"}\n  - {name: t, executor: local, run: "true"}\n'
    path = stage.marianne.score("asked", text)
    job = stage.marianne("run", path, "--executor", "cluster", "--wait", "--json").json["job_id"]
    there, here = nodes_of(stage, job)
    assert there in SLOTS
    assert here is None
    told = stage.marianne("run", path, "--executor", "clutser", code=2).err
    assert "no executor is called 'clutser'" in told
    assert "did you mean 'cluster'" in told
    path = stage.marianne.score("wrong", text.replace("local", "gpus"))
    for verb in ("validate", "run"):
        told = stage.marianne(verb, path, code=2).err
        assert ":5:" in told
        assert "no executor is called 'gpus' ('executors' of conductor.yaml has cluster)" in told


def test_a_pause_holds_on_both_and_so_does_going_on(stage: Stage) -> None:
    job = stage.marianne.submit("paused", BOTH)
    stage.begun("paused", 2)
    stage.marianne("pause", job)
    stage.go("paused")
    until(lambda: stage.marianne.status(job)["status"] == "paused")
    assert sorted(stage.ledger("paused")) == ENDS
    stage.marianne("resume", job)
    ran_once(stage, "paused", job)


def test_a_failure_is_tried_again_where_its_sheet_runs(stage: Stage) -> None:
    text = """
sheets:
  - &flaky
    name: here
    run: test -e "once-$MARIANNE_SHEET" || { touch "once-$MARIANNE_SHEET"; exit 3; }
    retry: {max_retries: 1, base_delay_seconds: 0.1}
  - <<: *flaky
    name: there
    executor: cluster
"""
    job = stage.marianne.play("flaky", text)
    sheets = stage.marianne.status(job)["sheets"]
    assert [one["attempt"] for one in sheets] == [2, 2]
    assert [one["node"] in SLOTS for one in sheets] == [False, True]


def test_cancel_leaves_nothing_on_either(stage: Stage) -> None:
    text = """
sheets:
  - &nasty
    name: here
    run: |
      setsid bash -c 'trap "" TERM; exec -a nasty-$MARIANNE_JOB_ID sleep 600' &
      sleep 600
  - <<: *nasty
    name: there
    executor: cluster
"""
    job = stage.marianne.submit("nasty", text)
    until(lambda: len(named(f"nasty-{job}")) == 2)
    stage.marianne("cancel", job, "--yes")
    assert stage.marianne.wait(job, code=None)["status"] == "cancelled"
    assert not named(f"nasty-{job}")


def test_a_conductor_that_is_killed_finds_what_runs_on_both(stage: Stage) -> None:
    job = stage.marianne.submit("conductor", BOTH)
    stage.begun("conductor", 2)
    before = stage.marianne.pids()["conductor"]
    os.kill(before, signal.SIGKILL)
    until(lambda: stage.marianne.pids()["conductor"] != before and stage.marianne.serves())
    ran_once(stage, "conductor", job)


def test_the_bridge_and_a_node_s_dask_worker_may_die_without_a_sheet_noticing(stage: Stage) -> None:
    job = stage.marianne.submit("bridge", BOTH)
    stage.begun("bridge", 2)
    os.kill(stage.bridge(), signal.SIGKILL)
    pid = stage.cluster.worker_pid(until(lambda: nodes_of(stage, job)[1]))
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    ran_once(stage, "bridge", job)


def test_what_the_worker_here_ran_runs_again_and_what_runs_there_goes_on(stage: Stage) -> None:
    job = stage.marianne.submit("worker", BOTH)
    stage.begun("worker", 2)
    os.kill(worker_of(stage, job), signal.SIGKILL)
    stage.begun("worker", 3)
    stage.go("worker")
    assert stage.marianne.wait(job)["status"] == "completed"
    ledger = stage.ledger("worker")
    assert sorted(ledger) == ["end 1 2", "end 2 1", "start 1 1", "start 1 2", "start 2 1"]


def test_what_a_killed_warden_ran_runs_again_and_what_runs_here_goes_on(stage: Stage) -> None:
    job = stage.marianne.submit("warden", BOTH)
    stage.begun("warden", 2)
    pid = stage.cluster.warden(until(lambda: nodes_of(stage, job)[1]))
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    stage.begun("warden", 3)
    stage.go("warden")
    assert stage.marianne.wait(job)["status"] == "completed"
    ledger = stage.ledger("warden")
    assert sorted(ledger) == ["end 1 1", "end 2 2", "start 1 1", "start 2 1", "start 2 2"]


def test_actors_that_crash_find_what_runs_on_both(stage: Stage) -> None:
    job = stage.marianne.submit("actors", BOTH)
    stage.begun("actors", 2)
    for actor in (f"job:{job}/job", f"job:{job}/worker", f"job:{job}/worker:cluster", "scheduler"):
        stage.marianne.crash(actor)
    ran_once(stage, "actors", job)


def test_a_job_that_is_cleared_leaves_no_files(stage: Stage) -> None:
    job = stage.marianne.play("cleared", BOTH.replace("until test -e go; do sleep 0.05; done", ""))
    assert list((stage.marianne.place / "shared").glob(f"*/{job}"))
    stage.marianne("clear", job, "--yes")
    until(lambda: not list((stage.marianne.place / "shared").glob(f"*/*{job}*")))
    assert not (stage.marianne.home / "jobs" / job).exists()


def test_an_executor_that_is_no_more_holds_up_its_own_sheets_alone(stage: Stage) -> None:
    """And the job goes on when it is there again."""
    job = stage.marianne.submit("gone", BOTH)
    stage.begun("gone", 2)
    file = stage.marianne.home / "conductor.yaml"
    text = file.read_text()
    stage.marianne("stop")
    file.write_text(text.replace("name: cluster", "name: other"))
    stage.marianne("start")
    assert stage.begun("gone", 3)[-1] == "start 1 2"

    def why() -> str:
        found: dict[str, Any] = stage.marianne("explain", job, "--json").json
        return " ".join(str(sheet["text"]) for sheet in found["sheets"])

    until(lambda: "no executor 'cluster' any more" in why())
    stage.marianne("stop")
    file.write_text(text)
    stage.marianne("start")
    stage.begun("gone", 5)
    stage.go("gone")
    assert stage.marianne.wait(job)["status"] == "completed"


def worker_of(stage: Stage, job: str) -> int:
    """The worker process of a job on this machine, as it is recorded."""
    with Reader(stage.marianne.home / "state.db") as reader:
        row = reader.job(job)
    assert row is not None
    assert row.worker_pid is not None
    return row.worker_pid
