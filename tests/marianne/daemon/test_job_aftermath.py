"""What runs for the end of other sheets, whatever it was: cleanup and alarm, after a cancel too."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aftermath_plans import closing, fails, statuses
from job_play import Play, plan_of, with_list
from ledger_stage import with_sheet

from marianne.daemon.job.reset import reset
from marianne.daemon.shared.effects import Requeue, Step
from marianne.daemon.views.wire import sheet_map
from marianne.model.plan import When
from marianne.state.models import JobStatus

# -- which end it runs for -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "failing", "expected", "finished"),
    [
        ("always", (), ["completed"] * 3, "completed"),
        ("always", (2,), ["completed", "failed", "completed"], "failed"),
        ("always", (1,), ["failed", "skipped", "completed"], "failed"),
        ("always", (3,), ["completed", "completed", "failed"], "failed"),
        ("failed", (), ["completed", "completed", "skipped"], "completed"),
        ("failed", (2,), ["completed", "failed", "completed"], "failed"),
        ("failed", (1,), ["failed", "skipped", "completed"], "failed"),
        ("succeeded", (1,), ["failed", "skipped", "skipped"], "failed"),
    ],
)
def test_a_sheet_runs_for_the_end_that_it_names(
    when: When, failing: tuple[int, ...], expected: list[str], finished: str
) -> None:
    play = Play(closing(when))
    play.run_out(fails(*failing))
    assert statuses(play) == expected
    assert play.finished == finished


def test_it_waits_for_the_last_end_and_says_for_which() -> None:
    play = Play(closing("always"))
    play.grant(1)
    why = play.machine.kept_back()[3]
    assert (why.code, why.data["needs"]) == ("needs", [1, 2])
    assert why.text == "it waits for the end of sheets 1, 2 (when: always)"
    play.end(1, "failed", "exit")
    assert play.queue == {3}
    assert play.machine.kept_back() == {}


def test_it_is_queued_when_the_last_end_is_on_disk_and_not_before() -> None:
    play = Play(closing("always", {1: (), 2: (1,)}))
    play.grant(1)
    attempt = play.running.pop(1)
    result = play._spooled(_result(attempt))
    step = play.machine.result(result, play.now)
    assert not [effect for effect in step.now if isinstance(effect, Requeue)]
    play.take(step)
    assert play.queue == {2}


def test_one_that_is_not_needed_takes_its_dependents_with_it_and_fails_nothing() -> None:
    plan = closing("failed", {1: (), 2: (1,)})
    plan = replace(plan, sheets=(*plan.sheets, plan_of({1: (), 2: (), 3: (2,)}).sheets[2]))
    play = Play(plan)
    play.run_out()
    assert statuses(play) == ["completed", "skipped", "skipped"]
    assert play.disk[2].message == "not needed: nothing that it waits for has failed"
    assert play.disk[3].message == "sheet 2 did not run"
    assert play.finished is JobStatus.COMPLETED


def test_what_needs_a_cleanup_runs_when_it_has_completed() -> None:
    plan = with_sheet(plan_of({1: (), 2: (1,), 3: (2,)}), 2, when="failed")
    play = Play(plan)
    play.run_out(fails(1))
    assert statuses(play) == ["failed", "completed", "completed"]


def test_it_is_ready_when_its_needs_have_ended() -> None:
    play = Play(closing("always"))
    plan, rows = play.plan, play.disk
    assert sheet_map(plan, rows, 3)["status"] == "pending"
    play.grant(1)
    play.end(1, "failed", "exit")
    assert sheet_map(plan, rows, 3)["status"] == "ready"


@pytest.mark.parametrize("restarts", [False, True])
def test_an_alarm_is_raised_by_an_item_of_a_list_that_is_made_in_the_run(restarts: bool) -> None:
    play = Play(with_list(closing("failed", {1: (), 2: (1,)}), 1))
    play.grant(1)
    play.end(1, items=["a", "b"])
    if restarts:
        play.restart(worker=True)
    assert play.machine.kept_back()[2].data["needs"] == [3, 4]
    play.run_out(fails(4))
    assert statuses(play) == ["completed", "completed", "completed", "failed"]


# -- restarts and pauses -------------------------------------------------------------------------


@pytest.mark.parametrize("worker", [True, False])
def test_a_restart_comes_to_the_same(worker: bool) -> None:
    play = Play(closing("failed"))
    play.grant(1)
    play.end(1, "failed", "exit")
    play.restart(worker=worker)
    assert play.queue == {3}
    play.grant(3)
    play.restart(worker=worker)
    play.run_out()
    assert statuses(play) == ["failed", "skipped", "completed"]


def test_a_pause_holds_it_back_and_the_resumed_job_runs_it_once() -> None:
    play = Play(closing("always", {1: (), 2: (1,)}))
    play.grant(1)
    attempt = play.running.pop(1)
    step = play.machine.result(play._spooled(_result(attempt)), play.now)
    # On its way to the disk the job pauses and goes on: it is queued once, and runs already.
    pause = play.machine.pause("person", play.now)
    play.now += 1
    step.extend(pause)
    play.take(step)
    assert play.queue == set()
    assert play.disk_job.status is JobStatus.PAUSED


def test_what_is_freed_twice_is_queued_once() -> None:
    play = Play(closing("always", {1: (), 2: (1,), 3: ()}))
    play.grant(1)
    play.grant(3)
    attempt = play.running.pop(1)
    step = play.machine.result(play._spooled(_result(attempt)), play.now)
    after, step.after = step.after, []
    play.take(step)
    play.take(play.machine.pause("person", play.now))
    play.take(play.machine.resume(play.now))
    play.grant(2)
    play.take(Step(after=after))  # only now the end is on disk
    assert play.queue == set()
    assert 2 in play.slots


# -- again ---------------------------------------------------------------------------------------


def test_it_runs_again_when_something_that_it_waits_for_does() -> None:
    play = Play(closing("always"))
    play.run_out(fails(2))
    step = Step()
    reset(play.machine.ledger, step, None)
    assert [str(play.machine.rows[n].status) for n in (1, 2, 3)] == [
        "completed",
        "pending",
        "pending",
    ]


def test_it_does_not_run_again_for_what_it_does_not_wait_for() -> None:
    play = Play(closing("always", {1: (), 2: (), 3: (1,)}))
    play.run_out(fails(2))
    reset(play.machine.ledger, Step(), None)
    assert str(play.machine.rows[3].status) == "completed"


def test_one_that_is_run_again_by_name_leaves_what_failed_before_it_alone() -> None:
    play = Play(closing("failed"))
    play.run_out(fails(2))
    assert play.machine.unmet([3]) == set()
    reset(play.machine.ledger, Step(), [3])
    assert [str(play.machine.rows[n].status) for n in (1, 2, 3)] == [
        "completed",
        "failed",
        "pending",
    ]


def _result(attempt: int) -> object:
    from marianne.model.result import AttemptResult

    return AttemptResult(1, attempt, "completed", 100.0, 100.5)
