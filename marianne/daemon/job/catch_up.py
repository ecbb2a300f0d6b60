"""Finished work outlives every decision: what a job's sheets have come to counts before its fate.

For whoever decides about a job whose runner cannot be asked: it is cancelled before its runner is
heard, paused where it stands, or given up. A result that only the executor has kept is committed
with that decision, not after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from marianne.daemon.job.machine import JobMachine
from marianne.daemon.shared.effects import Step
from marianne.model.result import AttemptResult


def catch_up(machine: JobMachine, finished: Iterable[dict[str, Any]], now: float) -> Step:
    """Takes results (AttemptResult.to_map); what is known already, or of an attempt that is not the
    current one, changes nothing.

    Where the job has no actors only the changes of the step are of use.
    """
    step = Step()
    for record in finished:
        step.extend(machine.result(AttemptResult.from_map(record), now))
    return step
