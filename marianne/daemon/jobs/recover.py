"""Looking again at failed sheets: what is done in truth is marked as done.

The executor has the checks made (:mod:`marianne.run.recheck`); the manager hears what they found
and changes the rows. What a restart finds: nothing was changed; the client asks again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from actors import Outcome
from marianne.daemon.jobs.desk import Desk, check_sure
from marianne.daemon.jobs.roster import Live
from marianne.daemon.shared import next_steps
from marianne.daemon.shared.idempotency import Answer
from marianne.daemon.shared.log import get_logger
from marianne.daemon.shared.refusal import Refused, not_found
from marianne.daemon.shared.unforeseen import refusal_of
from marianne.daemon.views import queries
from marianne.executors.beside import Again
from marianne.model.plan import Plan
from marianne.model.result import AttemptResult
from marianne.records import dataclass
from marianne.state.changes import AddEvent, Change, SaveSheet, UpdateJob
from marianne.state.models import JobRow, JobStatus, SheetRow, SheetStatus
from marianne.state.transitions import move

if TYPE_CHECKING:
    from marianne.replies.changes import Rechecked, Recovered

log = get_logger(__name__)


@dataclass(slots=True)
class _Look:
    job_id: str
    rows: dict[int, SheetRow]
    dry_run: bool
    answer: Answer[Recovered]


class Recover:
    """``over`` is told of a job that is over by what was found; ``admit`` looks whether one that
    waits has room."""

    def __init__(self, desk: Desk, over: Callable[[str], None], admit: Callable[[], None]) -> None:
        self._desk = desk
        self._context = desk.context
        self._live = desk.live
        self._over = over
        self._admit = admit
        self._looks: set[str] = set()  # the jobs that are looked at

    def recover(
        self, answer: Answer[Recovered], job_id: str, sheet_num: int | None, dry_run: bool
    ) -> None:
        live = self._live.get(job_id)
        row = self._desk.known(job_id)
        if live is None:
            self._desk.check_over(job_id)
        else:
            check_sure(live)
            self._desk.check_away(live)
            if live.row.status.terminal and not live.admitted:
                self._desk.check_over(job_id)  # what follows it still runs
        if job_id in self._looks or (live is not None and live.admitted):
            hint = next_steps.some(job_id, row.status, "pause", "wait") or "ask again in a moment"
            raise Refused("conflict", f"job {job_id} is not at rest", hint=hint)
        rows = {r.num: r for r in self._desk.reader.sheets(job_id)}
        plan = queries.plan_of(self._desk.reader, job_id)
        if sheet_num is not None and not 1 <= sheet_num <= len(plan.sheets):
            raise Refused("not_found", f"job {job_id} has sheets 1 to {len(plan.sheets)}")
        failed = {
            num: r
            for num, r in rows.items()
            if r.status is SheetStatus.FAILED and sheet_num in (None, num)
        }
        if not failed:
            what = f"sheet {sheet_num} of {job_id}" if sheet_num else f"of {job_id} no sheet"
            raise Refused("conflict", f"{what} has {'not ' if sheet_num else ''}failed")
        sheets = [Again(r.num, r.attempt, r.fallback, r.started_at or 0.0) for r in failed.values()]
        self._looks.add(job_id)
        checked = self._context.executor.recheck(job_id, sheets)
        self._desk.turns.pipe(checked, self.looked, _Look(job_id, failed, dry_run, answer))

    def looked(self, outcome: Outcome[list[dict[str, Any]]], look: _Look) -> None:
        """The checks were made, or came to nothing."""
        self._looks.discard(look.job_id)
        try:
            if outcome.value is None:
                why = f"the checks of {look.job_id} cannot be made now: {outcome.error!r}"
                raise Refused("unavailable", why)
            self._found(look, [AttemptResult.from_map(result) for result in outcome.value])
        except Exception as error:  # noqa: BLE001 - see marianne.daemon.shared.unforeseen
            look.answer.fail(refusal_of(error))

    def _found(self, look: _Look, results: list[AttemptResult]) -> None:
        job_id, live = look.job_id, self._live.get(look.job_id)
        row = self._desk.known(job_id)
        rows = {r.num: r for r in self._desk.reader.sheets(job_id)}
        moved = any(rows.get(num) != old for num, old in look.rows.items())
        if live is not None:
            check_sure(live)
        if moved or (live is not None and live.admitted):
            raise Refused("conflict", f"job {job_id} went on meanwhile")
        plan = queries.plan_of(self._desk.reader, job_id)
        good = [result for result in results if result.outcome == "completed"]
        now = time.time()
        changes = _mark(row, plan, rows, good, now)
        reply: Recovered = {
            "job_id": job_id,
            "dry_run": look.dry_run,
            "status": str(self._status(job_id) if look.dry_run else row.status),
            "recovered": [result.num for result in good],
            "sheets": [_found_map(plan, result) for result in results],
            "message": _message(len(good), len(results), row, look.dry_run),
        }
        if look.dry_run or not good:
            look.answer.set(reply)
            return
        changes += look.answer.remember(reply)
        if live is None:
            live = self._live[job_id] = Live(row)
        self._live.change(live)
        self._desk.turns.pipe(
            self._desk.ask_to_write(changes), self.recovered, job_id, reply, look.answer
        )

    def _status(self, job_id: str) -> JobStatus:
        row = self._desk.reader.job(job_id)
        if row is None:
            raise not_found(job_id)
        return row.status

    def recovered(
        self, outcome: Outcome[Any], job_id: str, reply: Recovered, answer: Answer[Recovered]
    ) -> None:
        """It is on disk; a job that is completed by it is over but for its hooks."""
        live, row = self._live.decided(job_id), self._desk.reader.job(job_id)
        if live is not None and row is not None and row.status is JobStatus.COMPLETED:
            live.row = row
            self._over(job_id)
        else:
            self._desk.back_to_disk(job_id)
            self._admit()  # it stood in no line meanwhile
        if outcome.error is not None:
            answer.fail(outcome.error)
        else:
            answer.set(reply)


def _mark(
    job: JobRow,
    plan: Plan,
    rows: dict[int, SheetRow],
    good: list[AttemptResult],
    now: float,
) -> list[Change]:
    """The changes that make sheets completed, and the job if that was all; ``job`` follows."""
    changes: list[Change] = []
    for result in good:
        row = rows[result.num]
        move(row, SheetStatus.COMPLETED, asked=True)
        row.category = row.code = row.message = None
        row.validations = result.checks()
        changes.append(SaveSheet(job.job_id, row, asked=True))
        told = {"attempt": row.attempt, "recovered": True}
        changes.append(AddEvent(job.job_id, row.num, "sheet.completed", told, now))
    if all(sheet.num in rows and rows[sheet.num].good for sheet in plan.sheets):
        move(job, JobStatus.COMPLETED, asked=True)
        job.finished_at, job.error, job.reason = now, None, None
        fields = {"status": job.status, "finished_at": now, "error": None, "reason": None}
        changes.append(UpdateJob(job.job_id, fields, asked=True))
        changes.append(AddEvent(job.job_id, None, "job.completed", {"recovered": True}, now))
    return changes


def _found_map(plan: Plan, result: AttemptResult) -> Rechecked:
    return {
        "sheet": result.num,
        "name": plan.sheets[result.num - 1].name,
        "passed": result.outcome == "completed",
        "message": result.message,
        "validations": result.checks(),
    }


def _message(good: int, looked_at: int, row: JobRow, dry_run: bool) -> str:
    said = f"{good} of {looked_at} failed sheets {'is' if good == 1 else 'are'} done in truth"
    if dry_run:
        return f"{said}; nothing was changed"
    if row.status is JobStatus.COMPLETED:
        return f"{said}; the job is completed"
    rest = next_steps.some(row.job_id, row.status, "resume")
    return f"{said}; {rest} runs what is left" if rest else said
