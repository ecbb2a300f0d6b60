"""What an attempt is told of earlier sheets and attempts.

All that its templates and conditions may ask for, and that the worker may not know because it was
started later. Pure.
"""

from __future__ import annotations

from typing import Any

from marianne.daemon.job.ledger import Ledger
from marianne.executors.protocol import USUAL, Needs
from marianne.model.placement import LOCAL, executor_of, executors_of
from marianne.state.models import SheetRow, SheetStatus


class AttemptContext:
    """Reads it from the job's ledger, and remembers what the present worker has said itself."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._reported: set[int] = set()
        self._one_worker = executors_of(ledger.plan) == (LOCAL,)

    def reported(self, num: int) -> None:
        """The worker said how an attempt of the sheet ended: it need not be told. Of several none
        knows what the others have said."""
        if self._one_worker:
            self._reported.add(num)

    def of(self, row: SheetRow) -> dict[str, Any]:
        """The fields of :class:`~marianne.daemon.shared.effects.Run` that the sheet's next attempt
        needs; empty for most."""
        ledger = self._ledger
        sheet = ledger.plan.sheets[row.num - 1]
        told: dict[str, Any] = {}
        executor = executor_of(ledger.plan, sheet, ledger.available(row, row.fallback))
        if executor != LOCAL:
            told["executor"] = executor
        options = sheet.batch_options(ledger.instrument(row))
        takes = Needs(sheet.cpus, sheet.memory_mb, sheet.gpus, sheet.labels, options)
        if takes != USUAL:
            told["needs"] = takes
        if row.category == "validation" and row.completions > 0:
            told["completion"] = True
        if sheet.cross_sheet:
            told["outputs"], told["skipped"] = self._seen_by(row.num)
            played = {n: ledger.rows[n].fallback for n in told["outputs"]}
            told["played"] = {n: fallback for n, fallback in played.items() if fallback}
        elif ledger.counts[SheetStatus.SKIPPED]:
            skipped = (n for n in sheet.needs if ledger.peek(n).status is SheetStatus.SKIPPED)
            told["skipped"] = tuple(skipped)
        if sheet.skip_when:
            told["states"] = self._states_before(row.num)
        if row.validations and row.num not in self._reported:
            failed = (v for v in row.validations if v.get("passed") is False)
            told["failed"] = tuple(f"{v['type']}: {v.get('detail', '')}" for v in failed)
        return told

    def _states_before(self, num: int) -> dict[int, tuple[str, int, int | None]]:
        """Status, attempt and exit code of the earlier sheets that are over."""
        return {
            n: (str(row.status), row.attempt, row.exit_code)
            for n, row in sorted(self._ledger.rows.items())
            if n < num and row.status.terminal and n not in self._reported
        }

    def _seen_by(self, num: int) -> tuple[dict[int, int], tuple[int, ...]]:
        """Completed earlier sheets (with their attempt) and skipped ones: those within the
        lookback, and those that it needs."""
        sheet = self._ledger.plan.sheets[num - 1]
        back = sheet.cross_sheet.lookback_sheets if sheet.cross_sheet else 0
        first = max(1, num - back) if back else 1
        outputs: dict[int, int] = {}
        skipped: set[int] = set()
        for earlier in (*range(first, num), *sheet.needs):
            row = self._ledger.rows.get(earlier)
            if row is not None and row.status is SheetStatus.COMPLETED and earlier >= first:
                outputs[earlier] = row.attempt
            elif row is not None and row.status is SheetStatus.SKIPPED:
                skipped.add(earlier)
        return outputs, tuple(sorted(skipped))
