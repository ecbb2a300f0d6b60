"""Sheets in allocations of a real Slurm: they run once, whatever of it dies under them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
    lease_seconds: 24
    shared_directory: {place}/shared
    node_directory: {place}/nodes
    pilots: {{count: 3, cpus: 3, seconds: 600, idle_seconds: 2, look_seconds: 0.3}}
    batch_jobs: {{partition: long}}
"""
WITNESS = 'echo "{what} $MARIANNE_SHEET $MARIANNE_ATTEMPT" >> ledger'
WAITS = f"""
      {WITNESS.format(what="start")}
      until test -e go; do sleep 0.05; done
      {WITNESS.format(what="end")}
"""
STEADY = f"""
sheets:
  - name: in-a-pilot
    run: |{WAITS}
  - name: in-a-batch-job
    slurm: {{time: 30m}}
    run: |{WAITS}
"""
"""Runs on whatever dies that does not carry it."""

LOST = f"""
sheets:
  - name: in-a-pilot-alone
    cpus: 3
    run: |{WAITS}
  - name: cancelled
    slurm: {{time: 30m}}
    run: |{WAITS}
  - name: killed
    slurm: {{time: 30m}}
    run: |{WAITS}
"""
"""Each in an allocation that nothing else is in."""

LIMITED = 'sheets: [{name: too-long, slurm: {time: 1m}, run: "touch begun; sleep 600"}]'
NASTY = """
      setsid bash -c 'trap "" TERM; exec -a nasty-$MARIANNE_JOB_ID sleep 600' &
      sleep 600
"""


class Stage:
    """One Slurm and one conductor for the tests of this module, each with a job of its own.
    ``limited`` is a job that comes to its time limit meanwhile, ``lost`` one whose allocations are
    lost at the start."""

    def __init__(self, box: slurm_box.SlurmBox, marianne: Marianne) -> None:
        self.box, self.marianne = box, marianne
        self.limited = marianne.submit("limited", LIMITED)
        self.lost = marianne.submit("lost", LOST)
        self._steady: str | None = None

    def lose(self) -> None:
        """The allocations of the first attempts of ``lost``, two by the death of their slurmstepd,
        one by scancel."""
        self.begun("lost", 3)
        for num in (1, 3):
            number = self.number_of(self.lost, num)
            for pid in set(self.box.steps(number)) - set(tunnels_of(self, number)):
                os.kill(pid, signal.SIGKILL)
        self.box.run("scancel", self.number_of(self.lost, 2))

    def held(self) -> set[str]:
        """The numbers of the batch jobs that these have begun in."""
        shared, jobs = self.marianne.place / "shared", filter(None, (self._steady, self.lost))
        claims = [claim for job in jobs for claim in shared.glob(f"*/{job}/claims/*.*")]
        return {claim.read_text().rpartition("-")[2] for claim in claims}

    def ledger(self, name: str) -> list[str]:
        """What the sheets themselves have written: starts and ends."""
        try:
            return (self.marianne.place / name / "ledger").read_text().splitlines()
        except FileNotFoundError:
            return []

    def begun(self, name: str, count: int = 1) -> list[str]:
        """So many sheets have written that they began."""
        return list(until(lambda: len(self.ledger(name)) >= count and self.ledger(name)))

    @contextmanager
    def running(self) -> Iterator[str]:
        """The steady job, of which both sheets run before and after, and have begun once. That a
        sheet of another job runs in between shows that all is as it was."""
        if self._steady is None:
            self._steady = self.marianne.submit("steady", STEADY)
        self.begun("steady", 2)
        yield self._steady
        self.marianne.play("quick", 'sheets: [{name: a, run: "true"}]')
        assert sorted(self.ledger("steady")) == ["start 1 1", "start 2 1"]
        nodes = {self.node_of(self._steady, 1), self.node_of(self._steady, 2)}
        until(lambda: nodes <= self.reached())
        assert sorted(self.ledger("steady")) == ["start 1 1", "start 2 1"]

    def reached(self) -> set[str]:
        """The nodes that are connected."""
        (executor,) = self.marianne.request("daemon.executors")
        return {node["name"] for node in executor["nodes"] if node["state"] == "up"}

    def end_steady(self) -> None:
        """It has run once, by its own witness."""
        if self._steady is not None:
            (self.marianne.place / "steady" / "go").touch()
            assert self.marianne.wait(self._steady)["status"] == "completed"
            assert len(self.ledger("steady")) == 4

    def bridge(self) -> int:
        """The bridge's process."""
        (pid,) = [pid for pid in self.marianne.processes() if name_of(pid) == "marianne-bridge"]
        return pid

    def node_of(self, job: str, num: int = 1, attempt: int = 1) -> str:
        """The node that an attempt was claimed by."""
        (claim,) = (self.marianne.place / "shared").glob(f"*/{job}/claims/{num}.{attempt}")
        return claim.read_text()

    def number_of(self, job: str, num: int = 1, attempt: int = 1) -> str:
        """The number of the batch job that an attempt runs in."""
        return self.node_of(job, num, attempt).rpartition("-")[2]

    def state_of(self, number: str) -> str:
        """What Slurm says of one of its jobs."""
        said = self.box.run("scontrol", "show", "job", number, "--oneliner").split()
        return next(word for word in said if word.startswith("JobState=")).partition("=")[2]

    def waits(self, job: str) -> dict[int, str]:
        """Why sheets of the job wait, in words."""
        found = self.marianne("explain", job, "--json").json["sheets"]
        return {sheet["num"]: sheet["text"] for sheet in found}


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
            stage = Stage(box, marianne)
            stage.lose()
            yield stage
            stage.end_steady()


