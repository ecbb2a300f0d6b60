"""What a worker says that it runs, against what is written."""

from __future__ import annotations

import pytest
from ledger_stage import NOW, ended, ledger_of, statuses

from marianne.daemon.job.aftermath import Aftermath
from marianne.daemon.job.alive import find_running, interrupt_others, of_result
from marianne.daemon.job.budget import Budget
from marianne.daemon.job.gate import Gate
from marianne.daemon.job.judgement import Judgement
from marianne.daemon.shared.effects import EndSheets, Step
from marianne.state.models import SheetRow

APART: dict[int, tuple[int, ...]] = {1: (), 2: (), 3: ()}


def test_what_runs_without_our_knowing_is_started_and_what_should_not_run_is_ended() -> None:
    ledger, step, started = ledger_of(APART, {1: "running", 3: "completed"}), Step(), list[int]()
    alive = {(1, 1), (2, 1), (3, 1)}
    find_running(ledger, step, alive, lambda row: started.append(row.num))
    assert started == [2]
    assert step.now == [EndSheets((3,), "lost")]


def test_what_is_written_to_run_and_does_not_was_lost() -> None:
    ledger = ledger_of(APART, {1: "running", 2: "running"})
    parts = Budget(ledger), Gate(ledger), Aftermath(ledger)
    judgement = Judgement(ledger, *parts, lambda: 0.5)
    interrupt_others(ledger, judgement, Step(), {(1, 1)}, NOW)
    assert statuses(ledger) == ["running", "pending", "pending"]
    assert judgement.take_lost() == [2]


@pytest.mark.parametrize(
    ("num", "attempt", "found"),
    [(1, 1, True), (1, 2, False), (2, 1, True), (2, 2, False), (3, 1, False), (4, 1, False)],
)
def test_a_result_is_that_of_the_current_attempt_or_of_one_that_had_begun(
    num: int, attempt: int, found: bool
) -> None:
    ledger = ledger_of(APART, {1: "running", 3: "completed"})

    def start(row: SheetRow) -> None:
        row.attempt += 1

    row = of_result(ledger, ended(num, attempt=attempt), start)
    assert (row is not None) is found
