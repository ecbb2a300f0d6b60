"""An attempt with a batch job of its own: wanted until it is over, whatever restarts meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest
from cluster_stage import Stage, done, run

from marianne.daemon.cluster.batch_notes import BatchNotes, attempt_of, name_of, over
from marianne.daemon.cluster.fate import fate
from marianne.executors.claim import claim, prepare
from marianne.executors.protocol import Needs, Run
from marianne.state.changes import InsertJob
from marianne.state.database import Database
from marianne.state.models import JobRow, JobStatus

OWN = Needs(2.0, 500, 1, ("ssd",), (("partition", "gpu"), ("time", 3600.0)))


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage(tmp_path, monkeypatch)
    stage.desk.batch_jobs = 5
    return stage


def own(num: int = 1, attempt: int = 1) -> Run:
    """A grant of a sheet that wants a batch job of its own."""
    return Run(num, attempt, outputs={4: 1}, states={4: ("completed", 1, 0)}, needs=OWN)


def batch_up(stage: Stage, node: str, attempt: str, jobs: tuple[str, ...] = ()) -> None:
    """The node of its batch job is reached."""
    stage.nodes.up(node, {"cpus": 1, "batch": attempt}, {"jobs": list(jobs)})
    stage.runner.up(node, jobs)
    stage.runner.room()


def wanted(stage: Stage) -> list[tuple[str, bool]]:
    return [(one["name"], one["placed"]) for one in stage.desk.batch["a"]()]


def test_it_waits_for_its_own_node_and_takes_no_other(stage: Stage) -> None:
    stage.up("n1")
    stage.runner.run([own(), run(2)], 2)
    assert stage.given("n1") == [(2, 1)]
    batch_up(stage, "n2-8", "a-9.1")
    assert stage.given("n2-8") == []
    assert wanted(stage) == [("a-1.1", False)]
    stage.desk.queued = {"a-1.1": "its batch job 7 waits in Slurm's queue (Priority)"}
    assert stage.desk.waits["a"]() == {1: "its batch job 7 waits in Slurm's queue (Priority)"}
    batch_up(stage, "n2-7", "a-1.1")
    assert stage.given("n2-7") == [(1, 1)]
    assert wanted(stage) == [("a-1.1", True)]
    assert stage.desk.waits["a"]() == {}


def test_a_node_of_one_attempt_is_nobody_elses_and_no_room_for_others(stage: Stage) -> None:
    batch_up(stage, "n2-7", "b-1.1")
    stage.runner.run([run(1)], 1)
    assert stage.given("n2-7") == []
    assert stage.nodes.capacity() == 0
    assert "1 batch job of single sheets" in stage.nodes.summary()
    assert stage.desk.held["a"]() == [run(1).needs]


def test_an_engine_is_told_what_it_takes_and_says(stage: Stage) -> None:
    stage.runner.run([own()], 1)
    assert stage.desk.batch["a"]() == [
        {
            "name": "a-1.1",
            "takes": [2.0, 500, 1, ("ssd",)],
            "options": [["partition", "gpu"], ["time", 3600.0]],
            "placed": False,
        }
    ]
    assert stage.desk.held["a"]() == []


def test_it_is_wanted_no_more_once_it_has_ended(stage: Stage) -> None:
    stage.runner.run([own()], 1)
    batch_up(stage, "n2-7", "a-1.1")
    stage.began("n2-7", (1, 1))
    assert wanted(stage) == [("a-1.1", True)]
    stage.ended("n2-7", done(1))
    assert wanted(stage) == []
    assert stage.told() == [(1, 1, "completed")]
    assert list((stage.home.job_dir("a") / "batch").iterdir()) == []


def test_one_that_is_cancelled_while_it_waits_ends_at_once(stage: Stage) -> None:
    stage.runner.run([own()], 1)
    stage.runner.end_sheets([1], "cancelled")
    assert stage.told() == [(1, 1, "cancelled")]
    assert wanted(stage) == []


def test_one_that_the_engine_refuses_has_failed_once(stage: Stage) -> None:
    stage.runner.run([own()], 1)
    for _ in range(2):
        stage.runner.not_made(1, 1, "Slurm refuses slurm.partition (nope)")
    ((results, _),) = stage.job.take("results")
    assert (results[0]["outcome"], results[0]["category"]) == ("failed", "refused")
    assert results[0]["message"] == "Slurm refuses slurm.partition (nope)"
    assert wanted(stage) == []


def test_after_a_restart_one_that_nobody_has_begun_waits_on(stage: Stage) -> None:
    stage.runner.run([own()], 1)
    stage.begin()
    assert wanted(stage) == [("a-1.1", False)]  # before anybody has been heard
    stage.runner.report(5)
    ((hello, asker),) = stage.job.take("worker_up")
    assert (hello["running"], asker) == ([[1, 1]], 5)
    batch_up(stage, "n2-7", "a-1.1")
    (message,) = stage.sent("n2-7", "run")
    assert message["sheets"] == [own().to_map()]


def test_after_a_restart_one_that_runs_is_still_wanted(stage: Stage) -> None:
    stage.runner.run([own()], 1)
    batch_up(stage, "n2-7", "a-1.1")
    stage.began("n2-7", (1, 1))
    stage.down("n2-7")
    stage.begin()
    stage.runner.report(5)
    assert stage.job.take("worker_up") == []
    batch_up(stage, "n2-7", "a-1.1", ("a",))
    stage.answer("n2-7", running=[[1, 1]])
    ((hello, _),) = stage.job.take("worker_up")
    assert hello["running"] == [[1, 1]]
    assert wanted(stage) == [("a-1.1", True)]
    assert stage.given("n2-7") == []


def test_after_a_restart_one_that_was_claimed_and_is_nowhere_is_not_begun_again(
    stage: Stage,
) -> None:
    stage.runner.run([own()], 1)
    job_dir = str(stage.desk.places.job_dir("a"))
    prepare(job_dir)
    claim(job_dir, 1, 1, "n9-9")
    stage.begin()
    stage.runner.report(5)
    ((hello, _),) = stage.job.take("worker_up")
    assert hello["running"] == []
    assert wanted(stage) == []


def test_whose_job_has_no_runner_yet_is_not_over_and_all_else_that_nobody_wants_is(
    tmp_path: Path,
) -> None:
    db = tmp_path / "state.db"
    jobs = {"runs": JobStatus.RUNNING, "ended": JobStatus.COMPLETED, "put-away": JobStatus.PAUSED}
    with Database(db) as database:
        for name, status in jobs.items():
            row = JobRow(name, name, status, "/w", 1.0, 1)
            database.write([InsertJob(row, b"", "", b"")])
    names = ["runs-1.1", "ended-1.1", "put-away-2.1", "gone-1.1"]
    assert over(names, (), db) == names[1:]
    assert over(names, {"runs"}, db) == names
    assert over(names, (), tmp_path / "none.db") == []


def test_a_note_that_is_torn_counts_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "3.1").write_bytes(b"torn")
    (tmp_path / ".4.1").write_bytes(b"")
    notes = BatchNotes(tmp_path, "a")
    notes.read()
    assert notes.runs == {}


def test_a_note_says_the_whole_grant(tmp_path: Path) -> None:
    first, second = (BatchNotes(tmp_path / "batch", "a") for _ in range(2))
    first.note(own())
    second.read()
    assert second.runs == {(1, 1): own()}


def test_where_it_cannot_be_noted_it_waits(stage: Stage) -> None:
    stage.home.job_dir("a").mkdir(parents=True)
    (stage.home.job_dir("a") / "batch").write_text("no directory")
    stage.runner.run([own()], 1)
    assert wanted(stage) == []
    assert stage.context.start_delays.of("a") is not None


def test_names_of_attempts_are_read_as_they_are_written() -> None:
    assert attempt_of(name_of("my-job-2", 13, 4)) == ("my-job-2", 13, 4)


@pytest.mark.parametrize(
    ("word", "category", "part"),
    [
        (None, "lost", "node n3-7 was lost"),
        ("NODE_FAIL 7", "lost", "Slurm says NODE_FAIL"),
        ("TIMEOUT 7", "timeout", "its time limit was over: give it more (slurm.time)"),
        ("OUT_OF_MEMORY 7", "resource_limit", "(resources.memory_mb)"),
    ],
)
def test_what_slurm_ends_for_a_limit_has_failed_by_it(
    word: str | None, category: str, part: str
) -> None:
    why, found = fate(word, "n3-7")
    assert found == category
    assert part in why


@pytest.mark.parametrize("jobs", [1, 2])
def test_of_a_pilot_that_slurm_ended_for_its_memory_what_was_alone_in_it_has_failed(
    stage: Stage, jobs: int
) -> None:
    stage.up("n3-7")
    stage.runner.run([run(1), run(2)], 1)
    stage.began("n3-7", (1, 1))
    if jobs == 2:
        stage.nodes.hold("other", "n3-7", 1)
    stage.down("n3-7")
    stage.desk.fates = {"n3-7": "OUT_OF_MEMORY 7 pilot"}
    stage.clock.now += 20.0
    stage.runner.lapse("n3-7")
    begun = "resource_limit" if jobs == 1 else "lost"
    assert stage.told() == [(1, 1, begun), (2, 1, "lost")]
