"""The engine over commands of Slurm's that are scripts: what is asked of them, what is made of
what they say. With a real Slurm: tests/e2e/test_slurm.py."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest

from marianne.executors.bridge import EngineError, Found
from marianne.executors.slurm.engine import SlurmEngine, gpus_of

PILOTS = {
    "count": 2,
    "cpus": 4,
    "memory_mb": 2000,
    "seconds": 3600.0,
    "idle_seconds": 60.0,
    "look_seconds": 0.0,
    "partition": "short",
    "account": None,
    "gres": "gpu:1",
    "options": ["--qos=low"],
    "labels": ["fast"],
    "python": "/opt/python",
}


BATCH = {
    "count": 9,
    **dict.fromkeys(("partition", "account", "qos", "time", "gres", "constraint", "reservation")),
    "account": "physics",
    "options": ["--nice"],
}


class Stage:
    """``say`` makes what a command prints; ``asked`` is what each was called with."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.engine = SlurmEngine(
            {
                "name": "hpc",
                "owner": "me",
                "lease_seconds": 30.0,
                "sheet_grace_seconds": 10.0,
                "slots": None,
                "shared_directory": str(place / "shared"),
                "node_directory": None,
                "pilots": PILOTS,
                "batch_jobs": BATCH,
            }
        )
        for name in ("squeue", "sbatch", "scancel", "srun"):
            self.say(name, "")

    def say(self, name: str, text: str, code: int = 0) -> None:
        program = self.place / name
        (self.place / f"{name}.says").write_text(text)
        stream = ">&2" if code else ""
        program.write_text(
            f'#!/bin/sh\necho "$@" >> {program}.asked\ncat - > {program}.stdin\n'
            f"cat {program}.says {stream}\nexit {code}\n"
        )
        program.chmod(0o755)

    def lists(self, *rows: str) -> None:
        """What squeue prints: ``number state host left reason [attempt]``."""
        lines = []
        for row in rows:
            number, state, host, left, reason, *attempt = row.split()
            name = "-".join([self.engine._name, *attempt])
            host = "" if host == "-" else host
            lines.append(f"{number}|{state}|{host}|{left}|N/A|{reason}|{name}\n")
        self.say("squeue", "".join(lines) + "9|RUNNING|n9|1:00|N/A|None|an|other's\n")

    def want(self, *batch: dict[str, Any], over: tuple[str, ...] = ()) -> None:
        """The conductor wants batch jobs for these attempts, and no pilots."""
        self.engine.need(0, (), (), (), batch, over)

    def asked(self, name: str) -> list[str]:
        try:
            return (self.place / f"{name}.asked").read_text().splitlines()
        except FileNotFoundError:
            return []

    def look(self) -> list[Found]:
        return asyncio.run(self.engine.look())

    def why(self) -> str:
        with pytest.raises(EngineError) as caught:
            self.look()
        return str(caught.value)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return Stage(tmp_path)


def test_nothing_is_submitted_until_a_sheet_waits(stage: Stage) -> None:
    assert stage.look() == []
    assert (stage.asked("sbatch"), stage.asked("scancel")) == ([], [])
    assert "--me" in stage.asked("squeue")[0]


def test_a_pilot_is_submitted_as_the_settings_say(stage: Stage) -> None:
    stage.say("sbatch", "17;cluster\n")
    stage.engine.need(3, (), (), (), (), ())
    stage.look()
    (asked,) = stage.asked("sbatch")
    for word in (
        *("--parsable", "--cpus-per-task=4", "--mem=2000M", "--time=60", "--partition=short"),
        *("--gres=gpu:1", "--qos=low", "--no-requeue", "--signal=B:TERM@40", "--nodes=1"),
    ):
        assert word in asked.split()
    assert "--account" not in asked
    script = (stage.place / "sbatch.stdin").read_text()
    assert script.startswith("#!/bin/sh\nexec /opt/python -m marianne.executors.slurm.pilot <<")


