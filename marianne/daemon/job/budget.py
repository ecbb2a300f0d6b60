"""What a job may use: tokens and cost, and how often a sheet may wait for a rate limit.

The account lies in the job's row and is written with the attempt that it counts. Pure.
"""

from __future__ import annotations

from marianne.daemon.job.ledger import Ledger
from marianne.daemon.shared.effects import Step
from marianne.model.result import AttemptResult
from marianne.schedule.account import Account, CostRules
from marianne.schedule.outcome import Verdict, is_quota
from marianne.state.models import SheetRow


class Budget:
    """A job's account under the rules of its score's ``cost_limits``."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._account = Account.read(ledger.job.options.get("account"))
        self._rules = CostRules.read(ledger.plan.extras.get("cost_limits"))

    def is_spent(self) -> bool:
        """Whether the job has cost more than it may."""
        limit = self._rules.per_job
        return limit is not None and self._account.spent() > limit

    def renew(self, step: Step) -> None:
        """Gives a job whose budget is spent another one: somebody lets it go on."""
        if self.is_spent():
            self._account.new_budget()
            self._keep(step)

    def waits(self, num: int, quota: bool) -> int:
        """How often the sheet has waited so, for a quota or for a limit, with its present
        instrument."""
        return self._account.waits_of(num, quota)

    def book(
        self, step: Step, row: SheetRow, result: AttemptResult, verdict: Verdict, now: float
    ) -> Verdict:
        """Counts an attempt: what it used, and that its sheet waits once more or is over.

        Returns the verdict; failed, with the reason in the row, if the sheet has cost too much.
        """
        changed = False
        if result.usage:
            changed = True
            verdict = self._charge(step, row, result, verdict, now)
        if verdict.kind == "rate_limited":
            changed = True
            self._account.waited(row.num, is_quota(result))
        elif verdict.kind not in ("retry", "completion"):
            changed |= self._account.forget(row.num, over=verdict.kind != "fallback")
        if changed:
            self._keep(step)
        return verdict

    def _charge(
        self, step: Step, row: SheetRow, result: AttemptResult, verdict: Verdict, now: float
    ) -> Verdict:
        account, limit = self._account, self._rules.per_sheet
        before, cost = account.spent(), self._rules.cost(result.usage)
        account.charge(row.num, result.usage, cost)
        data = {**account.usage(), "attempt_cost_usd": round(cost, 6), **self._warning(before)}
        self._ledger.event(step, "job.cost_update", row.num, data, now=now)
        spent = account.sheets.get(row.num, 0.0)
        if limit is None or spent <= limit:
            return verdict
        row.category = "cost"
        row.message = f"its attempts cost {spent:g}; the limit of a sheet is {limit:g}"
        return Verdict("failed", reason="cost")

    def _warning(self, before: float) -> dict[str, str]:
        """Said once, when what is spent of the job's budget passes the share to warn at."""
        limit, spent = self._rules.per_job, self._account.spent()
        if limit is None or not before < limit * self._rules.warn_at_percent / 100 <= spent:
            return {}
        return {"warning": f"{100 * spent / limit:.0f} % of {limit:g} spent"}

    def _keep(self, step: Step) -> None:
        self._ledger.keep_option(step, "account", self._account.stored())
