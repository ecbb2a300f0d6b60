"""What a job may use: each attempt is counted once, and what is too much has its consequence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from job_play import plan_of
from ledger_stage import CHAIN, NOW, data, ended, events, job_fields, ledger_of

from marianne.daemon.job.budget import Budget
from marianne.daemon.job.ledger import Ledger
from marianne.daemon.shared.effects import Step
from marianne.schedule.account import Account
from marianne.schedule.outcome import Verdict
from marianne.score.models import CostLimits

COMPLETED, RETRY, FALLBACK, LIMITED = map(
    Verdict, ("completed", "retry", "fallback", "rate_limited")
)
QUOTA = "E104"


def costing(**limits: Any) -> Ledger:
    section = CostLimits.model_validate(limits).model_dump()
    return ledger_of(replace(plan_of(CHAIN), extras={"cost_limits": section}))


def use(
    budget: Budget, ledger: Ledger, cost: float, num: int = 1, verdict: Verdict = COMPLETED
) -> tuple[Step, Verdict]:
    step, result = Step(), ended(num, usage={"cost_usd": cost, "input_tokens": 10})
    return step, budget.book(step, ledger.row(num), result, verdict, NOW)


def test_what_attempts_used_is_summed_told_and_kept_in_the_jobs_row() -> None:
    ledger = ledger_of(CHAIN)
    budget = Budget(ledger)
    use(budget, ledger, 0.5)
    step, _ = use(budget, ledger, 0.25)
    assert data(step, "job.cost_update") == {
        "input_tokens": 20,
        "output_tokens": 0,
        "cost_usd": 0.75,
        "attempt_cost_usd": 0.25,
    }
    assert job_fields(step)["options"]["account"]["cost_usd"] == 0.75


def test_what_was_written_for_an_attempt_knows_nothing_of_the_next_one() -> None:
    """The store reads it later: a kill between the two would count the second one twice."""
    ledger = ledger_of(CHAIN)
    ledger.job.options = {"account": Account(sheets={1: 1.0}, waits={1: [0, 0]}).stored()}
    before, budget = ledger.job.options, Budget(ledger)
    first, _ = use(budget, ledger, 0.5, verdict=RETRY)
    waited, _ = use(budget, ledger, 0.0, verdict=LIMITED)
    kept = [job_fields(step)["options"]["account"] for step in (first, waited)]
    use(budget, ledger, 0.25, verdict=RETRY)
    use(budget, ledger, 0.0, verdict=LIMITED)
    assert [one["sheets"] for one in (before["account"], *kept)] == [{1: 1.0}, {1: 1.5}, {1: 1.5}]
    assert [one["waits"] for one in (before["account"], *kept)] == [
        {1: [0, 0]},
        {1: [0, 0]},
        {1: [1, 0]},
    ]


def test_an_attempt_that_used_nothing_and_never_waited_writes_nothing() -> None:
    ledger, step = ledger_of(CHAIN), Step()
    assert Budget(ledger).book(step, ledger.row(1), ended(1), COMPLETED, NOW) is COMPLETED
    assert step == Step()


def test_a_budget_is_spent_when_more_than_it_was_used() -> None:
    ledger = costing(max_cost_per_job=1.0)
    budget = Budget(ledger)
    use(budget, ledger, 1.0)
    assert not budget.is_spent(), "as much as it may is not too much"
    use(budget, ledger, 0.1)
    assert budget.is_spent()


def test_a_job_without_a_limit_never_spends_its_budget() -> None:
    ledger = costing(enabled=False, max_cost_per_job=1.0)
    budget = Budget(ledger)
    use(budget, ledger, 1e6)
    assert not budget.is_spent()


def test_a_spent_budget_is_renewed_whole_and_one_that_is_not_goes_on() -> None:
    ledger = costing(max_cost_per_job=1.0)
    budget, step = Budget(ledger), Step()
    use(budget, ledger, 0.9)
    budget.renew(step)
    assert step == Step()
    use(budget, ledger, 0.9)
    budget.renew(step)
    assert job_fields(step)["options"]["account"]["budget_from"] == 1.8
    use(budget, ledger, 0.9)
    assert not budget.is_spent()


def test_a_restart_goes_on_from_what_the_row_says() -> None:
    ledger = costing(max_cost_per_job=1.0)
    use(Budget(ledger), ledger, 1.5)
    assert Budget(ledger).is_spent()


def test_a_sheet_that_cost_too_much_over_its_attempts_fails_and_says_so() -> None:
    ledger = costing(max_cost_per_sheet=1.0)
    budget = Budget(ledger)
    assert use(budget, ledger, 0.6, verdict=RETRY)[1] is RETRY
    _, verdict = use(budget, ledger, 0.6, verdict=RETRY)
    assert (verdict.kind, verdict.reason) == ("failed", "cost")
    row = ledger.rows[1]
    assert row.category == "cost"
    assert row.message == "its attempts cost 1.2; the limit of a sheet is 1"


def test_a_sheet_may_cost_as_much_as_its_limit() -> None:
    ledger = costing(max_cost_per_sheet=1.0)
    assert use(Budget(ledger), ledger, 1.0, verdict=RETRY)[1] is RETRY


def test_what_a_sheet_cost_is_forgotten_when_it_is_over() -> None:
    ledger = costing(max_cost_per_sheet=1.0)
    budget = Budget(ledger)
    use(budget, ledger, 0.9)
    assert use(budget, ledger, 0.9)[1] is COMPLETED, "it runs again because a person says so"


def test_the_warning_is_said_once_when_its_share_is_passed() -> None:
    ledger = costing(max_cost_per_job=10.0, warn_at_percent=50)
    budget = Budget(ledger)
    told = [data(use(budget, ledger, 3.0)[0], "job.cost_update") for _ in range(3)]
    assert [one.get("warning") for one in told] == [None, "60 % of 10 spent", None]


@pytest.mark.parametrize(("code", "quota"), [(None, False), (QUOTA, True)])
def test_waits_for_limits_and_for_quotas_are_counted_apart(code: str | None, quota: bool) -> None:
    ledger, step = ledger_of(CHAIN), Step()
    budget = Budget(ledger)
    result = ended(1, "failed", category="rate_limit", code=code)
    budget.book(step, ledger.row(1), result, LIMITED, NOW)
    assert (budget.waits(1, quota), budget.waits(1, not quota)) == (1, 0)
    assert Budget(ledger).waits(1, quota) == 1, "a restart knows it"
    assert events(step) == []


@pytest.mark.parametrize(("verdict", "left"), [(RETRY, 1), (FALLBACK, 0), (COMPLETED, 0)])
def test_waits_begin_anew_with_another_instrument_and_end_with_the_sheet(
    verdict: Verdict, left: int
) -> None:
    ledger = ledger_of(CHAIN)
    budget = Budget(ledger)
    budget.book(Step(), ledger.row(1), ended(1), LIMITED, NOW)
    budget.book(Step(), ledger.row(1), ended(1), verdict, NOW)
    assert budget.waits(1, False) == left
