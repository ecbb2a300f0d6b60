"""How often a job may lose its worker."""

from __future__ import annotations

from job_play import Play, plan_of

from actors.process import ProcessExit
from marianne.daemon.shared.losses import Losses
from marianne.daemon.worker.ending import in_words
from marianne.state.models import JobStatus, SheetStatus


def test_the_third_loss_in_a_row_is_one_too_many() -> None:
    losses = Losses()
    losses.ended("a", "it was killed by SIGKILL")
    assert [losses.lost("a"), losses.lost("b"), losses.lost("a")] == [None] * 3
    why = losses.lost("a")
    assert why is not None
    assert "3 times" in why
    assert "SIGKILL" in why


def test_an_attempt_that_ends_begins_the_count_anew() -> None:
    losses = Losses()
    for _ in range(5):
        assert losses.lost("a") is None
        assert losses.lost("a") is None
        losses.progress("a")


def test_it_says_how_a_process_ended() -> None:
    endings = [ProcessExit(signal=9), ProcessExit(signal=77), ProcessExit(1), ProcessExit()]
    assert [in_words(ending) for ending in endings] == [
        "it was killed by SIGKILL",
        "it was killed by signal 77",
        "it ended with exit code 1",
        "it ended, nobody saw how",
    ]


def test_a_job_that_loses_its_worker_too_often_fails_and_names_the_sheets_that_ran() -> None:
    play = Play(plan_of({1: (), 2: (), 3: (1,)}))
    play.grant()
    play.grant()
    play.restart(worker=False)
    lost = play.machine.take_lost()
    assert lost == [1, 2]
    play.take(play.machine.lost_too_often(lost, "it was lost 3 times", play.now))
    assert play.finished is JobStatus.FAILED
    statuses = {num: row.status for num, row in play.disk.items()}
    assert statuses == {1: SheetStatus.FAILED, 2: SheetStatus.FAILED, 3: SheetStatus.CANCELLED}
    assert play.disk[1].category == "worker_lost"
    assert "1 (s1), 2 (s2)" in (play.disk_job.error or "")
