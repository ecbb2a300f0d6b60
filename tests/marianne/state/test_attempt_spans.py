"""Attempts as spans of time: in pages, each once, by when they ended."""

from __future__ import annotations

from pathlib import Path

from statekit import NOW
from statekit import job as new_job

from marianne.model.result import AttemptResult
from marianne.state.attempt_spans import Span
from marianne.state.changes import AddAttempt, SaveSheet
from marianne.state.database import Database
from marianne.state.models import SheetRow, SheetStatus
from marianne.state.reader import Reader


def test_pages_have_each_attempt_once_and_those_that_ended_since_then(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with Database(path) as database, Reader(path) as reader:
        database.write([new_job("a", 9), new_job("b", 1)])
        for num, attempt in [(1, 1), (1, 2), (2, 1), (3, 1)]:
            begun = NOW + 10 * num + attempt
            usage = {"cost_usd": 0.5} if attempt == 2 else {}
            result = AttemptResult(
                num, attempt, "failed", begun, begun + 1, peak_memory_mb=7.0, usage=usage
            )
            database.write([AddAttempt("a", result)])
        running = SheetRow(4, SheetStatus.RUNNING, 1, started_at=NOW)
        database.write([SaveSheet("a", running)])
        spans = reader.spans
        assert spans.total("a") == 4
        first = spans.page("a", (0, 0), 0.0, 2)
        assert first == [
            Span(1, 1, "failed", NOW + 11, NOW + 12, 7.0, 0.0),
            Span(1, 2, "failed", NOW + 12, NOW + 13, 7.0, 0.5),
        ]
        rest = spans.page("a", (1, 2), 0.0, 9)
        assert [(one.num, one.attempt) for one in rest] == [(2, 1), (3, 1)]
        late = spans.page("a", (0, 0), NOW + 32, 9)
        assert [(one.num, one.attempt) for one in late] == [(3, 1)]
        assert spans.running("a") == [(4, NOW)]
        assert spans.total("b") == spans.total("nobody") == 0
        assert spans.page("nobody", (0, 0), 0.0, 9) == []
