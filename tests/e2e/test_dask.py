"""Sheets on a Dask cluster of real processes: they run once, whatever of it dies under them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e_marianne import Marianne, conductor
from e2e_marianne import until as until_soon
from test_replies import OF_A_CLUSTER, Asked

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts" / "chaos_parts"))

from dask_cluster import DaskCluster

pytestmark = pytest.mark.timeout(900)

LEASE = 40.0
"""Longer than what dies takes to come back on a crowded machine: what runs is not to notice."""

SLOTS = {"node-a": 3, "node-b": 3}
CONFIG = """
executor: cluster
sheet_grace_seconds: 0.5
executors:
  - name: cluster
    kind: dask
    address: {address}
    lease_seconds: {lease}
    shared_directory: {shared}
    node_directory: {nodes}
  - name: brief
    kind: dask
    address: {address}
    lease_seconds: 4
    shared_directory: {shared}
    node_directory: {beside}
"""
WITNESS = 'echo "{what} $MARIANNE_SHEET $MARIANNE_ATTEMPT" >> ledger'
WAITS = f"""
sheets:
  - name: waits
    run: |
      {WITNESS.format(what="start")}
      until test -e go; do sleep 0.05; done
      {WITNESS.format(what="end")}
"""


def until(condition: Callable[[], Any]) -> Any:
    """A cluster is many processes, which a busy machine lets begin one after the other."""
    return until_soon(condition, 300.0)


class Stage:
    """One cluster and one conductor for the tests of this module, each with a job of its own."""

    def __init__(self, cluster: DaskCluster, marianne: Marianne) -> None:
        self.cluster, self.marianne = cluster, marianne

    def nodes(self, executor: str = "cluster") -> list[dict[str, Any]]:
        """The nodes as they are told."""
        told = self.marianne.request("daemon.executors")
        return next(list(one["nodes"]) for one in told if one["name"] == executor)

    def ready(self, executor: str = "cluster") -> None:
        """Every node is reached."""
        until(lambda: [one["state"] for one in self.nodes(executor)].count("up") == len(SLOTS))

    def ledger(self, name: str) -> list[str]:
        """What the sheets themselves have written: starts and ends."""
        try:
            return (self.marianne.place / name / "ledger").read_text().splitlines()
        except FileNotFoundError:
            return []

    def begun(self, name: str, count: int = 1) -> list[str]:
        """So many sheets have written that they began."""
        return list(until(lambda: len(self.ledger(name)) >= count and self.ledger(name)))

    def go(self, name: str) -> None:
        """The sheets that wait may end."""
        (self.marianne.place / name / "go").touch()

    def node_of(self, job: str) -> str:
        """The node that the job's attempts were claimed by."""
        shared = self.marianne.place / "shared"
        (claim,) = list(shared.glob(f"*/{job}/claims/1.1"))
        return claim.read_text()

    def bridge(self) -> int:
        """The bridge's process."""

        def found() -> int | None:
            for pid in self.marianne.processes():
                try:
                    if Path(f"/proc/{pid}/comm").read_text().strip() == "marianne-bridge":
                        return pid
                except OSError:
                    continue
            return None

        return int(until(found))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    place = tmp_path_factory.mktemp("dask")
    (place / "shared").mkdir(mode=0o700)
    with DaskCluster(place / "cluster", SLOTS) as cluster:
        config = CONFIG.format(
            address=cluster.address,
            lease=LEASE,
            shared=place / "shared",
            nodes=cluster.directory,
            beside=cluster.beside,
        )
        with conductor(place, config) as marianne:
            made = Stage(cluster, marianne)
            made.ready()
            yield made


def once(stage: Stage, name: str, job: str) -> None:
    """The waiting sheet ran once, by its own witness, and is completed."""
    stage.go(name)
    assert stage.marianne.wait(job)["status"] == "completed"
    assert stage.ledger(name) == ["start 1 1", "end 1 1"]


def test_a_job_runs_on_the_nodes_and_its_output_is_read_here(stage: Stage) -> None:
    sheets = "".join(
        f"  - {{name: s{n}, run: 'echo from $MARIANNE_SHEET'}}\n" for n in range(1, 61)
    )
    stage.ready()  # the test before may have ended a worker
    job = stage.marianne.play("many", f"sheets:\n{sheets}")
    assert stage.marianne("output", job, "7").out == "from 7\n"
    claims = list((stage.marianne.place / "shared").glob(f"*/{job}/claims/*"))
    assert len(claims) == 60
    assert {claim.read_text() for claim in claims} == set(SLOTS)


