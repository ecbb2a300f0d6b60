"""What all parts of the schedules' actor work at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from marianne.daemon.context import Context
from marianne.daemon.schedules.book import Book
from marianne.daemon.services.store import WRITE_DEADLINE, Store
from marianne.daemon.shared.once import Once
from marianne.daemon.shared.turns import Turns
from marianne.state.changes import Change
from marianne.state.reader import Reader


class Desk:
    """For the actor's thread. ``writer`` is the name under which the store knows the actor."""

    def __init__(self, context: Context, turns: Turns, writer: str) -> None:
        self.context = context
        self.turns = turns
        self.reader = Reader(context.home.db)
        self.book = Book(self.reader)
        self.once = Once(self.reader, context.storage, turns.promise)
        self._writer = writer

    def close(self) -> None:
        """Closes the reader: the last connection to go folds the log into the database."""
        self.reader.close()

    def write(self, changes: Sequence[Change], *, kept: bool = True) -> Any:
        """A future of the commit. What is ``kept`` waits for a disk that is full; the rest fails,
        and the client that asked for it asks again."""
        store = self.context.store.within(WRITE_DEADLINE)
        return store.call(Store.write, changes, self._writer, kept=kept)

    @property
    def stopping(self) -> bool:
        """Whether the conductor is to end: what comes due is the next one's."""
        return self.context.stop.mode is not None
