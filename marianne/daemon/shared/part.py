"""A runner of a job: its only one, or one of several that share the job's sheets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, ParamSpec, Protocol

from marianne.daemon import ports

if TYPE_CHECKING:
    from actors import Handle
    from marianne.state.models import JobRow

P = ParamSpec("P")


class Hears(Protocol):
    """Whom a runner tells: a handle of the job's actor, or what says for it whose word it is."""

    def tell(
        self, method: Callable[Concatenate[Any, P], Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Has the job's actor told this."""


class Part(NamedTuple):
    """``actor`` is the runner's name; ``executor`` whose runner it is where the job has several,
    empty where it has this one. ``ready`` is called before the runner begins, and raises OSError
    while it may not yet."""

    actor: str
    executor: str = ""
    ready: Callable[[], None] = lambda: None

    def heard_by(self, job: Handle[Any]) -> Hears:
        """Whom the runner tells."""
        return _Signed(job, self.executor) if self.executor else job


class _Signed:
    """Tells the job's actor with the executor's name."""

    def __init__(self, job: Handle[Any], executor: str) -> None:
        self._job, self._executor = job, executor

    def tell(
        self, method: Callable[Concatenate[Any, P], Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> None:
        self._job.tell(ports.Job.of_part, self._executor, method.__name__, args)


def runner_name(job_id: str, executor: str = "") -> str:
    """What the actor is called that runs a job's sheets; with a name, that of this executor beside
    the one of the conductor's own machine."""
    return f"job:{job_id}/worker:{executor}" if executor else f"job:{job_id}/worker"


def used_by(job: JobRow, default: str) -> Sequence[str]:
    """The executors that the job's sheets run on; of a version that knew one: the ``default``."""
    found: Sequence[str] = job.options.get("executors") or (default,)
    return found


def parts_of(job_id: str, executors: Sequence[str]) -> dict[str, Part]:
    """The runners of a job on these executors, by their names."""
    if len(executors) == 1:
        return {executors[0]: Part(runner_name(job_id))}
    first, *others = executors
    return {first: Part(runner_name(job_id), first)} | {
        name: Part(runner_name(job_id, name), name) for name in others
    }