def test_what_is_asked_of_a_cluster_is_answered_as_its_type_says(stage: Stage) -> None:
    ask = Asked(stage.marianne)
    ask("daemon.executors")
    for draining in (True, False):
        ask("daemon.drain_node", node=next(iter(SLOTS)), draining=draining)
    assert (ask.methods, ask.problems) == (OF_A_CLUSTER, set())


def test_people_see_where_sheets_run(stage: Stage) -> None:
    stage.ready()
    job = stage.marianne.submit("seen", WAITS)
    stage.begun("seen")
    node = stage.node_of(job)
    until(lambda: stage.marianne.sheet(job, 1)["node"] == node)
    # What an earlier test has ended may still be leaving.
    until(lambda: [one["jobs"] for one in stage.nodes() if one["jobs"]] == [[job]])
    (told, _) = stage.marianne("executors", "--json").json
    (there,) = [one for one in told["nodes"] if one["jobs"]]
    assert (there["name"], there["jobs"], there["taken"]) == (node, [job], 1)
    assert "2 up, 1 of 6 slots taken" in stage.marianne("conductor-status").out
    assert node in stage.marianne("status", job).out
    once(stage, "seen", job)
    events = stage.marianne.request("events.since", {"job_id": job})["events"]
    assert [one["data"]["node"] for one in events if "node" in one["data"]] == [node, node]


def test_nodes_are_checked_and_drained(stage: Stage) -> None:
    stage.ready()
    stage.ready("brief")
    assert stage.marianne("executors", "--check").out.count("ok, ") == 4
    for node in SLOTS:
        stage.marianne("executors", "--drain", node)
    job = stage.marianne.submit("drained", WAITS)
    until(lambda: "drained" in stage.marianne("explain", job).out)
    stage.marianne("executors", "--resume", "node-b")
    stage.begun("drained")
    assert stage.node_of(job) == "node-b"
    stage.marianne("executors", "--resume", "node-a")
    once(stage, "drained", job)
    assert "no node 'nobody'" in stage.marianne("executors", "--drain", "nobody", code=None).err


def test_a_sheet_that_fails_is_tried_again_and_checked(stage: Stage) -> None:
    text = """
sheets:
  - name: flaky
    run: test -e once || { touch once; exit 3; }
    retry: {max_retries: 1, base_delay_seconds: 0.1}
    validate: [{file_exists: once}]
"""
    job = stage.marianne.play("flaky", text)
    assert stage.marianne.sheet(job, 1)["attempt"] == 2


NASTY = """
sheets:
  - name: nasty
    run: |
      setsid bash -c 'trap "" TERM; exec -a nasty-$MARIANNE_JOB_ID sleep 600' &
      sleep 600
"""


LISTS = """
sheets:
  - name: fetch
    run: mkdir -p in; touch in/a in/b in/c; echo three
  - name: each
    needs: [fetch]
    each: {glob: "in/*"}
    run: echo "{{ item }}" >> seen
    retry: {max_retries: 1}
  - name: report
    needs: [each]
    run: sort seen
"""


def test_a_list_that_a_node_has_made_becomes_sheets_on_all(stage: Stage) -> None:
    job = stage.marianne.play("lists", LISTS)
    assert stage.marianne("output", job, "3").out == "in/a\nin/b\nin/c\n"
    assert stage.marianne.status(job)["progress"]["completed"] == 6


def test_cancel_leaves_nothing_on_the_nodes(stage: Stage) -> None:
    job = stage.marianne.submit("nasty", NASTY)
    until(lambda: named(f"nasty-{job}"))
    stage.marianne("cancel", job, "--yes")
    assert stage.marianne.wait(job, code=None)["status"] == "cancelled"
    assert not named(f"nasty-{job}")


