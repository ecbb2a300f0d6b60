"""Finished work outlives every decision: what a job's worker had spooled counts before its fate.

For whoever decides about a job whose worker cannot be asked: it is cancelled before its worker is
heard, paused where it stands, or given up. A result that is only in the spool is committed with
that decision, not after it.
"""

from __future__ import annotations

from pathlib import Path

from marianne.daemon.job.machine import JobMachine
from marianne.daemon.shared.effects import Step
from marianne.run.result import AttemptResult
from marianne.run.spool import read_spool


def catch_up(machine: JobMachine, directory: Path, now: float) -> Step:
    """Takes the results in the spool of the job's ``directory``; what is known already, or of an
    attempt that is not the current one, changes nothing.

    Where the job has no actors only the changes of the step are of use. Raises OSError when the
    spool cannot be read just now; then nothing was taken.
    """
    step = Step()
    for record in read_spool(str(directory / "spool")):
        step.extend(machine.result(AttemptResult.from_map(record), now))
    return step
