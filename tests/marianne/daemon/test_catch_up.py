"""Finished work counts before whatever is decided about its job."""

from __future__ import annotations

from typing import Any

from job_play import Play, plan_of

from marianne.daemon.job.catch_up import catch_up
from marianne.model.result import AttemptResult
from marianne.state.changes import SaveSheet
from marianne.state.models import SheetStatus


def result(num: int, attempt: int) -> dict[str, Any]:
    return AttemptResult(num, attempt, "completed", 100.0, 101.0).to_map()


def test_what_has_finished_is_a_change_and_what_is_known_already_is_none() -> None:
    play = Play(plan_of({1: (), 2: ()}))
    play.grant()
    (num,) = play.running
    step = catch_up(play.machine, [result(num, 1)], 102.0)
    (saved,) = [change for change in step.changes if isinstance(change, SaveSheet)]
    assert (saved.row.num, saved.row.status) == (num, SheetStatus.COMPLETED)
    assert catch_up(play.machine, [result(num, 1)], 103.0).changes == []


def test_an_attempt_that_is_not_the_current_one_changes_nothing() -> None:
    play = Play(plan_of({1: ()}, retries=1))
    play.grant()
    play.end(1, "failed", "exit")
    play.wake(1)
    play.grant()
    assert catch_up(play.machine, [result(1, 1)], 200.0).changes == []
    assert play.machine.rows[1].status is SheetStatus.RUNNING
