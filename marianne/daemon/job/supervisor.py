"""The supervisor of the admitted jobs, and what it starts for each."""

from __future__ import annotations

from actors import ChildSpec, DynamicSupervisor, Supervisor
from marianne.daemon.context import Context
from marianne.daemon.job.actor import Job
from marianne.daemon.worker.actor import END_MARGIN, Worker

JOB_INTENSITY = 5
JOB_PERIOD = 10.0


class Jobs(DynamicSupervisor):
    """Holds a temporary supervisor for each admitted job: its give-up ends that job alone."""


def job_spec(context: Context, job_id: str) -> ChildSpec:
    """The child spec of one job: worker, then job, rest_for_one; the job's normal end ends both."""
    grace = context.config.sheet_grace_seconds + 2 * END_MARGIN
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
                ChildSpec(
                    id=f"job:{job_id}/worker",
                    cls=Worker,
                    args=(context, job_id),
                    shutdown=grace + END_MARGIN,
                ),
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
