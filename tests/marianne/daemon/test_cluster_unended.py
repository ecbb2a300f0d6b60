"""What a node that is not reached may still do, by its claims and what is known to have ended."""

from __future__ import annotations

from pathlib import Path

import pytest
from cluster_stage import Stage, done, run

from marianne.daemon.cluster.places import Places
from marianne.executors.claim import claim, prepare, settled
from marianne.model.result import AttemptResult
from marianne.run.spool import Spool
from marianne.state.changes import AddAttempt, InsertJob
from marianne.state.database import Database
from marianne.state.models import JobRow, JobStatus


def test_after_a_restart_a_node_whose_attempts_have_all_ended_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its allocation was given back, for instance: nobody comes from there any more."""
    stage = Stage(tmp_path, monkeypatch)
    known(stage, AttemptResult(1, 1, "completed", 5.0, 6.0))
    stage.up("n1")
    stage.runner.run([run(1), run(2)], 2)
    job_dir = str(stage.desk.places.job_dir("a"))
    prepare(job_dir)
    claim(job_dir, 1, 1, "n1")
    place = stage.desk.places.spool("a", "n1")
    place.parent.mkdir(parents=True)
    spool = Spool(str(place))
    spool.append(done(2))
    spool.close()
    claim(job_dir, 2, 1, "n1")
    stage.down("n1")
    stage.begin()
    stage.runner.report(7)
    ((told, _),) = stage.job.take("worker_up")
    assert told["running"] == []
    assert [one["num"] for one in told["unacked"]] == [2]


def test_after_a_restart_a_node_that_may_run_something_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(tmp_path, monkeypatch)
    known(stage, AttemptResult(1, 1, "completed", 5.0, 6.0))
    stage.up("n1")
    stage.runner.run([run(1), run(2)], 2)
    job_dir = str(stage.desk.places.job_dir("a"))
    prepare(job_dir)
    claim(job_dir, 1, 1, "n1")
    claim(job_dir, 2, 1, "n1")
    stage.down("n1")
    stage.begin()
    stage.runner.report(7)
    assert stage.job.take("worker_up") == []
    stage.clock.now += 10
    stage.runner.ring()
    assert stage.job.take("worker_up")


@pytest.mark.parametrize("begun_anew", [False, True])
def test_what_a_lost_node_had_begun_puts_nothing_into_the_workspace_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun_anew: bool
) -> None:
    stage = Stage(tmp_path, monkeypatch)
    known(stage)
    stage.desk.places = Places(stage.home, "0" * 32, None)
    stage.begin()
    stage.up("n1", "n2")
    stage.runner.run([run(1), run(2)], 2)
    job_dir = str(stage.desk.places.job_dir("a"))
    prepare(job_dir)
    (lost,) = stage.given("n1")
    (kept,) = stage.given("n2")
    claim(job_dir, *lost, "n1")
    claim(job_dir, *kept, "n2")
    stage.down("n1")
    if begun_anew:
        stage.begin()
        stage.runner.report(7)
    assert not settled(job_dir, *lost)
    stage.clock.now += 10
    stage.runner.ring()
    assert settled(job_dir, *lost)
    assert not settled(job_dir, *kept)


def known(stage: Stage, *ended: AttemptResult) -> None:
    """The job is in the database, and how these attempts ended."""
    row = JobRow("a", "a", JobStatus.RUNNING, "/w", 1.0, 1)
    stage.home.path.mkdir(exist_ok=True)
    with Database(stage.home.db) as database:
        database.write([InsertJob(row, b"", "", b""), *(AddAttempt("a", one) for one in ended)])
