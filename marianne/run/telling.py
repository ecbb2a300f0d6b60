"""How an attempt ended, as it is told."""

from __future__ import annotations

from marianne.model.result import AttemptResult, ValidationOutcome
from marianne.run.acceptable import tidy
from marianne.run.attempt_state import Stillness
from marianne.run.child import Ended
from marianne.run.grant import Grant
from marianne.run.limits import output_size
from marianne.run.outputs import Files
from marianne.run.tools import Reading


def result_of(
    grant: Grant,
    outcome: str,
    times: tuple[float, float],
    reading: Reading,
    validations: tuple[ValidationOutcome, ...],
    ended: Ended | None,
    files: Files,
    listed: dict[str, object] | None,
    walls: tuple[str, ...],
    stillness: Stillness,
) -> AttemptResult:
    """The result of an attempt that began and ended at ``times``; ``ended`` is its program's end,
    None where there was none."""
    if ended is not None and ended.survivors:
        names = ", ".join(map(str, ended.survivors))
        reading = reading.noting(f"processes {names} could not be ended")
    return AttemptResult(
        num=grant.num,
        attempt=grant.attempt,
        outcome=outcome,
        started_at=times[0],
        finished_at=max(times),
        exit_code=ended.exit_code if ended else None,
        signal=ended.signal if ended else None,
        category=reading.category,
        code=tidy(reading.code),
        message=tidy(reading.message),
        validations=validations,
        left_running=ended.left_running if ended else (),
        retry_after=reading.retry_after,
        peak_memory_mb=round(ended.peak_mb, 1) if ended else 0.0,
        cpu_seconds=round(ended.cpu_seconds, 4) if ended else 0.0,
        output_bytes=output_size((files.out, files.err))[0] if ended else 0,
        usage=reading.usage,
        listed=listed,
        walls=walls,
        still=round(stillness.seconds(), 6),
    )
