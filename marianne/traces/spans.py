"""From what happened to spans: each is told when it is over. Pure, over what is read.

An event of the log ends an attempt, a sheet, a job, or two of these. What it is about is read from
the rows, so an event that is looked at twice makes the same spans twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from marianne.model.result import AttemptResult
from marianne.records import dataclass
from marianne.score.redact import redact
from marianne.state.models import Event, JobRow
from marianne.trace_context import Trace
from marianne.traces.otlp import Span, span

JOB_ENDS = frozenset({"job.completed", "job.failed", "job.cancelled"})
SHEET_ENDS = frozenset({"sheet.completed", "sheet.failed", "sheet.skipped"})
ATTEMPT_ENDS = SHEET_ENDS | {"sheet.retrying", "sheet.rate_limited", "sheet.interrupted"}
ENDS = JOB_ENDS | ATTEMPT_ENDS

LIVES = JOB_ENDS | {"job.resumed", "job.started"}
"""Of which :func:`life_before` wants to know."""

BAD = frozenset({"failed", "cancelled", "interrupted"})


@dataclass(frozen=True, slots=True)
class Life:
    """A job until it is over; one that is retried has another. ``began`` is in seconds since the
    epoch, ``number`` counts the lives before."""

    number: int
    began: float


@dataclass(frozen=True, slots=True)
class Told:
    """Whom a span is of: the job, its trace, its life, the names of its sheets."""

    job: JobRow
    trace: Trace
    life: Life
    names: Sequence[str]

    def name(self, num: int) -> str:
        """A sheet's; its number where the plan does not say."""
        return self.names[num - 1] if 0 < num <= len(self.names) else f"sheet {num}"


def attempt_span(told: Told, result: AttemptResult) -> Span:
    """An attempt, below its sheet."""
    trace, num = told.trace, result.num
    own = trace.attempt_span(num, result.attempt)
    attributes = {
        **_of(told.job, num),
        "marianne.attempt": result.attempt,
        "marianne.outcome": result.outcome,
        "marianne.category": result.category,
        "marianne.node": result.node,
        "process.exit.code": result.exit_code,
        "process.signal": result.signal,
        "process.cpu.time": result.cpu_seconds,
        "marianne.memory.peak_mb": result.peak_memory_mb,
    }
    return span(
        (trace.trace_id, own, trace.sheet_span(num, told.life.number)),
        f"attempt {result.attempt}",
        (result.started_at, result.finished_at),
        attributes,
        _error(result.outcome, result.message or result.category),
    )


def sheet_span(
    told: Told, num: int, outcome: str, attempts: Sequence[AttemptResult], at: float, why: Any
) -> Span:
    """A sheet that is over at this time, below its job. ``attempts`` are those that it had, of
    which those of the job's life before do not count."""
    trace, life = told.trace, told.life
    own = in_life(life, attempts)
    began = min([one.started_at for one in own], default=at)
    attributes = {**_of(told.job, num), "marianne.outcome": outcome, "marianne.attempts": len(own)}
    return span(
        (trace.trace_id, trace.sheet_span(num, life.number), trace.job_span(life.number)),
        told.name(num),
        (began, at),
        attributes,
        _error(outcome, why),
    )


def in_life(life: Life, attempts: Sequence[AttemptResult]) -> list[AttemptResult]:
    """Those of this life of their job."""
    return [one for one in attempts if not life.number or one.finished_at > life.began]


def job_span(told: Told, event: Event) -> Span:
    """The job, below whoever submitted it."""
    job, life, outcome = told.job, told.life, event.event.partition(".")[2]
    attributes = {
        **_of(job),
        "marianne.outcome": outcome,
        "marianne.sheets": job.sheet_count,
        "marianne.job.life": life.number + 1,
    }
    return span(
        (told.trace.trace_id, told.trace.job_span(life.number), told.trace.parent),
        job.name,
        (life.began, event.ts),
        attributes,
        _error(outcome, event.data.get("error")),
    )


def weight(event: str) -> int:
    """How many spans an event makes, at most, where they are only counted."""
    return (event in ATTEMPT_ENDS) + (event in SHEET_ENDS) + (event in JOB_ENDS)


def life_before(job: JobRow, events: Sequence[Event], seq: int) -> Life:
    """The life that a job is in at the event of this number; ``events`` are its own, in order."""
    number, began, over = 0, job.submitted_at, False
    for event in events:
        if event.seq >= seq:
            break
        if event.event in JOB_ENDS:
            number, began, over = number + 1, event.ts, True
        elif over:
            began, over = event.ts, False
    return Life(number, began)


def _of(job: JobRow, num: int | None = None) -> dict[str, Any]:
    return {"marianne.job.id": job.job_id, "marianne.job.name": job.name, "marianne.sheet": num}


def _error(outcome: str, why: Any) -> str | None:
    return redact(str(why or outcome))[:1000] if outcome in BAD else None
