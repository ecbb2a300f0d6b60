"""Which batch jobs of single attempts there are to be, and with which options."""

from __future__ import annotations

from typing import Any

import pytest

from marianne.executors.slurm.batch import (
    LEAVE_SECONDS,
    BatchDecision,
    View,
    Wanted,
    decide,
    sbatch_options,
)
from marianne.executors.slurm.pilots import RUNNING, Pilot
from marianne.executors.slurm.refusals import field_of, in_queue, of_section, of_sheet

NAME = "train-3.1"


def job(number: str, state: str = RUNNING) -> Pilot:
    return Pilot(number, state, "n1" if state == RUNNING else "")


def found(
    *jobs: Pilot, wanted: bool = True, placed: bool = False, now: float = 0.0, **view: Any
) -> BatchDecision:
    """Of one attempt with these jobs."""
    there = {NAME: Wanted(NAME, placed=placed)} if wanted else {}
    return decide([(NAME, one) for one in jobs], View(there, **view), now)


def test_a_job_is_submitted_where_there_is_none() -> None:
    assert [one.name for one in found().submit] == [NAME]
    assert found(job("7")).submit == []
    assert found(job("7", "PENDING")).submit == []


def test_an_attempt_that_a_node_was_given_never_gets_another_job() -> None:
    assert found(placed=True).submit == []


def test_of_two_the_one_that_has_it_stays_or_that_runs_or_that_is_older() -> None:
    assert found(job("7"), job("8"), busy=["n1-8"]).cancel == ["7"]
    assert found(job("7", "PENDING"), job("8")).cancel == ["7"]
    decision = found(job("7"), job("8"))
    assert (decision.cancel, decision.jobs[NAME].number) == (["8"], "7")
    assert decision.closed == {"n1-8": "its attempt has another batch job"}


def test_one_that_nobody_wants_any_more_is_cancelled_or_given_the_time_to_end() -> None:
    assert found(job("7", "PENDING"), wanted=False, over=[NAME]).cancel == ["7"]
    decision = found(job("7"), wanted=False, over=[NAME])
    assert (decision.cancel, decision.closed) == ([], {"n1-7": "its sheet has ended"})
    late = {"ending": {"7": 0.0}, "over": [NAME], "now": LEAVE_SECONDS}
    assert found(job("7"), wanted=False, **late).cancel == ["7"]


def test_one_that_the_conductor_has_not_spoken_of_is_spared_while_it_reads_its_jobs() -> None:
    decision = found(job("7", "PENDING"), job("8"), wanted=False)
    assert (decision.cancel, decision.closed) == ([], {})


def test_one_whose_warden_is_not_reached_is_given_up() -> None:
    decision = found(job("7"), silent=["n1-7"])
    assert (decision.cancel, decision.closed) == (["7"], {"n1-7": "its warden is not reached"})


def test_what_a_sheet_takes_becomes_options_of_sbatch() -> None:
    options = {"time": 5400.0, "partition": "gpu", "qos": "low"}
    wanted = Wanted(NAME, 2.5, 16_000, 2, ("a100", "ssd"), options)
    usual = {"partition": "long", "account": "physics", "constraint": "skylake", "gres": "nic:1"}
    assert sbatch_options(wanted, usual) == {
        "partition": "gpu",
        "account": "physics",
        "qos": "low",
        "gres": "nic:1,gpu:2",
        "constraint": "skylake&a100&ssd",
        "reservation": None,
        "cpus-per-task": "3",
        "mem": "16000M",
        "time": "90",
    }


def test_what_nobody_says_is_left_to_slurm() -> None:
    options = sbatch_options(Wanted(NAME), {"time": None, "partition": None})
    assert {name: value for name, value in options.items() if value} == {"cpus-per-task": "1"}


@pytest.mark.parametrize(
    ("said", "given", "field"),
    [
        ("invalid partition specified: nope", {"partition": "nope"}, "slurm.partition (nope)"),
        ("Invalid account or account/partition combination", {"account": "x"}, "slurm.account (x)"),
        ("Requested time limit is invalid (missing or", {"time": "9 minutes"}, "slurm.time (9 min"),
        ("Invalid generic resource (gres) specification", {"gpus": 3}, "resources.gpus (3)"),
        ("Invalid feature specification", {"labels": "x", "constraint": None}, "resources.labels"),
        ("invalid partition specified: nope", {"account": "x"}, None),
        ("Unable to contact slurm controller", {"partition": "nope"}, None),
        ("Job violates accounting/QOS policy", {"qos": "low"}, None),
    ],
)
def test_a_refusal_names_the_field_of_the_sheet_or_is_none_of_its_own(
    said: str, given: dict[str, object], field: str | None
) -> None:
    named = field_of(said, of_sheet(given))
    assert named is None if field is None else named is not None and named.startswith(field)


def test_of_what_waits_for_another_setting_the_setting_is_named() -> None:
    assert in_queue("Priority", {}) == "waits in Slurm's queue (Priority)"
    pilots = of_section("pilots", {"seconds": 7200.0, "partition": "short", "account": None})
    assert in_queue("PartitionTimeLimit", pilots) == (
        "waits in Slurm's queue (PartitionTimeLimit): its time limit is over its partition's:"
        " pilots.seconds (7200) in conductor.yaml and pilots.partition (short) in conductor.yaml"
    )
    assert in_queue("JobHeldUser", {}).endswith("it was held: scontrol release lets it go on")
