"""The sole writer of the database, with group commit.

Writes that are waiting together become one transaction: the store takes whatever its mailbox
holds, commits when it runs empty, and only then answers and publishes. So a batch forms by itself
under load, and a lone write waits for nobody.

A restart finds what was committed. Whoever waits for an answer when the store dies gets
ActorDied; a write that was committed but not answered is found again by its request id.
"""

from __future__ import annotations

from collections.abc import Sequence

from actors import Actor, ExitReason, Promise
from marianne.daemon.context import Context
from marianne.daemon.events import Events
from marianne.state.changes import Change
from marianne.state.database import Database
from marianne.state.models import Event

GROUP_LIMIT = 2_000
"""Writes in one transaction at most: bounds the time until the first of them is answered."""

WRITE_DEADLINE = 60.0
"""Seconds that an asker waits for a commit: a disk may stall, and then nobody knows better."""


class Store(Actor):
    """Commits changes (synchronous=FULL), then answers, then has their events published."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._waiting: list[tuple[Sequence[Change], Promise[list[Event]]]] = []

    def on_start(self) -> None:
        """Opens the database; raises what :class:`Database` raises if it can't be trusted."""
        self._database = Database(self._context.home.db)

    def on_stop(self, reason: ExitReason) -> None:
        """Commits what is waiting on an orderly end; after a crash it is left to its askers."""
        try:
            if reason.kind != "error":
                self._commit()
        finally:
            self._database.close()

    def write(self, changes: Sequence[Change]) -> Promise[list[Event]]:
        """One atomic batch; the answer, its events, comes when the batch is on disk."""
        promise: Promise[list[Event]] = self.promise()
        self._waiting.append((changes, promise))
        if len(self._waiting) >= GROUP_LIMIT:
            self._commit()
        return promise

    def on_idle(self) -> None:
        """Nobody else is waiting to join the batch."""
        self._commit()

    def _commit(self) -> None:
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        results = self._database.write_many([changes for changes, _ in waiting])
        published: list[Event] = []
        for (_, promise), result in zip(waiting, results, strict=True):
            if isinstance(result, Exception):
                promise.fail(result)
            else:
                published += result
                promise.set(result)
        if published:
            self._context.events.tell(Events.publish, published)
