"""What bounds a job's sheets beside their own retries: pace, cost, waits, instruments that keep
failing or are not there, and the sheets that a person wants left out.

The middle of :mod:`marianne.daemon.job.machine`. Pure.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence

from marianne.daemon.job.ledger import JobLedger
from marianne.daemon.shared.effects import (
    Deregister,
    EndSheets,
    Finish,
    Register,
    Step,
    WakeAt,
    Withdraw,
)
from marianne.run.result import AttemptResult
from marianne.schedule.account import Account, CostRules
from marianne.schedule.breaker import Breakers, works
from marianne.schedule.explain import Explanation
from marianne.schedule.outcome import RateLimits, Verdict, is_quota, judge
from marianne.schedule.pace import Pace
from marianne.score.plan import Plan
from marianne.state.changes import UpdateJob
from marianne.state.models import JobRow, JobStatus, SheetRow, SheetStatus

CLOCK_SECONDS = 600.0
"""How often it is noted how long a job has run: so much of it the conductor's death may lose."""

BEGIN_AGAIN = (2.0, 60.0)
"""Seconds until a sheet that could not begin is tried again: doubled each time, up to a bound."""

_HOW = {SheetStatus.FAILED: "failed", SheetStatus.CANCELLED: "was cancelled"}


class JobLimits(JobLedger):
    """See the head of this file."""

    def __init__(
        self,
        plan: Plan,
        job: JobRow,
        rows: Mapping[int, SheetRow],
        random: Callable[[], float],
    ) -> None:
        super().__init__(plan, job, rows)
        self._random = random
        self._account = Account.read(job.options.get("account"))
        self._costs = CostRules.read(plan.extras.get("cost_limits"))
        self._breakers = Breakers.read(job.options.get("breakers"))
        self._rates = RateLimits.read(plan.extras.get("rate_limit"))
        self._ran = float(job.options.get("ran_seconds") or 0.0)
        self._ran_at: float | None = None
        self._not_begun: dict[int, int] = {}  # tries in a row, by sheet; a restart begins anew
        played = [row for row in self.rows.values() if row.attempt]
        ended = (row.finished_at or 0.0 for row in played if row.status is not SheetStatus.SKIPPED)
        self._paced = bool(plan.stagger_seconds or plan.pause_between_sheets_seconds)
        self._pace = Pace(
            plan.stagger_seconds,
            plan.pause_between_sheets_seconds,
            max((row.started_at or 0.0 for row in played), default=0.0),
            max(ended, default=0.0),
        )

    # -- before the first sheet -----------------------------------------------------------------

    def _begin(self, step: Step, now: float) -> None:
        """Leaves out what ``--start-sheet`` leaves out. A sheet that no instrument can play fails
        the job before anything is done; one that may yet be skipped is waited for."""
        if any(row.attempt for row in self.rows.values()):
            return
        for num in range(1, min(self.job.options.get("start_sheet") or 1, len(self.plan.sheets))):
            row = self._row(num)
            if not row.status.terminal:
                self._move(row, SheetStatus.SKIPPED)
                row.category, row.message = "skip_condition", "before the sheet that was asked for"
                self._save(step, row)
        blocked = [
            sheet
            for sheet in self.plan.sheets
            if sheet.next_available() is None
            and not (sheet.skip_when or sheet.skip_when_command)
            and not self._fresh(sheet.num).status.terminal
        ]
        if not blocked:
            return
        for sheet in blocked:
            row, instrument = self._row(sheet.num), sheet.instrument
            self._move(row, SheetStatus.FAILED)
            row.category = "not_found"
            row.message = f"{instrument.profile}: {instrument.unavailable}"
            self._save(step, row)
            data = {"category": row.category, "message": row.message}
            self._event(step, "sheet.failed", sheet.num, data, now=now)
        # Only now: a dependent that has no instrument either has failed, and is not skipped.
        for sheet in blocked:
            self._skip_dependents(sheet.num, now, step)
        why = f"sheet {blocked[0].num} ({blocked[0].name}) has no instrument"
        self._leave_out_the_rest(step, why)
        error = f"{why}: {self.rows[blocked[0].num].message}"
        self._end(step, JobStatus.FAILED, "job.failed", now, error)

    def lost_too_often(self, nums: Sequence[int], why: str, now: float) -> Step:
        """Fails the job, whose worker was lost again and again while these sheets ran."""
        step = Step()
        if not self._goes():
            return step
        names = ", ".join(f"{num} ({self.plan.sheets[num - 1].name})" for num in nums[:5])
        more = f" and {len(nums) - 5} more" if len(nums) > 5 else ""
        cause = f"{why}; then ran: sheet {names}{more}"
        for num in nums:
            row = self._row(num)
            if not row.status.terminal:
                self._move(row, SheetStatus.FAILED)
                row.category, row.message, row.due_at = "worker_lost", why, None
                row.finished_at = now
                self._save(step, row)
                data = {"category": row.category, "message": why}
                self._event(step, "sheet.failed", num, data, now=now)
        self._leave_out_the_rest(step, cause)
        self._end(step, JobStatus.FAILED, "job.failed", now, cause)
        return step

    def _leave_out_the_rest(self, step: Step, why: str) -> None:
        for sheet in self.plan.sheets:
            row = self._row(sheet.num)
            if not row.status.terminal:
                self._move(row, SheetStatus.CANCELLED)
                row.message, row.due_at = f"not started: {why}", None
                self._save(step, row)

    def _register(self, step: Step, now: float) -> None:
        if self._budget_spent():
            # Somebody lets a job go on that was paused for its cost.
            self._account.new_budget()
            self._keep_account(step)
        sheets, needs, waiting = [], {}, set()
        for sheet in self.plan.sheets:
            row = self._fresh(sheet.num)
            if row.status.terminal:
                continue
            sheets.append(self._info(row))
            needs[sheet.num] = {n for n in sheet.needs if not self.is_satisfied(n)}
            if row.status is SheetStatus.WAITING:
                waiting.add(sheet.num)
                due_at = self._due_again(row, now)
                if due_at != row.due_at:
                    row.due_at = due_at
                    self._save(step, row)
                step.now.append(WakeAt(sheet.num, due_at))
        running = frozenset(self._running())
        agents = frozenset(
            instrument.limit_key
            for sheet in self.plan.sheets
            for instrument in (sheet.instrument, *sheet.fallbacks)
            if not instrument.raw_prompt
        )
        step.now.insert(0, Register(tuple(sheets), needs, running, frozenset(waiting), agents))

    @staticmethod
    def _due_again(row: SheetRow, now: float) -> float:
        """When a sheet is due whose wait goes on: no later than after the whole of it, whatever the
        clock said when it began."""
        due_at = row.due_at or now
        whole = due_at - (row.finished_at or due_at)
        return min(due_at, now + max(0.0, whole))

    # -- before an attempt ----------------------------------------------------------------------

    def _keep_back(self, row: SheetRow, now: float) -> float | None:
        """When a sheet that was granted may ask again, None if it begins now; infinite: it is
        told."""
        instrument = self._instrument(row)
        if not instrument.raw_prompt:
            when = self._breakers.wait(row.num, instrument.profile, now)
            if when is not None:
                return when
        when = self._pace.start(row.num, now, self.counts[SheetStatus.RUNNING])
        if when is None:
            self._breakers.started(row.num, instrument.profile)
        return when

    def _begin_again_after(self, num: int) -> float:
        """Seconds until a sheet that the machine could not begin is tried again."""
        tries = self._not_begun.get(num, 0)
        self._not_begun[num] = tries + 1
        first, longest = BEGIN_AGAIN
        return min(first * 2.0 ** min(tries, 16), longest)

    def _is_kept_back(self, num: int) -> bool:
        return self._pace.promised(num) is not None or num in self._breakers.held

    def kept_back(self) -> dict[int, Explanation]:
        """Why sheets that might have a slot do not: their job keeps them back itself."""
        found = {}
        for num, name in self._breakers.held.items():
            until = self._breakers.known[name].until
            text = f"{name} failed {self._breakers.known[name].failures} times in a row in this job"
            found[num] = Explanation("breaker", text, {"instrument": name, "until": until})
        for sheet in self.plan.sheets if self._paced else ():
            due = self._pace.promised(sheet.num)
            if due is not None:
                text = "its job's pace (stagger, pause between sheets) keeps it back"
                found[sheet.num] = Explanation("pacing", text, {"until": due})
        return found

    def _note_instrument(
        self, row: SheetRow, result: AttemptResult, now: float, step: Step
    ) -> None:
        """What an attempt says of its instrument; wakes the sheets that its breaker kept back."""
        instrument = self._instrument(row)
        if instrument.raw_prompt:
            return
        before = self._breakers.stored()
        woken = self._breakers.ended(row.num, instrument.profile, works(result), now)
        step.now += (WakeAt(num, when) for num, when in woken.items())
        after = self._breakers.stored()
        if after == before:
            return
        self._keep_option(step, "breakers", after)
        opened = self._breakers.known[instrument.profile]
        if (
            opened.until is not None
            and opened.until != before.get(instrument.profile, [0, 0, 0])[2]
        ):
            data = {
                "instrument": instrument.profile,
                "failures": opened.failures,
                "seconds": round(opened.until - now, 1),
            }
            self._event(step, "job.breaker", row.num, data, now=now)

    def _deregister(self, step: Step) -> None:
        """Nothing more begins: what waits in the queue or in the worker is taken back."""
        step.now.append(Deregister())
        if self._ahead:
            step.now.append(Withdraw())

    # -- after an attempt -----------------------------------------------------------------------

    def _verdict(self, row: SheetRow, result: AttemptResult, now: float, step: Step) -> Verdict:
        """What becomes of the sheet, by its retries and by what it has used."""
        self._not_begun.pop(row.num, None)
        sheet, account = self.plan.sheets[row.num - 1], self._account
        quota = is_quota(result)
        verdict = judge(
            result,
            sheet.retry,
            failures=row.failures,
            completions=row.completions,
            fallbacks_left=0 if sheet.next_available(row.fallback + 1) is None else 1,
            random=self._random,
            waits=account.waits_of(row.num, quota),
            rates=self._rates,
        )
        changed = False
        if result.usage:
            changed = True
            verdict = self._charge(row, result, verdict, now, step)
        if verdict.kind == "rate_limited":
            changed = True
            account.waited(row.num, quota)
        elif verdict.kind not in ("retry", "completion"):
            changed |= account.forget(row.num, over=verdict.kind != "fallback")
        if changed:
            self._keep_account(step)
        return verdict

    def _charge(
        self, row: SheetRow, result: AttemptResult, verdict: Verdict, now: float, step: Step
    ) -> Verdict:
        """Counts what the attempt used; a sheet that has used too much fails."""
        account, rules = self._account, self._costs
        before = account.spent()
        cost = rules.cost(result.usage)
        account.charge(row.num, result.usage, cost)
        data: dict[str, object] = {**account.usage(), "attempt_cost_usd": round(cost, 6)}
        if rules.per_job is not None:
            warn_at = rules.per_job * rules.warn_at_percent / 100
            if before < warn_at <= account.spent():
                percent = 100 * account.spent() / rules.per_job
                data["warning"] = f"{percent:.0f} % of {rules.per_job:g} spent"
        self._event(step, "job.cost_update", row.num, data, now=now)
        spent = account.sheets.get(row.num, 0.0)
        if rules.per_sheet is not None and spent > rules.per_sheet:
            row.category = "cost"
            row.message = (
                f"its attempts cost {spent:g}; the limit of a sheet is {rules.per_sheet:g}"
            )
            return Verdict("failed", reason="cost")
        return verdict

    def _budget_spent(self) -> bool:
        """Whether the job has cost more than it may."""
        limit = self._costs.per_job
        return limit is not None and self._account.spent() > limit

    def _keep_account(self, step: Step) -> None:
        self._keep_option(step, "account", self._account.stored())

    def _keep_option(self, step: Step, name: str, value: object) -> None:
        self.job.options = {**self.job.options, name: value}
        step.changes.append(UpdateJob(self.job.job_id, {"options": self.job.options}))

    # -- the time of the whole job --------------------------------------------------------------

    def tick(self, now: float, timeout: float) -> Step:
        """Notes how long the job has run; one that has run for ``timeout`` seconds fails.

        Time counts while a conductor has the job and it is not paused, also while its sheets wait.
        """
        step = Step()
        if not self._goes():
            return step
        self._count_time(step, now)
        if self._ran >= timeout:
            error = f"ran for {self._ran:.0f} s: longer than job_timeout_seconds ({timeout:g})"
            self._job(step, JobStatus.CANCELLING, reason="timeout", error=error)
            self._deregister(step)
            running = tuple(self._running())
            if running:
                step.now.append(EndSheets(running, "job_timeout"))
            self._settle(step, now)
        return step

    def next_tick(self, timeout: float) -> float | None:
        """Seconds from one :meth:`tick` to the next; None for a job that does not run."""
        return min(max(timeout - self._ran, 0.001), CLOCK_SECONDS) if self._goes() else None

    def clock_set(self, by: float) -> Step:
        """The wall clock was set by so many seconds: what waits is due at another time of it, and
        as soon as before."""
        step = Step()
        for row in self.rows.values():
            if row.status is SheetStatus.WAITING and row.due_at is not None:
                row.due_at += by
                self._save(step, row)
        self._pace.moved(by)
        if self._ran_at is not None:
            self._ran_at += by
        if self._breakers.moved(by):
            self._keep_option(step, "breakers", self._breakers.stored())
        return step

    def _goes(self) -> bool:
        return self.job.status in (JobStatus.RUNNING, JobStatus.PAUSING)

    def _count_time(self, step: Step, now: float) -> None:
        if self._ran_at is not None:
            # No tick is later than that: more is a clock that was set, or a machine that slept.
            self._ran += min(max(0.0, now - self._ran_at), 2 * CLOCK_SECONDS)
            self._keep_option(step, "ran_seconds", round(self._ran, 1))
        self._ran_at = now

    @abstractmethod
    def _settle(self, step: Step, now: float) -> None:
        """Ends, pauses or cancels the job when nothing of it is left to wait for."""

    # -- ends -----------------------------------------------------------------------------------

    def _skip_hopeless(self, step: Step, now: float) -> None:
        """Skips what waits for a sheet that ended otherwise: nothing would ever wake it.

        A retry leaves such sheets: a dependent of the retried one that needs another failed one.
        """
        ended = [row for row in self.rows.values() if row.status.terminal]
        # First what failed: its number is the one that the skipped ones should name.
        for row in sorted(ended, key=lambda row: (row.status is SheetStatus.SKIPPED, row.num)):
            below = self._dependents.get(row.num, ())
            waits = any(not self._fresh(n).status.terminal for n in below)
            if waits and not self.is_satisfied(row.num):
                self._skip_dependents(row.num, now, step)

    def _skip_dependents(self, num: int, now: float, step: Step) -> None:
        how = _HOW.get(self._row(num).status, "did not run")
        for below in sorted(self._below(num)):
            row = self._row(below)
            if row.status.terminal or row.status is SheetStatus.RUNNING:
                continue
            self._move(row, SheetStatus.SKIPPED)
            row.category, row.message = "dependency", f"sheet {num} {how}"
            row.finished_at = now
            self._save(step, row)
            self._event(
                step, "sheet.skipped", below, {"reason": row.message, "needs": num}, now=now
            )

    def _end(
        self, step: Step, status: JobStatus, event: str, now: float, error: str | None = None
    ) -> None:
        self.job.finished_at = now
        self._job(step, status, finished_at=now, error=error)
        self._event(step, event, data={"error": error, **self.progress()}, now=now)
        step.now.append(Deregister())
        step.after.append(Finish(status))
