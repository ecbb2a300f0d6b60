"""What a job's state machine keeps and how it notes a change: rows, counts, the graph.

The writing half of :mod:`marianne.daemon.job.machine`: every change of a row or of the job goes
through here into a step, so that memory and disk cannot come apart. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any

from marianne.daemon.shared.effects import Step
from marianne.run.result import AttemptResult
from marianne.run.result import lost as lost_attempt
from marianne.schedule.entries import SheetInfo
from marianne.schedule.graph import depths
from marianne.score.plan import Instrument, Plan
from marianne.state.changes import AddEvent, SaveSheet, UpdateJob
from marianne.state.models import JobRow, JobStatus, SheetRow, SheetStatus
from marianne.state.transitions import move


class JobLedger:
    """The plan, the job's row, and a row for each sheet that was ever touched.

    A sheet without a row is pending and was never started.
    """

    def __init__(self, plan: Plan, job: JobRow, rows: Mapping[int, SheetRow]) -> None:
        self.plan = plan
        self.job = job
        self.rows: dict[int, SheetRow] = dict(rows)
        self._dependents = plan.dependents()
        self._depths = depths({s.num: set(s.needs) for s in plan.sheets})
        self.counts: Counter[SheetStatus] = Counter(row.status for row in self.rows.values())
        self.counts[SheetStatus.PENDING] += len(plan.sheets) - len(self.rows)
        self._reported: set[int] = set()
        self._changed: set[int] = set()
        self._lost: set[int] = set()
        self.knows_what_runs = True
        """Not before the worker was heard: it may run what was never committed as begun."""
        self._ended = False
        self._ahead: set[int] = set()  # granted to the worker, not begun as far as we know

    def progress(self) -> dict[str, int]:
        """Counts of sheets by outcome; ready and waiting count as pending."""
        counts = self.counts
        return {
            "completed": counts[SheetStatus.COMPLETED],
            "failed": counts[SheetStatus.FAILED],
            "skipped": counts[SheetStatus.SKIPPED],
            "cancelled": counts[SheetStatus.CANCELLED],
            "running": counts[SheetStatus.RUNNING],
            "pending": counts[SheetStatus.PENDING]
            + counts[SheetStatus.READY]
            + counts[SheetStatus.WAITING],
            "total": len(self.plan.sheets),
        }

    def take_changed(self) -> set[int]:
        """The sheets that may look different since the last call: their row or a need's changed."""
        changed, self._changed = self._changed, set()
        for num in tuple(changed):
            changed.update(self._dependents.get(num, ()))
        return changed

    def take_lost(self) -> list[int]:
        """The sheets whose attempts were lost with their worker, since the last call."""
        lost, self._lost = sorted(self._lost), set()
        return lost

    def take_ended(self) -> bool:
        """Whether an attempt came to an end of its own since the last call."""
        ended, self._ended = self._ended, False
        return ended

    def is_satisfied(self, num: int) -> bool:
        """Whether dependents may count on the sheet: completed, or skipped by its condition."""
        row = self.rows.get(num)
        return row is not None and (
            row.status is SheetStatus.COMPLETED
            or (row.status is SheetStatus.SKIPPED and row.category == "skip_condition")
        )

    def unmet(self, nums: Iterable[int]) -> set[int]:
        """What these sheets need, directly or not, and nobody can count on; not they themselves."""
        named = set(nums)
        found: set[int] = set()
        todo = list(named)
        while todo:
            for need in self.plan.sheets[todo.pop() - 1].needs:
                if need not in found and need not in named and not self.is_satisfied(need):
                    found.add(need)
                    todo.append(need)
        return found

    def _start(self, row: SheetRow, now: float, step: Step) -> None:
        self._move(row, SheetStatus.RUNNING)
        row.attempt += 1
        row.fallback = self._playable(row, row.fallback)
        row.started_at, row.finished_at, row.due_at = now, None, None
        row.exit_code = row.signal = None
        row.validations, row.left_running = [], []
        self._save(step, row)
        self._event(
            step,
            "sheet.started",
            row.num,
            {"attempt": row.attempt, "instrument": self._instrument(row).profile},
            now=now,
        )

    def _info(self, row: SheetRow) -> SheetInfo:
        instrument = self._instrument(row)
        return SheetInfo(
            self.job.job_id,
            row.num,
            backend_type=instrument.profile,
            model=instrument.model,
            dag_depth=self._depths[row.num],
            job_priority=self.job.priority,
            retries_so_far=row.failures,
        )

    def _job(self, step: Step, status: JobStatus, **fields: object) -> None:
        move(self.job, status)
        for name, value in fields.items():
            setattr(self.job, name, value)
        step.changes.append(UpdateJob(self.job.job_id, {"status": status, **fields}))

    def _progress_made(self, step: Step) -> None:
        """An attempt came to its end: the deaths before it were not this job's doing."""
        self.job.crashes = 0
        step.changes.append(UpdateJob(self.job.job_id, {"crashes": 0}))

    def _event(
        self,
        step: Step,
        event: str,
        num: int | None = None,
        data: Mapping[str, object] | None = None,
        *,
        now: float,
    ) -> None:
        step.changes.append(AddEvent(self.job.job_id, num, event, dict(data or {}), now))

    def _save(self, step: Step, row: SheetRow, *, asked: bool = False) -> None:
        self._changed.add(row.num)
        # A copy: the store reads it later, in its own thread, while this row goes on changing.
        step.changes.append(SaveSheet(self.job.job_id, copy(row), asked))

    def _row(self, num: int) -> SheetRow:
        row = self.rows.get(num)
        if row is None:
            row = self.rows[num] = SheetRow(num)
        return row

    def _fresh(self, num: int) -> SheetRow:
        """The row, or one to look at that is not kept."""
        return self.rows.get(num) or SheetRow(num)

    def _move(self, row: SheetRow, status: SheetStatus, *, asked: bool = False) -> None:
        before = row.status
        move(row, status, asked=asked)
        self.counts[before] -= 1
        self.counts[status] += 1

    def _running(self) -> list[int]:
        return sorted(n for n, r in self.rows.items() if r.status is SheetStatus.RUNNING)

    def _below(self, num: int) -> set[int]:
        found: set[int] = set()
        todo = [num]
        while todo:
            for below in self._dependents.get(todo.pop(), ()):
                if below not in found:
                    found.add(below)
                    todo.append(below)
        return found

    def _playable(self, row: SheetRow, start: int) -> int:
        """The first instrument of the sheet from ``start`` on that is there; else ``start``."""
        sheet = self.plan.sheets[row.num - 1]
        if start == 0 and sheet.instrument.unavailable is None:
            return 0  # nearly always
        found = sheet.next_available(start)
        return start if found is None else found

    def _instrument(self, row: SheetRow) -> Instrument:
        sheet = self.plan.sheets[row.num - 1]
        return sheet.instrument_at(self._playable(row, row.fallback)) or sheet.instrument

    def _context(self, row: SheetRow) -> dict[str, Any]:
        """What an attempt is told of earlier sheets and attempts: all that its templates may ask
        for, and that the worker may not know because it was started later."""
        sheet = self.plan.sheets[row.num - 1]
        told: dict[str, Any] = {}
        if sheet.cross_sheet:
            told["outputs"], told["skipped"] = self._seen_by(row.num)
            played = {n: self.rows[n].fallback for n in told["outputs"]}
            told["played"] = {n: fallback for n, fallback in played.items() if fallback}
        elif self.counts[SheetStatus.SKIPPED]:
            skipped = (n for n in sheet.needs if self._fresh(n).status is SheetStatus.SKIPPED)
            told["skipped"] = tuple(skipped)
        if sheet.skip_when:
            told["states"] = {
                n: (str(other.status), other.attempt, other.exit_code)
                for n, other in sorted(self.rows.items())
                if n < row.num and other.status.terminal and n not in self._reported
            }
        if row.validations and row.num not in self._reported:
            failed = (v for v in row.validations if v.get("passed") is False)
            told["failed"] = tuple(f"{v['type']}: {v.get('detail', '')}" for v in failed)
        return told

    def _seen_by(self, num: int) -> tuple[dict[int, int], tuple[int, ...]]:
        """Completed earlier sheets (with their attempt) and skipped ones: those within the
        lookback, and those that it needs."""
        sheet = self.plan.sheets[num - 1]
        back = sheet.cross_sheet.lookback_sheets if sheet.cross_sheet else 0
        first = max(1, num - back) if back else 1
        outputs: dict[int, int] = {}
        skipped: set[int] = set()
        for earlier in (*range(first, num), *sheet.needs):
            row = self.rows.get(earlier)
            if row is not None and row.status is SheetStatus.COMPLETED and earlier >= first:
                outputs[earlier] = row.attempt
            elif row is not None and row.status is SheetStatus.SKIPPED:
                skipped.add(earlier)
        return outputs, tuple(sorted(skipped))

    def _what_failed(self) -> str:
        failed = [n for n, r in sorted(self.rows.items()) if r.status is SheetStatus.FAILED]
        names = ", ".join(f"{n} ({self.plan.sheets[n - 1].name})" for n in failed[:5])
        more = f" and {len(failed) - 5} more" if len(failed) > 5 else ""
        return f"sheet {names}{more} failed" if len(failed) == 1 else f"sheets {names}{more} failed"


def lost(row: SheetRow, now: float) -> AttemptResult:
    """The result of the current attempt if its worker is gone."""
    return lost_attempt(row.num, row.attempt, row.started_at or now, now)


def told(row: SheetRow, result: AttemptResult) -> dict[str, object]:
    """What the event of an attempt's end says."""
    data: dict[str, object] = {
        "attempt": row.attempt,
        "exit_code": result.exit_code,
        "duration": round(result.finished_at - result.started_at, 6),
    }
    for name in ("signal", "category", "message"):
        value = getattr(result, name)
        if value is not None:
            data[name] = value
    if result.left_running:
        data["left_running"] = list(result.left_running)
    return data