def test_a_running_pilot_is_a_node_with_its_slots(stage: Stage) -> None:
    stage.lists("17 RUNNING n3 50:00 None", "18 PENDING - 1:00:00 Priority")
    stage.engine.need(8, (), (), (), (), ())
    assert stage.look() == [Found("n3-17", "17", 4, 2000, 1, ("fast",))]
    assert stage.asked("sbatch") == []


def test_an_idle_one_is_closed_then_cancelled_when_it_rests(stage: Stage) -> None:
    stage.lists("17 RUNNING n3 50:00 None")
    stage.engine._idle_since["n3-17"] = time.monotonic() - 61
    stage.engine.need(0, (), (), (), (), ())
    (node,) = stage.look()
    assert node.why == "it had nothing to do, and is given back"
    assert stage.asked("scancel") == []
    stage.engine.need(0, (), ("n3-17",), (), (), ())
    stage.look()
    assert stage.asked("scancel") == ["17"]


def test_while_none_runs_it_is_said_what_the_first_waits_for(stage: Stage) -> None:
    stage.lists("18 PENDING - 1:00:00 QOSMaxCpuPerUserLimit")
    stage.engine.need(1, (), (), (), (), ())
    assert stage.why() == (
        "executor hpc: the pilot 18 waits in Slurm's queue (QOSMaxCpuPerUserLimit)"
    )


@pytest.mark.parametrize("name", ["squeue", "sbatch"])
def test_what_slurm_says_of_an_error_is_told(stage: Stage, name: str) -> None:
    stage.say(name, f"{name}: error: Out of patience\n", code=1)
    stage.engine.need(1, (), (), (), (), ())
    assert stage.why() == f"executor hpc: {name} failed: Out of patience"


def test_a_pilot_that_came_to_nothing_is_told_with_its_last_words_and_the_next_waits(
    stage: Stage,
) -> None:
    stage.say("sbatch", "17\n")
    stage.engine.need(1, (), (), (), (), ())
    stage.look()
    (log,) = (stage.place / "shared").glob("pilots-*")
    (log / "17.log").write_text("noise\nNo module named marianne\n\n")
    words = stage.why()
    assert "the pilot 17 ended before its warden was reached: No module named marianne" in words
    assert "another is submitted in 5 s" in words
    assert len(stage.asked("sbatch")) == 1


def test_a_pilot_that_slurm_runs_and_nobody_reaches_is_given_up(stage: Stage) -> None:
    stage.lists("17 RUNNING n3 50:00 None", "18 RUNNING n3 50:00 None")
    stage.engine.need(1, (), (), (), (), ())
    stage.look()
    now = time.monotonic()
    stage.engine._heard_at["n3-17"] = now - 51, now - 51
    stage.engine._heard_at["n3-18"] = now - 51, None
    whys = [node.why for node in stage.look()]
    assert whys == ["its warden is not reached", None]
    assert stage.asked("scancel") == ["17"]


