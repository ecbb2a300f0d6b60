"""Sheets in allocations of a real Slurm: they run once, whatever of it dies under them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_marianne import Marianne, conductor, until

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts" / "chaos_parts"))

import slurm_box

MISSING = slurm_box.missing()
pytestmark = [
    pytest.mark.skipif(MISSING is not None, reason=f"no Slurm here: {MISSING}"),
    pytest.mark.timeout(2400),
]

CONFIG = """
executor: hpc
sheet_grace_seconds: 0.5
executors:
  - name: hpc
    kind: slurm
    lease_seconds: 3
    shared_directory: {place}/shared
    node_directory: {place}/nodes
    pilots: {{count: 2, cpus: 3, seconds: 600, idle_seconds: 2, partition: short, look_seconds: 1}}
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


class Stage:
    """One Slurm and one conductor for the tests of this module, each with a job of its own."""

    def __init__(self, box: slurm_box.SlurmBox, marianne: Marianne) -> None:
        self.box, self.marianne = box, marianne

    def ledger(self, name: str) -> list[str]:
        """What the sheets themselves have written: starts and ends."""
        try:
            return (self.marianne.place / name / "ledger").read_text().splitlines()
        except FileNotFoundError:
            return []

    def begun(self, name: str, count: int = 1) -> list[str]:
        """So many sheets have written that they began."""
        return list(until(lambda: len(self.ledger(name)) >= count and self.ledger(name)))

    def once(self, name: str, job: str) -> None:
        """The waiting sheet ran once, by its own witness, and is completed."""
        (self.marianne.place / name / "go").touch()
        assert self.marianne.wait(job)["status"] == "completed"
        assert self.ledger(name) == ["start 1 1", "end 1 1"]

    def bridge(self) -> int:
        """The bridge's process."""
        (pid,) = [pid for pid in self.marianne.processes() if name_of(pid) == "marianne-bridge"]
        return pid

    def node_of(self, job: str) -> str:
        """The node that the job's first attempt was claimed by."""
        (claim,) = (self.marianne.place / "shared").glob(f"*/{job}/claims/1.1")
        return claim.read_text()


def name_of(pid: int) -> str:
    """What the kernel calls a process; empty for one that is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    place = tmp_path_factory.mktemp("slurm")
    (place / "shared").mkdir(mode=0o700)
    with slurm_box.slurm_box(place / "box") as box:
        env = {name: box.env[name] for name in ("SLURM_CONF", "PATH")}
        with conductor(place, CONFIG.format(place=place), env) as marianne:
            yield Stage(box, marianne)


def test_pilots_come_with_sheets_run_them_and_go_when_there_are_none(stage: Stage) -> None:
    sheets = "".join(
        f"  - {{name: s{n}, run: 'echo from $MARIANNE_SHEET in $SLURM_JOB_ID'}}\n"
        for n in range(1, 41)
    )
    until(lambda: stage.box.jobs() == {})
    job = stage.marianne.play("many", f"sheets:\n{sheets}")
    assert stage.marianne("output", job, "7").out.startswith("from 7 in ")
    claims = list((stage.marianne.place / "shared").glob(f"*/{job}/claims/*"))
    assert len(claims) == 40
    until(lambda: stage.box.jobs() == {})
    numbers = {claim.read_text().rpartition("-")[2] for claim in claims}
    left = (stage.marianne.place / "nodes").glob("*/*")
    assert not numbers & {place.name.rpartition("-")[2] for place in left}


def test_cancel_leaves_nothing_in_the_allocation(stage: Stage) -> None:
    nasty = """
sheets:
  - name: nasty
    run: |
      setsid bash -c 'trap "" TERM; exec -a nasty-$MARIANNE_JOB_ID sleep 600' &
      sleep 600
"""
    job = stage.marianne.submit("nasty", nasty)
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


@pytest.mark.parametrize("daemon", ["slurmctld", "n1"])
def test_a_daemon_of_slurm_dies_and_comes_back_while_the_sheet_runs(
    stage: Stage, daemon: str
) -> None:
    name = f"without-{daemon}"
    job = stage.marianne.submit(name, WAITS)
    stage.begun(name)
    stage.box.save()
    stage.box.kill_daemon(daemon)
    stage.once(name, job)
    stage.box.start_daemon(daemon)
    until(stage.box.ready)


def test_the_bridge_dies_and_the_next_one_finds_the_pilots(stage: Stage) -> None:
    job = stage.marianne.submit("bridged", WAITS)
    stage.begun("bridged")
    os.kill(stage.bridge(), signal.SIGKILL)
    stage.once("bridged", job)


def test_the_conductor_is_killed_and_the_sheet_runs_on(stage: Stage) -> None:
    job = stage.marianne.submit("taken", WAITS)
    stage.begun("taken")
    os.kill(stage.marianne("conductor-status", "--json").json["pid"], signal.SIGKILL)
    stage.once("taken", job)


def test_the_step_of_the_connection_is_killed_and_opened_again(stage: Stage) -> None:
    job = stage.marianne.submit("cut", WAITS)
    stage.begun("cut")
    number = stage.node_of(job).rpartition("-")[2]
    tunnels = [pid for pid in stage.box.steps(number) if "batch" not in title(pid)]
    assert tunnels
    for pid in tunnels:
        os.kill(pid, signal.SIGKILL)
    stage.once("cut", job)


def title(pid: int) -> str:
    """What a process calls itself."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode()


def lost(stage: Stage, name: str, job: str) -> None:
    """The first attempt is interrupted, and a second one runs elsewhere."""
    stage.begun(name, 2)
    (stage.marianne.place / name / "go").touch()
    done = stage.marianne.wait(job)
    assert (done["status"], done["sheets"][0]["attempt"]) == ("completed", 2)
    assert stage.ledger(name) == ["start 1 1", "start 1 2", "end 1 2"]


def test_the_slurmstepd_of_a_pilot_is_killed_and_the_sheet_runs_in_another(stage: Stage) -> None:
    job = stage.marianne.submit("stepless", WAITS)
    stage.begun("stepless")
    number = stage.node_of(job).rpartition("-")[2]
    for pid in stage.box.steps(number):
        os.kill(pid, signal.SIGKILL)
    lost(stage, "stepless", job)


def test_an_allocation_that_is_taken_away_is_no_failure(stage: Stage) -> None:
    job = stage.marianne.submit("preempted", WAITS)
    stage.begun("preempted")
    stage.box.run("scancel", stage.node_of(job).rpartition("-")[2])
    lost(stage, "preempted", job)


def test_while_a_pilot_waits_in_the_queue_explain_says_so(stage: Stage) -> None:
    until(lambda: stage.box.jobs() == {})
    hold = stage.box.run(
        "sbatch", "--parsable", "-o/dev/null", "-N2", "--exclusive", "--wrap=sleep 600"
    )
    until(lambda: "RUNNING" in stage.box.jobs().values())
    job = stage.marianne.submit("queued", 'sheets: [{name: a, run: "true"}]\n')
    words = "waits in Slurm's queue (Resources)"
    until(lambda: words in stage.marianne("explain", job).out)
    stage.box.run("scancel", hold.strip())
    assert stage.marianne.wait(job)["status"] == "completed"
