"""Which instruments refuse work for now, and until when.

A restart finds the limits in force: they are kept in the database, and on the board where all read
them, so that a crash of this actor loses none that it has published.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from actors import Actor, Future, Outcome, Promise
from ipc import codec
from marianne.clock import steady, to_wall
from marianne.daemon.context import Context
from marianne.daemon.services.scheduler import SchedulerActor
from marianne.daemon.services.store import WRITE_DEADLINE, Store
from marianne.daemon.shared.idempotency import reply_row
from marianne.daemon.shared.log import get_logger
from marianne.schedule.lifts import covers
from marianne.state.changes import Change, SetMeta
from marianne.state.reader import Reader

if TYPE_CHECKING:
    from marianne.replies.conductor import ClearedLimits

log = get_logger(__name__)

LONGEST_WAIT = 3_600.0
META = "rate_limits"


class Limit(NamedTuple):
    """``until`` is a time of :func:`marianne.clock.steady`, ``seconds`` how long it was to last."""

    until: float
    seconds: float


class RatesActor(Actor):
    """Rate limits by limit key (profile, or profile/model), reported by the jobs' failed runs.

    A limit blocks its key's sheets in the scheduler until it ends; nobody else is slowed. What is
    in force is read from ``context.rate_limits``, by anybody, without asking.
    """

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._limits: dict[str, Limit] = {}

    def on_start(self) -> None:
        """Takes up the limits that are still in force."""
        with Reader(self._context.home.db) as reader:
            kept = reader.meta(META)
        now, wall = steady(), time.time()
        # On disk they are in wall time, of a clock that may have been set since: none lasts longer
        # than the whole of it. What was published outlives us, and may not be on disk yet.
        found = {}
        for key, limit in (codec.unpack(kept) if kept else {}).items():
            # Another version kept no length.
            until, seconds = limit if isinstance(limit, Sequence) else (limit, LONGEST_WAIT)
            found[key] = Limit(now + min(until - wall, seconds, LONGEST_WAIT), seconds)
        for key, until in self._context.rate_limits.until.items():
            found[key] = Limit(until, found[key].seconds if key in found else until - now)
        self._limits = {key: limit for key, limit in found.items() if limit.until > now}
        self._show({key: limit.until for key, limit in self._limits.items()})
        for key, limit in self._limits.items():
            self._context.scheduler.tell(SchedulerActor.block, key, limit.until)

    def report(
        self, backend: str, wait_seconds: float, job_id: str, sheet_num: int | None = None
    ) -> None:
        """An instrument refused work for ``wait_seconds`` (0 to 3,600; nonsense counts as 0).

        A limit is never shortened by a later report. Its sheets are kept back at once; people see
        it when it is on disk, so that what they saw outlives any death.
        """
        now = steady()
        wait = min(max(0.0, wait_seconds), LONGEST_WAIT) if math.isfinite(wait_seconds) else 0.0
        known = self._limits[backend].until if backend in self._limits else 0.0
        if now + wait <= known:
            return
        if known <= now:
            who = {"job_id": job_id, "sheet": sheet_num}
            log.info("rate_limited", backend=backend, seconds=round(wait, 1), **who)
        self._limits = {key: one for key, one in self._limits.items() if one.until > now}
        self._limits[backend] = Limit(now + wait, wait)
        self._context.scheduler.tell(SchedulerActor.block, backend, now + wait)
        written = self._context.store.call(Store.write, [self._kept()])
        self.pipe(written, self.noted, dict(self._limits))

    def noted(self, _written: Outcome[Any], limits: dict[str, Limit]) -> None:
        """These limits are on disk, or could not be written: they are in force all the same, but
        for those that were cleared meanwhile."""
        new = {key: one.until for key, one in limits.items() if self._limits.get(key) == one}
        self._show({**self._context.rate_limits.until, **new})

    def active_limits(self) -> dict[str, float]:
        """Seconds left by limit key."""
        return self._context.rate_limits.active_limits()

    def clear_limits(
        self, instrument: str | None = None, request_id: str | None = None
    ) -> Promise[ClearedLimits]:
        """Ends the limits of one instrument (all its models, or one: ``profile/model``), or all.

        What waits for them goes on at once. Returns ``{"cleared": n, "instrument": …, "keys":
        […]}`` when it is on disk; a ``request_id`` that was answered before gets that answer.
        """
        promise: Promise[ClearedLimits] = self.promise()
        if request_id is not None:
            with Reader(self._context.home.db) as reader:
                known = reader.reply(request_id)
            if known is not None:
                promise.set(codec.unpack(known))
                return promise
        now = steady()
        active = {key: limit for key, limit in self._limits.items() if limit.until > now}
        keys = sorted(key for key in active if covers(instrument, key))
        self._limits = {key: limit for key, limit in active.items() if key not in keys}
        seen = self._context.rate_limits.until.items()
        self._show({key: until for key, until in seen if key not in keys})
        # Whatever is in force: a sheet may wait for longer than its limit is kept.
        self._context.scheduler.tell(SchedulerActor.lift, instrument)
        reply: ClearedLimits = {"cleared": len(keys), "instrument": instrument, "keys": keys}
        changes: list[Change] = [self._kept()]
        if request_id is not None:
            changes.append(reply_row(request_id, reply))
        store = self._context.store.within(WRITE_DEADLINE)
        written: Future[Any] = store.call(Store.write, changes, kept=False)
        self.pipe(written, self.cleared, reply, promise)
        return promise

    def cleared(
        self, outcome: Outcome[Any], reply: ClearedLimits, promise: Promise[ClearedLimits]
    ) -> None:
        """The end of those limits is on disk, or could not be written: then they may come back."""
        if outcome.error is not None:
            promise.fail(outcome.error)
        else:
            promise.set(reply)

    def _show(self, limits: dict[str, float]) -> None:
        now = steady()
        shown = {key: until for key, until in limits.items() if until > now}
        self._context.rate_limits.until = shown

    def _kept(self) -> SetMeta:
        kept = {key: (to_wall(one.until), one.seconds) for key, one in self._limits.items()}
        return SetMeta(META, codec.pack(kept) if kept else None)
