"""What a worker says that it runs, against what is written."""

from __future__ import annotations

import pytest
from ledger_stage import NOW, ended, ledger_of, statuses

from marianne.daemon.job.aftermath import Aftermath
from marianne.daemon.job.alive import find_running, interrupt_others, of_result
from marianne.daemon.job.budget import Budget
from marianne.daemon.job.gate import Gate
from marianne.daemon.job.judgement import Judgement
from marianne.daemon.job.ledger import Ledger
from marianne.daemon.shared.effects import EndSheets, Step
from marianne.state.models import JobStatus

APART: dict[int, tuple[int, ...]] = {1: (), 2: (), 3: ()}


def judge_of(ledger: Ledger) -> Judgement:
    return Judgement(ledger, Budget(ledger), Gate(ledger), Aftermath(ledger), lambda: 0.5)


def test_what_runs_without_our_knowing_is_started_and_what_should_not_run_is_ended() -> None:
    ledger, step = ledger_of(APART, {1: "running", 3: "completed"}), Step()
    find_running(ledger, judge_of(ledger), step, {(1, 1), (2, 1), (3, 1)}, ledger.start, NOW)
    assert statuses(ledger) == ["running", "running", "completed"]
    assert step.now == [EndSheets((3,), "lost")]


def test_what_is_written_to_run_and_does_not_was_lost() -> None:
    ledger = ledger_of(APART, {1: "running", 2: "running"})
    judgement = judge_of(ledger)
    interrupt_others(ledger, judgement, Step(), {(1, 1)}, NOW)
    assert statuses(ledger) == ["running", "pending", "pending"]
    assert judgement.take_lost() == [2]


@pytest.mark.parametrize("cancelling", [False, True])
@pytest.mark.parametrize(
    ("num", "attempt", "found"),
    [
        *((1, 1, True), (1, 3, False), (2, 1, True), (2, 2, False), (3, 1, False), (4, 1, False)),
        (1, 2, None),  # the one before it was lost: unless the job is being cancelled
    ],
)
def test_a_result_is_that_of_the_current_attempt_or_of_one_that_had_begun(
    num: int, attempt: int, found: bool | None, cancelling: bool
) -> None:
    ledger = ledger_of(APART, {1: "running", 3: "completed"})
    if cancelling:
        ledger.job.status = JobStatus.CANCELLING
    result = ended(num, attempt=attempt)
    row = of_result(ledger, judge_of(ledger), Step(), result, ledger.start)
    assert (row is not None) is (not cancelling if found is None else found)