def named(mark: str) -> list[int]:
    """Living processes of this name."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            if Path(f"/proc/{entry}/cmdline").read_bytes().startswith(mark.encode()):
                found.append(int(entry))
        except OSError:
            continue
    return found


def test_a_stop_ends_what_runs_on_the_nodes_and_the_next_conductor_goes_on(stage: Stage) -> None:
    job = stage.marianne.submit("stopped", WAITS)
    stage.begun("stopped")
    stage.marianne("stop")
    until(lambda: not set(stage.cluster.wardens()) - set(stage.cluster.own_wardens()))
    stage.marianne("start")
    assert stage.begun("stopped", 2) == ["start 1 1", "start 1 2"]
    stage.go("stopped")
    assert stage.marianne.wait(job)["status"] == "completed"
    assert stage.ledger("stopped") == ["start 1 1", "start 1 2", "end 1 2"]


def test_a_job_that_is_cleared_leaves_nothing_in_the_shared_directory(stage: Stage) -> None:
    job = stage.marianne.play("cleared", 'sheets:\n  - {name: s, run: "true"}\n')
    assert list((stage.marianne.place / "shared").glob(f"*/{job}"))
    stage.marianne("clear", job, "--yes")
    until(lambda: not list((stage.marianne.place / "shared").glob(f"*/*{job}*")))


def test_a_worker_that_is_killed_is_not_noticed_by_its_sheets(stage: Stage) -> None:
    job = stage.marianne.submit("worker", WAITS)
    stage.begun("worker")
    pid = stage.cluster.worker_pid(stage.node_of(job))
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    once(stage, "worker", job)


def test_a_bridge_that_is_killed_is_replaced(stage: Stage) -> None:
    job = stage.marianne.submit("bridge", WAITS)
    stage.begun("bridge")
    os.kill(stage.bridge(), signal.SIGKILL)
    once(stage, "bridge", job)


def test_a_conductor_that_is_killed_finds_what_runs(stage: Stage) -> None:
    job = stage.marianne.submit("conductor", WAITS)
    stage.begun("conductor")
    before = stage.marianne.pids()["conductor"]
    os.kill(before, signal.SIGKILL)
    until(lambda: stage.marianne.pids()["conductor"] != before and stage.marianne.serves())
    once(stage, "conductor", job)


def test_a_scheduler_that_is_started_anew_is_not_noticed_by_sheets(stage: Stage) -> None:
    job = stage.marianne.submit("scheduler", WAITS)
    stage.begun("scheduler")
    stage.cluster.kill_scheduler()
    stage.cluster.start_scheduler()
    stage.ready()
    stage.go("scheduler")
    assert stage.marianne.wait(job)["status"] == "completed"
    # Its workers end with it. A busy machine may take longer than a lease to start others.
    again = ["start 1 1", "start 1 2", "end 1 2"]
    assert stage.ledger("scheduler") in (["start 1 1", "end 1 1"], again)


def test_what_a_killed_warden_ran_is_gone_and_runs_again(stage: Stage) -> None:
    job = stage.marianne.submit("warden", WAITS)
    stage.begun("warden")
    pid = stage.cluster.warden(stage.node_of(job))
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert stage.begun("warden", 2) == ["start 1 1", "start 1 2"]
    stage.go("warden")
    assert stage.marianne.wait(job)["status"] == "completed"
    assert stage.ledger("warden") == ["start 1 1", "start 1 2", "end 1 2"]


def test_a_node_that_is_lost_ends_all_with_its_lease_and_another_goes_on(stage: Stage) -> None:
    stage.ready("brief")
    job = stage.marianne.submit("node", f"executor: brief{WAITS}")
    stage.begun("node")
    node = stage.node_of(job)
    stage.cluster.kill_nanny(node)
    until(lambda: stage.marianne.sheet(job, 1)["node"] not in (None, node))
    stage.go("node")
    assert stage.marianne.wait(job)["status"] == "completed"
    *starts, end = stage.ledger("node")
    # On a crowded machine so short a lease may be over at any time.
    assert starts == [f"start 1 {number}" for number in range(1, len(starts) + 1)]
    assert end == f"end 1 {len(starts)}"
    stage.cluster.start_nanny(node)


def test_without_a_node_a_sheet_waits_and_says_for_what(stage: Stage) -> None:
    for name in SLOTS:
        stage.cluster.kill_nanny(name)
    stage.cluster.kill_scheduler()
    job = stage.marianne.submit("alone", WAITS)

    def why() -> str:
        sheets = stage.marianne("explain", job, "--json").json["sheets"]
        return str(sheets[0]["text"]) if sheets else ""

    until(lambda: "Dask scheduler" in why() and stage.cluster.address in why())
    stage.cluster.start_scheduler()
    for name in SLOTS:
        stage.cluster.start_nanny(name)
    stage.begun("alone")
    once(stage, "alone", job)