def test_pilots_come_with_sheets_run_them_and_go_when_there_are_none(stage: Stage) -> None:
    sheets = "".join(
        f"  - {{name: s{n}, run: 'echo from $MARIANNE_SHEET in $SLURM_JOB_ID'}}\n"
        for n in range(1, 41)
    )
    job = stage.marianne.play("many", f"sheets:\n{sheets}")
    assert stage.marianne("output", job, "7").out.startswith("from 7 in ")
    claims = list((stage.marianne.place / "shared").glob(f"*/{job}/claims/*"))
    assert len(claims) == 40
    numbers = {claim.read_text().rpartition("-")[2] for claim in claims}
    until(lambda: not (numbers - stage.held()) & stage.box.jobs().keys())
    left = (stage.marianne.place / "nodes").glob("*/*")
    assert not (numbers - stage.held()) & {place.name.rpartition("-")[2] for place in left}


def test_a_sheet_with_a_batch_job_has_one_of_its_size_that_slurm_has_as_completed(
    stage: Stage,
) -> None:
    says = 'echo "$SLURM_JOB_PARTITION $SLURM_CPUS_PER_TASK $SLURM_JOB_NAME $SLURM_JOB_ID"'
    text = (
        "resources: {cpus: 2, memory_mb: 100}\n"
        f"sheets: [{{name: own, slurm: {{partition: short, time: 5m}}, run: '{says}'}}]\n"
    )
    job = stage.marianne.play("sized", text)
    partition, cpus, name, number = stage.marianne("output", job, "1").out.split()
    assert (partition, cpus) == ("short", "2")
    assert name.endswith(f"-{job}-1.1")
    said = stage.box.run("scontrol", "show", "job", number, "--oneliner")
    assert "TimeLimit=00:05:00" in said
    assert "mem=100M" in said
    until(lambda: stage.state_of(number) == "COMPLETED")


def test_cancel_leaves_nothing_in_the_allocation(stage: Stage) -> None:
    text = f"sheets:\n  - name: pilot\n    run: |{NASTY}  - name: own\n    slurm: {{batch: true}}\n"
    job = stage.marianne.submit("nasty", f"{text}    run: |{NASTY}")
    until(lambda: len(named(f"nasty-{job}")) == 2)
    number = stage.number_of(job, 2)
    stage.marianne("cancel", job, "--yes")
    assert stage.marianne.wait(job, code=None)["status"] == "cancelled"
    assert not named(f"nasty-{job}")
    until(lambda: number not in stage.box.jobs())


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


@pytest.mark.late
def test_the_controller_dies_and_comes_back_while_sheets_run(stage: Stage) -> None:
    stage.begun("lost", 6)  # what begins just now it may forget
    with stage.running():
        stage.box.save()
        stage.box.kill_daemon("slurmctld")
        stage.box.start_daemon("slurmctld")
        until(stage.box.ready)


def test_the_daemon_of_a_node_dies_and_comes_back_while_sheets_run(stage: Stage) -> None:
    with stage.running():
        stage.box.kill_daemon("n1")
        stage.box.start_daemon("n1")


