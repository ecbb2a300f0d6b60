"""What a list does to its job: which sheets are added, which stay, what waits for them."""

from __future__ import annotations

from random import Random

import pytest
from job_play import Play, plan_of, with_list
from ledger_stage import data, ended, ledger_of, with_sheet

from marianne.daemon.job import growing
from marianne.daemon.shared.effects import Complete, Grow, Step
from marianne.model.plan import Plan
from marianne.model.result import AttemptResult
from marianne.state.changes import AddAttempt, AddEvent, GrowPlan, SaveSheet
from marianne.state.models import JobStatus, SheetStatus

# fetch, convert (a list), report
NEEDS: dict[int, tuple[int, ...]] = {1: (), 2: (1,), 3: (2,)}


def plan() -> Plan:
    return with_list(plan_of(NEEDS), 2)


def listed(items: list[str]) -> Play:
    """A job whose list has just been made."""
    play = Play(plan())
    play.grant()
    play.end(1)
    play.grant()
    play.end(2, items=items)
    return play


def statuses(play: Play) -> list[str]:
    return [str(play.machine.ledger.peek(s.num).status) for s in play.machine.ledger.plan.sheets]


def test_each_item_becomes_a_sheet_and_what_needs_the_list_waits_for_all() -> None:
    play = listed(["a", "b"])
    assert [sheet.name for sheet in play.plan.sheets] == ["s1", "s2", "s3", "s2[a]", "s2[b]"]
    assert play.plan.sheet(3).needs == (2, 4, 5)
    assert play.queue == {4, 5}
    play.grant()
    play.end(4)
    assert play.queue == {5}
    play.run_out()
    assert play.finished is JobStatus.COMPLETED
    assert [run.num for run in play.runs] == [1, 2, 4, 5, 3]


def test_the_plan_grows_in_the_transaction_of_the_result_and_nothing_begins_before() -> None:
    play = Play(plan())
    play.grant()
    play.end(1)
    play.grant()
    given = {"items": ["a"], "prefix": ""}
    step = play.machine.result(AttemptResult(2, 1, "completed", 1.0, 2.0, listed=given), play.now)
    kinds = [type(change) for change in step.changes]
    assert {GrowPlan, AddAttempt, SaveSheet, AddEvent} <= set(kinds)
    assert not any(isinstance(effect, Grow | Complete) for effect in step.now)
    after = [type(effect) for effect in step.after if isinstance(effect, Grow | Complete)]
    assert after == [Grow, Complete]
    (kept,) = (change.result for change in step.changes if isinstance(change, AddAttempt))
    assert kept.listed is None  # it is in the plan


def test_no_items_are_no_failure() -> None:
    play = listed([])
    assert (play.disk[2].status, play.disk[2].message) == (SheetStatus.SKIPPED, "no items")
    play.run_out()
    assert play.finished is JobStatus.COMPLETED
    assert [run.num for run in play.runs] == [1, 2, 3]


def test_a_list_that_is_made_again_runs_only_what_is_new_and_what_needs_it() -> None:
    play = listed(["a", "b"])
    play.run_out()
    before = len(play.runs)
    play = again(play, [2])
    assert statuses(play) == ["completed", "pending", "pending", "completed", "completed"]
    play.grant()
    play.end(2, items=["b", "c"])
    play.run_out()
    assert [run.num for run in play.runs][before:] == [2, 6, 3]
    assert play.plan.sheet(6).name == "s2[c]"
    assert play.plan.sheet(3).needs == (2, 4, 5, 6)
    assert play.disk[4].status is SheetStatus.COMPLETED  # not in the list any more, and done
    assert play.finished is JobStatus.COMPLETED


def test_what_failed_and_is_not_in_the_list_any_more_is_left_out_with_a_word() -> None:
    play = listed(["a", "b"])
    play.run_out(lambda num: "failed" if num == 4 else "completed")
    assert play.finished is JobStatus.FAILED
    play = again(play, [2])
    play.grant()
    play.end(2, items=["b"])
    assert (play.disk[4].status, play.disk[4].message) == (
        SheetStatus.SKIPPED,
        "not in the list any more",
    )
    play.run_out()
    assert play.finished is JobStatus.COMPLETED


def test_a_plain_retry_makes_no_list_again() -> None:
    play = listed(["a", "b"])
    play.run_out(lambda num: "failed" if num == 5 else "completed")
    before = len(play.runs)
    play = again(play, None)
    play.run_out()
    assert [run.num for run in play.runs][before:] == [5, 3]


def test_what_the_list_is_made_of_being_run_again_runs_all_of_it_again() -> None:
    play = listed(["a"])
    play.run_out()
    play = again(play, [1])
    assert statuses(play) == ["pending"] * 4


