"""The sole writer of the database, with group commit.

Writes that are waiting together become one transaction: the store takes whatever its mailbox
holds, commits when it runs empty, and only then answers and publishes. So a batch forms by itself
under load, and a lone write waits for nobody.

A disk that is full or fails does not end the store: nothing of the transaction counts, so it keeps
what jobs wrote and tries again until it works. Meanwhile it says so in ``context.storage``, by
which admission and grants stop, and fails what clients could ask again. The same is said when the
disk is nearly full, while the last of it still serves for what runs.

A restart finds what was committed. Whoever waits for an answer when the store dies gets
ActorDied; a write that was committed but not answered is found again by its request id. An actor
that starts again says :meth:`Store.forget` before it reads: then nothing that its earlier
incarnation wanted can still come.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

from actors import Actor, ExitReason, Promise, Timer
from marianne.clock import earliest
from marianne.crashpoints import crash_point
from marianne.daemon import ports
from marianne.daemon.context import Context
from marianne.daemon.services.events import Events
from marianne.daemon.shared.log import get_logger
from marianne.notify.notice import NOTICED
from marianne.records import dataclass
from marianne.state.changes import Change, SetMeta
from marianne.state.database import Database
from marianne.state.errors import StoreError
from marianne.state.models import Event
from marianne.state.retention import RetentionPolicy

log = get_logger(__name__)

GROUP_LIMIT = 2_000
"""Writes in one transaction at most: bounds the time until the first of them is answered."""

WRITE_DEADLINE = None
"""A write that is kept has no deadline: it is answered when the disk works, or with ActorDied."""

FORGET_DEADLINE = 30.0
"""Seconds that an actor's start waits for the commit under way."""

RETRY_FIRST, RETRY_LAST = 0.25, 2.0
"""Seconds between tries while the disk fails."""

PROBE = "store_probe"


@dataclass(slots=True)
class _Waiting:
    changes: Sequence[Change]
    promise: Promise[list[Event]]
    owner: str | None
    kept: bool


class Store(Actor):
    """Commits changes (synchronous=FULL), then answers, then has their events published."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._waiting: list[_Waiting] = []
        self._pause = RETRY_FIRST
        self._failing = False
        self._timer: Timer | None = None

    def on_start(self) -> None:
        """Opens the database; raises what :class:`Database` raises if it can't be trusted."""
        self._database = Database(self._context.home.db)
        self._context.storage.problem = None
        self._context.storage.load_ballast()

    def on_stop(self, reason: ExitReason) -> None:
        """Commits what is waiting on an orderly end; after a crash it is left to its askers."""
        try:
            if reason.kind != "error" and self._waiting:
                self._try()
        finally:
            self._database.close()

    def write(
        self, changes: Sequence[Change], owner: str | None = None, kept: bool = True
    ) -> Promise[list[Event]]:
        """One atomic batch; the answer, its events, comes when the batch is on disk.

        While the disk fails a ``kept`` batch waits for it; another is failed with the StoreError.
        ``owner`` names the actor whose next incarnation may :meth:`forget` it.
        """
        promise: Promise[list[Event]] = self.promise()
        self._waiting.append(_Waiting(changes, promise, owner, kept))
        if len(self._waiting) >= GROUP_LIMIT and not self._failing:
            self._commit()
        return promise

    def forget(self, owner: str) -> None:
        """Drops what an actor that is no more wrote and what has not been committed."""
        for waiting in self._waiting:
            if waiting.owner == owner:
                waiting.promise.fail(StoreError("its writer is no more"))
        self._waiting = [waiting for waiting in self._waiting if waiting.owner != owner]

    def retain(self, policy: RetentionPolicy) -> None:
        """Forgets what is too old or too much, in steps between which others are served."""
        if self._failing:
            return
        try:
            more = self._database.retain(policy, earliest()).more
        except StoreError as error:
            log.warning("retention_failed", error=str(error))
            return
        if more:
            self.ref.tell(Store.retain, policy)

    def on_idle(self) -> None:
        """Nobody else is waiting to join the batch."""
        if self._waiting:
            if self._failing:
                self._fail_others(None)
            else:
                self._commit()

    def try_again(self) -> None:
        """The timer of a failing disk."""
        self._timer = None
        if self._failing and not self._waiting:
            # Something has to be written to find out.
            self.write([SetMeta(PROBE, b"")])
        self._commit()

    def _commit(self) -> None:
        error = self._try() if self._waiting else None
        self._failing = error is not None
        problem = str(error) if error is not None else self._context.storage.low()
        storage = self._context.storage
        if problem is None:
            if storage.problem is not None:
                self._recovered()
            return
        if storage.problem is None:
            log.error("store_failing", error=problem)
        storage.problem = problem
        if error is not None:
            self._fail_others(error)
        if self._timer is None:
            self._timer = self.send_after(self._pause, self.try_again)
            self._pause = min(self._pause * 2, RETRY_LAST)

    def _try(self) -> StoreError | None:
        """Commits all that waits; what went wrong with the disk, None if nothing did."""
        crash_point("store.before-commit")
        began = perf_counter()
        try:
            results = self._database.write_many([waiting.changes for waiting in self._waiting])
        except StoreError as error:
            return error
        crash_point("store.after-commit")
        figures = self._context.figures
        figures.commits.observe(perf_counter() - began)
        decided, self._waiting = self._waiting, []
        self._forget_answers(decided)
        published: list[Event] = []
        for waiting, result in zip(decided, results, strict=True):
            if isinstance(result, Exception):
                waiting.promise.fail(result)
            else:
                published += result
                figures.commit(waiting.changes)
                waiting.promise.set(result)
        if published:
            figures.committed = published[-1].seq
            self._context.events.tell(Events.publish, published)
            self._notice([event for event in published if event.event in NOTICED])
        return None

    def _forget_answers(self, decided: Sequence[_Waiting]) -> None:
        # Before anybody hears of a change.
        changed = {getattr(change, "job_id", None) for one in decided for change in one.changes}
        for job_id in changed:
            if job_id is not None:
                self._context.status_cache.drop(job_id)

    def _notice(self, events: list[Event]) -> None:
        if events:
            from marianne.daemon.services.notifications import Notifications

            self._context.notifications.tell(Notifications.happened, events)

    def _fail_others(self, error: StoreError | None) -> None:
        """Fails what its sender can ask again, and keeps the rest."""
        error = error or StoreError(self._context.storage.problem or "the disk fails")
        kept = []
        for waiting in self._waiting:
            if waiting.kept:
                kept.append(waiting)
            else:
                waiting.promise.fail(error)
        self._waiting = kept

    def _recovered(self) -> None:
        from marianne.daemon.services.scheduler import SchedulerActor

        log.warning("store_works_again", problem=self._context.storage.problem)
        self._context.storage.problem = None
        self._context.storage.load_ballast()
        self._pause = RETRY_FIRST
        # Nothing was granted meanwhile, and nobody let in.
        self._context.manager.tell(ports.Jobs.pressure_fell)
        self._context.scheduler.tell(SchedulerActor.dispatch)
