"""The runners of a job as its actor tells them: one for each executor that its sheets are for.

A job on one executor, which nearly all are, has one runner, and each message goes there as it is.
What several say comes together in :mod:`marianne.daemon.job.several`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from actors import Handle
from marianne.daemon.context import Context
from marianne.daemon.job.several import Several
from marianne.daemon.shared.gathered import gathered
from marianne.daemon.shared.part import runner_name
from marianne.executors.protocol import Run, Runner

if TYPE_CHECKING:
    from actors import Future
    from marianne.model.plan import Growth


class Runners:
    """``names`` are the executors, as the job's row has them: the conductor's machine first, if it
    is one of them. What a method is for is said where its namesake of Runner is."""

    def __init__(self, context: Context, job_id: str, names: Sequence[str]) -> None:
        self._context, self._job_id = context, job_id
        self.several = Several(names)
        self._first: Handle[Runner] = context.worker(job_id)
        self._all: dict[str, Handle[Runner]] = {names[0]: self._first}
        for name in names[1:]:
            self._all[name] = Handle(context.system, runner_name(job_id, name))

    @property
    def alone(self) -> bool:
        """Whether there is one runner."""
        return len(self._all) == 1

    def report(self, asker: int) -> None:
        self.several.ask()
        for runner in self._all.values():
            runner.tell(Runner.report, asker)

    def run(self, runs: Sequence[Run], slots: int | None) -> None:
        if self.alone:
            self._first.tell(Runner.run, runs, slots)
            return
        for name, some in self.several.place(runs).items():
            self._all[name].tell(Runner.run, some, slots)

    def grow(self, growths: Sequence[Growth]) -> None:
        for runner in self._all.values():
            runner.tell(Runner.grow, growths)

    def withdraw(self) -> None:
        self.several.withdraw()
        for runner in self._all.values():
            runner.tell(Runner.withdraw)

    def end_sheets(self, nums: Sequence[int], category: str) -> None:
        if self.alone:
            self._first.tell(Runner.end_sheets, nums, category)
            return
        for name, some in self.several.having(nums).items():
            self._all[name].tell(Runner.end_sheets, some, category)

    def hold(self, on: bool) -> None:
        for runner in self._all.values():
            runner.tell(Runner.hold, on)

    def acknowledge(self, serials: Sequence[int]) -> None:
        if self.alone:
            self._first.tell(Runner.acknowledge, serials)
            return
        for name, some in self.several.below(serials).items():
            self._all[name].tell(Runner.acknowledge, some)

    def finish(self) -> Future[Any]:
        if self.alone:
            return self._first.within(None).call(Runner.finish)
        ends = [runner.within(None).call(Runner.finish) for runner in self._all.values()]
        return gathered(self._context.system, f"job:{self._job_id}", ends)

    def finished(self) -> Iterable[dict[str, Any]]:
        """What they have finished that may not be committed yet, whether they live or not. Raises
        OSError."""
        executor = self._context.executor
        if self.alone:
            return executor.finished(self._job_id)
        found: list[dict[str, Any]] = []
        for name in self._all:
            found += self.several.above(name, executor.finished(self._job_id, name))
        return found