def test_the_bridge_dies_and_the_next_one_finds_pilots_and_batch_jobs(stage: Stage) -> None:
    with stage.running():
        os.kill(stage.bridge(), signal.SIGKILL)


def test_the_conductor_is_killed_and_sheets_run_on(stage: Stage) -> None:
    with stage.running():
        os.kill(stage.marianne("conductor-status", "--json").json["pid"], signal.SIGKILL)


def test_the_steps_of_the_connections_are_killed_and_opened_again(stage: Stage) -> None:
    with stage.running() as job:
        numbers = [stage.number_of(job, 1), stage.number_of(job, 2)]
        for number in numbers:
            tunnels = until(lambda n=number: tunnels_of(stage, n))
            for pid in tunnels:
                os.kill(pid, signal.SIGKILL)


def tunnels_of(stage: Stage, number: str) -> list[int]:
    """The steps of a job beside that of its script."""
    return [pid for pid in stage.box.steps(number) if "batch" not in title(pid)]


def title(pid: int) -> str:
    """What a process calls itself."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode()


@pytest.mark.late
def test_an_allocation_that_is_lost_is_no_failure_and_its_sheet_runs_in_another(
    stage: Stage,
) -> None:
    stage.begun("lost", 6)
    (stage.marianne.place / "lost" / "go").touch()
    done = stage.marianne.wait(stage.lost)
    assert done["status"] == "completed"
    assert [sheet["attempt"] for sheet in done["sheets"]] == [2, 2, 2]
    told = sorted(stage.ledger("lost"))
    assert told == sorted(
        line for n in (1, 2, 3) for line in (f"start {n} 1", f"start {n} 2", f"end {n} 2")
    )


def test_while_a_batch_job_waits_slurms_reason_is_told_and_a_restart_keeps_its_place(
    stage: Stage,
) -> None:
    partition = "PartitionName=closed Nodes=ALL State=DOWN"
    stage.box.run("scontrol", "create", *partition.split())
    text = "sheets: [{name: a, slurm: {partition: closed}, run: 'echo $SLURM_JOB_ID'}]\n"
    job = stage.marianne.submit("queued", text)
    words = until(lambda: _in_queue(stage.waits(job).get(1, "")))
    number = words.split()[words.split().index("job") + 1]
    assert "(PartitionDown)" in stage.marianne("status", job).out
    os.kill(stage.marianne("conductor-status", "--json").json["pid"], signal.SIGKILL)
    until(lambda: _in_queue(stage.waits(job).get(1, "")))
    stage.box.run("scontrol", "update", "PartitionName=closed", "State=UP")
    assert stage.marianne.wait(job)["status"] == "completed"
    assert stage.marianne("output", job, "1").out.split() == [number]
    assert stage.marianne.sheet(job, 1)["attempt"] == 1


def _in_queue(words: str) -> str:
    return words if "waits in Slurm's queue (PartitionDown)" in words else ""


def test_what_slurm_refuses_fails_by_the_name_of_its_field_and_others_go_on(stage: Stage) -> None:
    text = """
sheets:
  - {name: refused, slurm: {partition: nope}, run: "true"}
  - {name: other, run: "true"}
"""
    job = stage.marianne.submit("mixed", text)
    done = stage.marianne.wait(job, code=None)
    assert done["status"] == "failed"
    refused, other = done["sheets"]
    assert other["status"] == "completed"
    assert refused["error"]["category"] == "refused"
    assert "Slurm refuses slurm.partition (nope): " in refused["error"]["message"]
    assert "nvalid partition" in refused["error"]["message"]
    assert "slurm.partition (nope)" in stage.marianne("diagnose", job).out


@pytest.mark.late
def test_a_time_limit_of_slurms_is_a_timeout_that_names_it(stage: Stage) -> None:
    # An attempt that was lost on a crowded machine has a whole minute again.
    until(lambda: stage.marianne.status(stage.limited)["status"] != "running", 300.0)
    done = stage.marianne.wait(stage.limited, code=None)
    (sheet,) = done["sheets"]
    assert (done["status"], sheet["status"]) == ("failed", "failed")
    assert sheet["error"]["category"] == "timeout"
    assert "Slurm's time limit of its batch job" in sheet["error"]["message"]
    assert "(slurm.time)" in sheet["error"]["message"]
