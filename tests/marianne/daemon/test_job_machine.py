"""What becomes of a job's sheets: the rules, one by one, and any history of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from job_play import Play, plan_of
from job_walk import walk

from marianne.daemon.shared.effects import Acknowledge, Step
from marianne.model.result import AttemptResult
from marianne.state.models import JobStatus, SheetStatus

CHAIN = {1: (), 2: (1,), 3: (2,)}
DIAMOND = {1: (), 2: (1,), 3: (1,), 4: (2, 3)}


def _statuses(play: Play) -> list[str]:
    return [str(play.disk[n].status) for n in sorted(play.disk)]


def test_a_chain_runs_in_order_and_completes() -> None:
    play = Play(plan_of(CHAIN))
    play.run_out()
    assert play.finished is JobStatus.COMPLETED
    assert [n for e, n in play.events if e == "sheet.started"] == [1, 2, 3]


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("outcome", ["completed", "failed"])
def test_a_job_that_goes_on_by_another_plan_is_not_over(outcome: str, restarted: bool) -> None:
    """It was told so: nobody hears meanwhile that it has failed, by the plan that it had."""
    play = Play(plan_of({1: ()}))
    play.grant()
    play.take(play.machine.pause("modify", play.now))
    if restarted:
        play.restart(worker=True)
    play.end(1, outcome)
    assert (play.disk_job.status, play.disk_job.reason) == (JobStatus.PAUSED, "modify")
    assert play.finished is JobStatus.PAUSED


@pytest.mark.parametrize("status", [JobStatus.QUEUED, JobStatus.PENDING, JobStatus.PAUSED])
def test_a_job_that_has_no_actors_is_cancelled_at_once(status: JobStatus) -> None:
    play = Play(plan_of(CHAIN), status)
    play.take(play.machine.cancel(play.now))
    assert play.disk_job.status is JobStatus.CANCELLED
    assert _statuses(play) == ["cancelled"] * 3


def test_both_arms_of_a_diamond_may_run_at_once() -> None:
    play = Play(plan_of(DIAMOND))
    play.grant()
    play.end(1)
    assert play.queue == {2, 3}
    play.grant()
    play.grant()
    play.end(3)
    assert play.queue == set()
    play.end(2)
    assert play.queue == {4}


def test_an_attempt_whose_result_is_on_its_way_is_not_taken_for_lost() -> None:
    play = Play(plan_of({1: (), 2: ()}))
    play.grant(1)
    play.grant(2)
    play.take(play.machine.recover([(1, 1)], play.now, [(2, 1)]))
    assert _statuses(play) == ["running", "running"]
    play.end(2)
    assert (play.disk[2].status, play.disk[2].attempt) == (SheetStatus.COMPLETED, 1)


def test_a_result_is_acknowledged_behind_its_commit_however_often_it_comes() -> None:
    play = Play(plan_of({1: (), 2: ()}))
    play.grant(1)
    result = AttemptResult(1, 1, "completed", 1.0, 2.0, exit_code=0)
    first = play.machine.result(result, play.now)
    again = play.machine.result(result, play.now)  # the first is not on disk yet
    for step in (first, again):
        assert Acknowledge(result.serial) in step.after
        assert Acknowledge(result.serial) not in step.now


def starts(play: Play) -> list[tuple[str, int | None]]:
    return [event for event in play.events if event[0] == "sheet.started"]


def test_where_an_attempt_runs_is_told_once_and_with_its_end() -> None:
    play = Play(replace(plan_of({1: ()}), executor="cluster"))
    play.grant(1)
    assert "sheet.started" not in dict(play.events), "it may wait for a node"
    play.take(play.machine.began(1, 1, 5.0, (), "n1"))
    play.take(play.machine.began(1, 1, 5.0, (), "n1"))
    assert starts(play) == [("sheet.started", 1)]
    assert play.disk[1].node == "n1"
    play.end(1)
    assert play.disk[1].node == "n1"


def test_the_walls_that_stood_around_the_last_attempt_are_on_disk_with_its_end() -> None:
    play = Play(plan_of({1: ()}))
    play.grant(1)
    play.take(play.machine.began(1, 1, 5.0, ["write"]))
    play.end(1, "interrupted")
    assert play.disk[1].walls == ("write",), "who takes over from a lost worker cannot say"
    play.grant(1)
    assert play.disk[1].walls == ()
    result = AttemptResult(1, 2, "completed", 1.0, 2.0, exit_code=0, walls=("network",))
    del play.running[1]
    play.take(play.machine.result(result, play.now))
    assert play.disk[1].walls == ("network",)


def test_an_attempt_on_a_node_whose_start_was_not_heard_is_told_to_have_begun_by_its_end() -> None:
    play = Play(replace(plan_of({1: (), 2: ()}), executor="cluster"))
    for num, category in ((1, None), (2, "lost")):
        play.grant(num)
        outcome = "interrupted" if category else "completed"
        ended = AttemptResult(num, 1, outcome, 5.0, 6.0, category=category, node="n1")
        del play.running[num]
        play.take(play.machine.result(ended, play.now))
    assert starts(play) == [("sheet.started", 1)], "of one that was lost nobody knows"
    assert (play.disk[1].node, play.disk[1].walls) == ("n1", ())
    names = [name for name, num in play.events if num == 1]
    assert names.index("sheet.started") < names.index("sheet.completed")


def test_on_the_conductors_machine_there_is_no_node() -> None:
    play = Play(plan_of({1: ()}))
    play.run_out()
    assert play.disk[1].node is None
    assert starts(play) == [("sheet.started", 1)]


def test_a_failed_sheet_skips_what_needs_it_and_nothing_else() -> None:
    play = Play(plan_of({1: (), 2: (1,), 3: (2,), 4: ()}))
    play.run_out(lambda num: "failed" if num == 1 else "completed")
    assert _statuses(play) == ["failed", "skipped", "skipped", "completed"]
    assert play.disk[3].message == "sheet 1 failed"
    assert play.finished is JobStatus.FAILED
    assert play.disk_job.error == "sheet 1 (s1) failed"


def test_a_failure_is_retried_after_its_delay_and_no_more_often_than_allowed() -> None:
    play = Play(plan_of({1: ()}, retries=2))
    for attempt in (1, 2):
        play.grant()
        play.end(1, "failed", "exit")
        assert play.disk[1].status is SheetStatus.WAITING
        assert play.timers[1] == pytest.approx(play.now + attempt)
        assert not play.queue
        play.wake(1)
    play.grant()
    play.end(1, "failed", "exit")
    assert play.finished is JobStatus.FAILED
    assert play.disk[1].attempt == 3


def test_an_interrupted_attempt_uses_up_no_retry() -> None:
    play = Play(plan_of({1: ()}))
    for _ in range(5):
        play.grant()
        play.end(1, "interrupted", "lost")
    play.run_out()
    assert play.finished is JobStatus.COMPLETED
    assert (play.disk[1].attempt, play.disk[1].failures) == (6, 0)


def test_a_result_that_comes_twice_counts_once() -> None:
    play = Play(plan_of({1: ()}, retries=1))
    play.grant()
    play.end(1, "failed", "exit")
    again = play.machine.result(play.spool[0], play.now)
    assert again.changes == []
    assert play.disk[1].failures == 1


def test_a_start_that_was_not_committed_is_taken_from_the_worker() -> None:
    play = Play(plan_of({1: ()}))
    play.running[1] = 1
    play.restart(worker=True)
    assert play.disk[1].status is SheetStatus.RUNNING
    play.end(1)
    assert play.finished is JobStatus.COMPLETED


def test_a_lost_worker_costs_an_attempt_but_no_retry() -> None:
    play = Play(plan_of(CHAIN))
    play.grant()
    play.restart(worker=False)
    assert ("sheet.interrupted", 1) in play.events
    play.run_out()
    assert play.finished is JobStatus.COMPLETED
    assert play.disk[1].attempt == 2


@pytest.mark.parametrize("category", ["disk_full", "machine"])
def test_a_sheet_that_the_machine_could_not_begin_comes_again_and_uses_no_retry(
    category: str,
) -> None:
    play = Play(plan_of({1: ()}))
    delays = []
    for _ in range(3):
        play.grant()
        play.end(1, "interrupted", category)
        assert _statuses(play) == ["waiting"]
        assert play.disk[1].category == category
        delays.append((play.disk[1].due_at or 0.0) - play.now)
        play.wake(1)
    assert delays[0] < delays[1] < delays[2]
    play.run_out()
    assert play.finished is JobStatus.COMPLETED
    assert (play.disk[1].attempt, play.disk[1].failures) == (4, 0)


def test_a_pause_lets_running_sheets_finish_and_starts_nothing() -> None:
    play = Play(plan_of(CHAIN))
    play.grant()
    play.take(play.machine.pause("person", play.now))
    assert play.disk_job.status is JobStatus.PAUSING
    play.end(1)
    assert play.finished is JobStatus.PAUSED
    assert not play.queue
    assert (play.disk_job.status, play.disk_job.reason) == (JobStatus.PAUSED, "person")


@pytest.mark.parametrize("spooled", [False, True])
def test_a_pause_waits_for_what_runs_though_its_start_was_never_committed(spooled: bool) -> None:
    play = Play(plan_of({1: (), 2: (), 3: ()}))
    play.grant(1)
    play.take(Step(now=play.machine.grant(2, play.now).now))  # it died before the commit
    assert (play.running, sorted(play.disk)) == ({1: 1, 2: 1}, [1])
    if spooled:
        play.spool.append(AttemptResult(1, 1, "completed", 1.0, 2.0))
        del play.running[1]
    play.restart(worker=True, pause=True)
    assert (play.finished, play.disk_job.status) == (None, JobStatus.PAUSING)
    play.end(2)
    if not spooled:
        play.end(1)
    assert play.finished is JobStatus.PAUSED
    assert [play.disk[num].status for num in (1, 2)] == [SheetStatus.COMPLETED] * 2


def test_a_pause_taken_back_in_time_leaves_the_running_sheet_alone() -> None:
    play = Play(plan_of(CHAIN))
    play.grant()
    play.take(play.machine.pause("person", play.now))
    play.take(play.machine.resume(play.now))
    assert play.running == {1: 1}
    play.run_out()
    assert [play.disk[n].attempt for n in (1, 2, 3)] == [1, 1, 1]


def test_a_cancel_ends_what_runs_and_leaves_nothing_open() -> None:
    play = Play(plan_of(DIAMOND))
    play.grant()
    play.end(1)
    play.grant()
    play.take(play.machine.cancel(play.now))
    assert play.finished is JobStatus.CANCELLED
    assert _statuses(play) == ["completed", "cancelled", "cancelled", "cancelled"]


def test_a_cancel_reaches_a_sheet_that_waits_for_its_retry() -> None:
    play = Play(plan_of({1: ()}, retries=3))
    play.grant()
    play.end(1, "failed", "exit")
    play.take(play.machine.cancel(play.now))
    assert play.finished is JobStatus.CANCELLED
    assert _statuses(play) == ["cancelled"]


def test_reset_runs_the_failed_ones_and_their_dependents_again() -> None:
    play = Play(plan_of({1: (), 2: (1,), 3: ()}))
    play.run_out(lambda num: "failed" if num == 1 else "completed")
    play.take(play.machine.reset(None, play.now))
    assert _statuses(play) == ["pending", "pending", "completed"]


TWO_NEEDS = {1: (), 2: (), 3: (1,), 4: (2, 3), 5: (1,)}


def _failed(play: Play, *nums: int) -> Play:
    play.run_out(lambda num: "failed" if num in nums else "completed")
    return play


def _retried(play: Play, *nums: int) -> list[int]:
    """Retries the sheets in a job that starts again; which ran then."""
    play.take(play.machine.reset(nums, play.now))
    play.disk_job.status, play.finished, before = JobStatus.RUNNING, None, len(play.runs)
    play.restart(worker=False)
    play.run_out()
    assert play.finished is not None, "the job came to no end"
    return sorted(run.num for run in play.runs[before:])


def test_a_retried_sheet_brings_what_it_needs_and_that_its_dependents() -> None:
    play = _failed(Play(plan_of(TWO_NEEDS)), 1)
    assert _statuses(play) == ["failed", "completed", "skipped", "skipped", "skipped"]
    assert play.machine.unmet([4]) == {1, 3}
    assert _retried(play, 4) == [1, 3, 4, 5]
    assert play.finished is JobStatus.COMPLETED


def test_a_retry_after_a_cancel_brings_what_was_cancelled() -> None:
    play = Play(plan_of(CHAIN))
    play.take(play.machine.cancel(play.now))
    assert _retried(play, 3) == [1, 2, 3]
    assert play.finished is JobStatus.COMPLETED


def test_a_dependent_that_needs_another_failed_one_is_skipped_again() -> None:
    play = _failed(Play(plan_of(TWO_NEEDS)), 1, 2)
    assert _retried(play, 1) == [1, 3, 5]
    assert play.finished is JobStatus.FAILED
    assert _statuses(play) == ["completed", "failed", "completed", "skipped", "completed"]
    assert play.disk[4].message == "sheet 2 failed"


def test_what_can_never_run_is_skipped_and_the_job_ends() -> None:
    play = _failed(Play(plan_of(CHAIN)), 1)
    play.disk[2].status = play.disk[3].status = SheetStatus.PENDING
    play.disk_job.status, play.finished = JobStatus.RUNNING, None
    play.restart(worker=False)
    assert play.finished is JobStatus.FAILED
    assert _statuses(play) == ["failed", "skipped", "skipped"]


def test_giving_up_leaves_no_sheet_open() -> None:
    play = Play(plan_of(CHAIN))
    play.grant()
    play.running.clear()
    play.take(play.machine.give_up("too many crashes", play.now))
    assert play.disk_job.status is JobStatus.FAILED
    assert all(row.status.terminal for row in play.disk.values())


@pytest.mark.parametrize("first", range(0, 400, 100))
def test_deaths_before_and_after_commits_take_nothing_back(first: int) -> None:
    """400 histories; ``scripts/chaos machine`` walks 10,000."""
    for seed in range(first, first + 100):
        walk(seed)


@given(
    needs=st.integers(1, 6).flatmap(
        lambda n: st.tuples(
            *(st.sets(st.integers(1, i)).map(tuple) if i else st.just(()) for i in range(n))
        )
    ),
    moves=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 99)), max_size=60),
    retries=st.integers(0, 2),
)
@settings(max_examples=300, deadline=None)
def test_any_history_of_grants_results_crashes_and_wishes_is_legal_and_ends(
    needs: tuple[tuple[int, ...], ...], moves: list[tuple[int, int]], retries: int
) -> None:
    """Play refuses two attempts at once, a dependent before its need, an attempt recorded twice,
    and every illegal transition; what is completed stays completed at its attempt."""
    play = Play(plan_of({i + 1: n for i, n in enumerate(needs)}, retries))
    completed: dict[int, int] = {}
    for kind, pick in moves:
        if play.finished:
            break
        if kind <= 2 and play.queue:
            play.grant(sorted(play.queue)[pick % len(play.queue)])
        elif kind <= 5 and play.running:
            num = sorted(play.running)[pick % len(play.running)]
            outcome = ("completed", "completed", "failed", "interrupted")[pick % 4]
            play.end(num, outcome, {"failed": "exit", "interrupted": "lost"}.get(outcome))
        elif kind == 6 and play.timers:
            play.wake(sorted(play.timers)[pick % len(play.timers)])
        elif kind == 7:
            play.restart(worker=bool(pick % 2))
        elif kind == 8 and pick < 30:
            play.take(play.machine.pause("person", play.now))
        elif kind == 8:
            play.take(play.machine.resume(play.now))
        elif kind == 9 and pick < 10:
            play.take(play.machine.cancel(play.now))
        for num, row in play.disk.items():
            if num in completed:
                assert (row.status, row.attempt) == (SheetStatus.COMPLETED, completed[num])
            elif row.status is SheetStatus.COMPLETED:
                completed[num] = row.attempt
    if not play.finished:
        play.take(play.machine.resume(play.now))
        play.run_out()
    assert play.finished is not None
    if play.finished is not JobStatus.PAUSED:
        assert all(row.status.terminal for row in play.disk.values())
        assert sum(play.machine.ledger.progress().values()) == 2 * len(needs)