def test_what_runs_for_the_end_of_a_list_waits_for_the_end_of_all_its_sheets() -> None:
    ends = with_sheet(with_sheet(plan(), 3, when="always"), 3, needs=(2,))
    play = Play(ends)
    play.grant()
    play.end(1)
    play.grant()
    play.end(2, items=["a", "b"])
    play.grant(4)
    play.end(4, "failed", "exit")
    assert play.queue == {5}
    play.restart(worker=False)
    play.run_out()
    assert [run.num for run in play.runs] == [1, 2, 4, 5, 3]


def test_a_failed_list_skips_what_needs_it() -> None:
    play = Play(plan())
    play.grant()
    play.end(1)
    play.grant()
    play.end(2, "failed", "list")
    assert statuses(play) == ["completed", "failed", "skipped"]


def test_a_list_that_makes_the_job_too_large_fails_its_sheet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("marianne.score.growth.MAX_SHEETS", 4)
    play = listed(["a", "b"])
    assert play.disk[2].status is SheetStatus.FAILED
    assert play.disk[2].message == "the job would have 5 sheets; at most 4 are allowed"
    assert len(play.plan.sheets) == 3


def test_a_list_that_ends_while_the_job_pauses_has_its_sheets_when_it_goes_on() -> None:
    play = Play(plan())
    play.grant()
    play.end(1)
    play.grant()
    play.take(play.machine.pause("person", play.now))
    play.end(2, items=["a"])
    assert play.finished is JobStatus.PAUSED
    play.finished = None
    play.disk_job.status = JobStatus.RUNNING
    play.restart(worker=False)
    assert play.queue == {4}


def test_a_cancelled_job_leaves_no_sheet_of_a_list_open() -> None:
    play = listed(["a", "b"])
    play.grant()
    play.take(play.machine.cancel(play.now))
    assert play.finished is JobStatus.CANCELLED
    assert statuses(play) == ["completed", "completed", "cancelled", "cancelled", "cancelled"]


@pytest.mark.parametrize("seed", range(40))
def test_over_any_deaths_there_is_one_list_and_each_item_is_done_once(seed: int) -> None:
    """Every making of the list would give another one; what is committed first is what counts."""
    random = Random(seed)
    play = Play(with_list(plan_of({1: (), 2: (), 3: (2,), 4: (3, 1)}), 2))
    made = 0
    while play.finished is None:
        play.doomed = random.random() < 0.5 if random.random() < 0.3 else None
        if play.queue and random.random() < 0.6:
            play.grant(random.choice(sorted(play.queue)))
        elif play.running:
            num = random.choice(sorted(play.running))
            made += num == 2
            items = [f"{made}.{n}" for n in range(random.randint(1, 4))] if num == 2 else None
            play.end(num, items=items)
        elif random.random() < 0.5:
            play.restart(worker=random.random() < 0.5)
        play.doomed = None
    assert play.finished is JobStatus.COMPLETED
    (growth,) = play.plan.grown
    assert len({str(item).partition(".")[0] for item in growth.items}) == 1
    completed = [num for event, num in play.events if event == "sheet.completed"]
    assert sorted(completed) == list(range(1, len(play.plan.sheets) + 1))


def again(play: Play, nums: list[int] | None) -> Play:
    """A person has the ended job retried."""
    play.take(play.machine.reset(nums, play.now))
    play.finished = None
    play.disk_job.status = JobStatus.RUNNING
    play.restart(worker=False)
    return play


# -- the part itself ----------------------------------------------------------------------------


def test_a_list_is_that_of_a_sheet_that_makes_one_and_completed() -> None:
    given = {"items": ["a"], "prefix": ""}
    for num, outcome in ((1, "completed"), (2, "failed"), (2, "interrupted")):
        ledger, step = ledger_of(plan()), Step()
        result = growing.take(ledger, step, ledger.row(num), ended(num, outcome, listed=given))
        assert (result.outcome, result.listed) == (outcome, None)
        assert (step.changes, len(ledger.plan.sheets)) == ([], 3)


def test_what_was_listed_is_told() -> None:
    ledger, step = ledger_of(plan(), {1: "completed", 2: "running"}), Step()
    given = {"items": ["in/a", "in/b"], "prefix": "in/"}
    growing.take(ledger, step, ledger.row(2), ended(2, listed=given))
    told = {"items": 2, "added": 2, "gone": 0, "first": 4, "last": 5}
    assert data(step, "sheet.listed") == told
    assert [sheet.name for sheet in ledger.plan.sheets[3:]] == ["s2[a]", "s2[b]"]
    assert ledger.progress()["total"] == 5
    assert ledger.progress()["pending"] == 3
    assert ledger.dependents(4) == [3]
    assert ledger.below(2) == {3, 4, 5}
