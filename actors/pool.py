"""A bounded number of workers for any number of jobs."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from actors.actor import Actor
from actors.errors import ActorDied, AskTimeout, PoolFull, Refusal, SpecError, StartError
from actors.outside import shown
from actors.plain_pykka import as_actor
from actors.runtime import check_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykka import ThreadingActor

    from actors.address import ActorRef
    from actors.future import Future, Outcome, Promise

P = ParamSpec("P")
R = TypeVar("R")


class Task(Actor):
    """The worker of a pool that has no class of its own: runs any callable."""

    def run(self, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return work(*args, **kwargs)


class Job(NamedTuple):
    """What waits for a worker."""

    promise: Promise[Any]
    method: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class Pool(Actor):
    """Runs jobs, at most `size` at the same time, each in an actor of its own; the rest wait.

    A job is a callable (`run`), or with `worker` a method of that class (`send`), whose actors are
    made with `args` and live from job to job. One that crashes takes its worker with it and nothing
    else: its asker gets `ActorDied`, whose `reason.error` is the exception. At most `queue` jobs
    wait; further ones are refused with `PoolFull`. After `timeout` seconds of work a job ends with
    `AskTimeout`; its worker is killed and counts no more. What runs when the pool stops has 5
    seconds to end; `drain` first lets all end.
    """

    def __init__(
        self,
        size: int,
        queue: int = 1000,
        timeout: float | None = None,
        worker: type[Actor] | type[ThreadingActor] = Task,
        args: tuple[Any, ...] = (),
    ) -> None:
        for field, value, least in (("size", size, 1), ("queue", queue, 0)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise SpecError(f"{field} is a whole number from {least}, not {shown(value)}")
        check_time(timeout, "timeout")
        self._size, self._queue, self._timeout = size, queue, timeout
        self._worker, self._args = as_actor(worker), args
        self._waiting: deque[Job] = deque()
        self._idle: list[ActorRef[Any]] = []
        self._busy = 0
        self._drained: list[Promise[None]] = []

    def run(self, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Answers with `work(*args)`, which is not begun after its asker's deadline."""
        return self.send(Task.run, work, *args, **kwargs)

    def send(
        self, method: Callable[Concatenate[Any, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """The same with a method of the workers' class."""
        try:
            self._worker.message_names[method]
        except TypeError as error:
            raise Refusal(f"{self.name}: {error}") from None
        if self._busy >= self._size and len(self._waiting) >= self._queue:
            self._waiting = deque(job for job in self._waiting if self._wanted(job))
            if len(self._waiting) >= self._queue:
                raise PoolFull(f"{self.name}: {len(self._waiting)} jobs wait already")
        promise = self.promise()
        self._waiting.append(Job(promise, method, args, kwargs))
        self._begin_some()
        return promise  # type: ignore[return-value]  # the asker gets what it is fulfilled with

    def drain(self) -> None:
        """Answers when no job runs or waits."""
        promise = self.promise()
        self._drained.append(promise)
        self._begin_some()
        return promise  # type: ignore[return-value]

    def _begin_some(self) -> None:
        while self._waiting and self._busy < self._size:
            job = self._waiting.popleft()
            if self._wanted(job):
                self._begin(job)
        while self._drained and not self._busy:
            self._drained.pop().set(None)

    def _wanted(self, job: Job) -> bool:
        """False, and it is done with, if its asker has given up."""
        expired = job.promise.expired()
        if expired:
            self.system.events.dead_letter("expired", self.name)
        return not expired

    def _begin(self, job: Job) -> None:
        try:
            worker = self._free_worker()
        except StartError as error:
            job.promise.fail(error)
            return

        def ended(done: Future[Any]) -> None:
            job.promise.settle(done.outcome())  # here: this actor may have ended before
            self.pipe(done, self._ended, worker)

        self._busy += 1
        worker.within(self._timeout).call(job.method, *job.args, **job.kwargs).on_done(ended)

    def _free_worker(self) -> ActorRef[Any]:
        while self._idle:
            worker = self._idle.pop()
            if worker.alive and worker.cell().leaving is None:
                return worker
        return self.system.spawn(self._worker, *self._args)

    def _ended(self, outcome: Outcome[Any], worker: ActorRef[Any]) -> None:
        self._busy -= 1
        if isinstance(outcome.error, AskTimeout):
            self.system.kill(worker)
        elif not isinstance(outcome.error, ActorDied):
            self._idle.append(worker)
        self._begin_some()
