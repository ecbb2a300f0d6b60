"""A job's runner for an executor that the configuration has no more: it runs nothing, and says so.

Its sheets are granted nothing, since it has no slots. What ran there was ended by its node when the
lease was over, and counts as lost.
"""

from __future__ import annotations

from collections.abc import Sequence

from actors import Actor, ChildSpec, Promise
from marianne.daemon import ports
from marianne.daemon.context import Context
from marianne.daemon.shared.part import Part
from marianne.executors.protocol import Hello, Run
from marianne.model.plan import Growth


def absent(executor: str) -> str:
    """Why nothing is given to it, and what to do."""
    return (
        f"there is no executor '{executor}' any more: describe it in 'executors' of conductor.yaml"
        " and restart, or give the job another score (marianne modify), or cancel it"
    )


def absent_runner(context: Context, job_id: str, part: Part) -> ChildSpec:
    """The child of the job's supervisor in the place of a runner."""
    return ChildSpec(id=part.actor, cls=AbsentRunner, args=(context, job_id, part))


class AbsentRunner(Actor):
    """As :class:`marianne.executors.protocol.Runner` says, of nothing."""

    def __init__(self, context: Context, job_id: str, part: Part) -> None:
        super().__init__()
        self._job = part.heard_by(context.job(job_id))

    def report(self, asker: int) -> None:
        """Nothing runs."""
        hello: Hello = {"running": [], "queued": [], "ended": [], "unacked": []}
        self._job.tell(ports.Job.worker_up, dict(hello), asker)

    def run(self, runs: Sequence[Run], slots: int | None = None) -> None:
        """Nothing is granted where there are no slots."""

    def grow(self, growths: Sequence[Growth]) -> None:
        """It knows no plan."""

    def withdraw(self) -> None:
        """It has nothing."""
        self._job.tell(ports.Job.withdrawn, [])

    def end_sheets(self, nums: Sequence[int], category: str) -> None:
        """None of them runs."""

    def hold(self, on: bool) -> None:
        """None of them runs."""

    def acknowledge(self, serials: Sequence[int]) -> None:
        """It tells no results."""

    def finish(self) -> Promise[None]:
        """Nothing of the job runs."""
        promise: Promise[None] = self.promise()
        promise.set(None)
        return promise
