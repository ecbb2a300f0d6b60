"""The supervisor of the admitted jobs, and what it starts for each."""

from __future__ import annotations

from actors import ChildSpec, DynamicSupervisor, Supervisor
from marianne.daemon.context import Context
from marianne.daemon.job.actor import Job
from marianne.daemon.shared.part import used_by
from marianne.state.models import JobRow

JOB_INTENSITY = 5
JOB_PERIOD = 10.0


class Jobs(DynamicSupervisor):
    """Holds a temporary supervisor for each admitted job: its give-up ends that job alone."""


def job_spec(context: Context, row: JobRow) -> ChildSpec:
    """The child spec of one job: its runners, then itself; its normal end ends them all."""
    job_id = row.job_id
    return ChildSpec(
        id=f"job:{job_id}",
        cls=Supervisor,
        restart="temporary",
        kwargs={
            "strategy": "rest_for_one",
            "intensity": JOB_INTENSITY,
            "period": JOB_PERIOD,
            "auto_shutdown": "any_significant",
            "children": [
                *context.executor.runners(job_id, used_by(row, context.config.executor)),
                ChildSpec(
                    id=f"job:{job_id}/job",
                    cls=Job,
                    args=(context, job_id),
                    restart="transient",
                    significant=True,
                ),
            ],
        },
    )