def test_where_the_commands_are_not_it_is_said(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert "squeue cannot be run" in stage.why()


def test_the_pilots_of_two_executors_have_names_of_their_own(stage: Stage, tmp_path: Path) -> None:
    settings: dict[str, Any] = {**stage.engine._settings, "name": "other"}
    assert SlurmEngine(settings)._name != stage.engine._name
    assert SlurmEngine(stage.engine._settings)._name == stage.engine._name


@pytest.mark.parametrize(
    ("gres", "gpus"),
    [(None, 0), ("gpu", 1), ("gpu:2", 2), ("gpu:a100:3", 3), ("nic:1,gpu:1", 1), ("nic:4", 0)],
)
def test_a_pilot_has_the_gpus_that_it_asks_for(gres: str | None, gpus: int) -> None:
    assert gpus_of(gres) == gpus


def test_between_two_questions_to_slurm_it_is_as_it_was(stage: Stage) -> None:
    stage.engine._pilots = {**PILOTS, "look_seconds": 3600.0}
    stage.lists("17 RUNNING n3 50:00 None")
    assert stage.look() == stage.look() == [Found("n3-17", "17", 4, 2000, 1, ("fast",))]
    assert len(stage.asked("squeue")) == 1


@pytest.mark.parametrize(
    ("takes", "comes"),
    [
        ((1.0, 0, 0, ()), True),
        ((99.0, 2000, 1, ("fast",)), True),
        ((1.0, 2001, 0, ()), False),
        ((1.0, 0, 2, ()), False),
        ((1.0, 0, 0, ("slow",)), False),
    ],
)
def test_for_a_sheet_that_is_held_back_a_pilot_comes_if_it_would_do(
    stage: Stage, takes: tuple[Any, ...], comes: bool
) -> None:
    stage.say("sbatch", "17\n")
    stage.engine.need(0, (), (), [[*takes, 3]], (), ())
    stage.look()
    assert len(stage.asked("sbatch")) == (1 if comes else 0)


def batch(name: str = "train-3.1", *, placed: bool = False, **options: Any) -> dict[str, Any]:
    """An attempt as the conductor tells it."""
    takes = [2.0, 4000, 0, []]
    pairs = [[key, value] for key, value in options.items()]
    return {"name": name, "takes": takes, "options": pairs, "placed": placed}


def test_a_batch_job_of_an_attempt_is_called_by_it_and_has_its_size(stage: Stage) -> None:
    stage.say("sbatch", "17\n")
    stage.want(batch(partition="gpu", time=7200.0))
    stage.look()
    (asked,) = stage.asked("sbatch")
    for word in (
        *(f"--job-name={stage.engine._name}-train-3.1", "--cpus-per-task=2", "--mem=4000M"),
        *("--partition=gpu", "--time=120", "--account=physics", "--nice", "--no-requeue"),
    ):
        assert word in asked.split()
    assert '"batch": true' in (stage.place / "sbatch.stdin").read_text()
    assert stage.engine.news()["queued"] == {"train-3.1": "its batch job 17 is submitted"}


def test_while_it_waits_it_is_said_why_in_slurms_word(stage: Stage) -> None:
    stage.lists("17 PENDING - 1:00:00 Resources train-3.1")
    stage.want(batch())
    assert stage.look() == []
    words = "its batch job 17 waits in Slurm's queue (Resources)"
    assert stage.engine.news()["queued"] == {"train-3.1": words}
    assert stage.asked("sbatch") == []


def test_one_that_runs_is_a_node_for_its_attempt_alone(stage: Stage) -> None:
    stage.lists("17 RUNNING n3 50:00 None train-3.1", "18 PENDING - 1:00:00 Priority")
    stage.engine.need(4, (), (), (), [batch()], ())
    with pytest.raises(EngineError) as caught:  # of the pilot that waits
        stage.look()
    assert caught.value.found == [Found("n3-17", "17", 1, batch="train-3.1")]


def test_a_field_that_slurm_refuses_is_named_and_not_tried_again(stage: Stage) -> None:
    said = "Batch job submission failed: Invalid partition name specified"
    text = f"sbatch: error: invalid partition specified: nope\nsbatch: error: {said}\n"
    stage.say("sbatch", text, code=1)
    stage.want(batch(partition="nope"), batch("other-1.1"))
    stage.look()
    stage.look()
    news = stage.engine.news()
    assert news["refused"] == {"train-3.1": f"Slurm refuses slurm.partition (nope): {said}"}
    assert "Invalid partition name specified" in news["queued"]["other-1.1"]
    assert "another is submitted in 5 s" in news["queued"]["other-1.1"]
    assert len(stage.asked("sbatch")) == 2


def test_one_that_came_to_nothing_is_submitted_again_after_a_while(stage: Stage) -> None:
    stage.say("sbatch", "17\n")
    stage.want(batch())
    stage.look()
    (log,) = (stage.place / "shared").glob("batch-*")
    (log / "17.log").write_text("No module named marianne\n")
    stage.lists("17 FAILED n3 0:00 NonZeroExitCode train-3.1")
    stage.look()
    words = stage.engine.news()["queued"]["train-3.1"]
    assert "its batch job 17 ended before its warden was reached: No module named" in words
    assert len(stage.asked("sbatch")) == 1
    stage.engine._batch._tries["train-3.1"].again_at = 0.0
    stage.look()
    assert len(stage.asked("sbatch")) == 2


def test_a_setting_of_the_configuration_that_slurm_refuses_is_named_and_tried_again(
    stage: Stage,
) -> None:
    stage.say("sbatch", "sbatch: error: Invalid partition name specified\n", code=1)
    stage.engine.need(1, (), (), (), (), ())
    assert "Slurm refuses pilots.partition (short) in conductor.yaml: Invalid" in stage.why()
    stage.say("sbatch", "sbatch: error: Invalid account\n", code=1)
    stage.want(batch())
    stage.look()
    words = stage.engine.news()["queued"]["train-3.1"]
    assert words.startswith("Slurm refuses batch_jobs.account (physics) in conductor.yaml: Invalid")


def test_of_what_slurm_killed_for_its_memory_that_is_told_whatever_squeue_says(
    stage: Stage,
) -> None:
    for number, kind in (("17", "batch"), ("18", "pilots")):
        logs = stage.place / "shared" / f"{kind}-{stage.engine._mark}"
        logs.mkdir(parents=True)
        (logs / f"{number}.log").write_text("slurmstepd: error: Exceeded job memory limit\n")
    stage.lists("17 FAILED n3 0:00 None train-3.1", "18 FAILED n3 0:00 None", "19 FAILED n3 0:00 x")
    stage.want(batch(placed=True))
    stage.look()
    assert stage.engine.news()["fates"] == {
        "n3-17": "OUT_OF_MEMORY 17",
        "n3-18": "OUT_OF_MEMORY 18 pilot",
    }


def test_with_which_word_slurm_has_ended_the_node_of_an_attempt_is_told(stage: Stage) -> None:
    stage.lists("17 TIMEOUT n3 0:00 TimeLimit train-3.1")
    stage.want(batch(placed=True))
    assert stage.look() == []
    assert stage.engine.news()["fates"] == {"n3-17": "TIMEOUT 17"}
    assert stage.asked("sbatch") == []


def test_when_its_sheet_has_ended_its_node_is_closed_and_given_the_time_to_end(
    stage: Stage,
) -> None:
    stage.lists("17 RUNNING n3 50:00 None train-3.1")
    stage.want(batch(placed=True))
    stage.look()
    stage.want()
    assert stage.look() == [Found("n3-17", "17", 1, batch="train-3.1")]  # until it is surely over
    assert stage.engine.news()["spare"] == ["train-3.1"]
    stage.want(over=("train-3.1",))
    assert stage.look() == [Found("n3-17", "17", 1, why="its sheet has ended", batch="train-3.1")]
    assert stage.asked("scancel") == []
    stage.engine._batch._ending["17"] -= 60.0
    stage.look()
    assert stage.asked("scancel") == ["17"]


def test_where_a_connection_found_no_warden_the_job_is_given_up(stage: Stage) -> None:
    stage.lists("17 RUNNING n3 50:00 None train-3.1")
    stage.want(batch())
    (node,) = stage.look()
    (stage.place / "srun").write_text("#!/bin/sh\nexit 43\n")

    async def connect() -> None:
        channel = await stage.engine.connect(node)
        assert await channel.read() == b""
        await channel.close()

    asyncio.run(connect())
    stage.look()  # now it is known
    (closed,) = stage.look()
    assert closed.why == "its warden is not reached"
    assert stage.asked("scancel") == ["17"]
