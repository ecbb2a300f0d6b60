"""The one writer of the state.

A commit is on disk before ``write`` returns (WAL, synchronous=FULL). Several callers' batches
share one commit (``write_many``), which is what makes that affordable: the cost of a commit does
not depend on how much is in it. One Database is open per home, and one thread uses it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from marianne.state.apply import Batch
from marianne.state.changes import Change
from marianne.state.connection import NamedErrors, connect_writer, what_to_do
from marianne.state.errors import DatabaseCorrupt, Refused, StoreError
from marianne.state.making import settle
from marianne.state.migrations import migrate
from marianne.state.models import Event
from marianne.state.retention import Retained, RetentionPolicy, retain

LAST_SEQ = "last_seq"
"""The name in ``meta`` of the highest event number at the last retention."""


class Database:
    """Opens (and makes, checks, migrates) the database at ``path`` for writing.

    Raises DatabaseCorrupt, DatabaseTooNew, or StoreError when it cannot be used.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        settle(self.path)
        try:
            with NamedErrors(self.path):
                self._connection = connect_writer(self.path)
        except OSError as error:
            raise StoreError(f"cannot open {self.path}: {error.strerror}") from error
        try:
            with NamedErrors(self.path):
                self._check()
                migrate(self._connection)
                self._seq = self._highest_seq()
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def last_seq(self) -> int:
        """The number of the newest event; 0 before the first."""
        return self._seq

    def write(self, changes: Sequence[Change]) -> list[Event]:
        """Commits one batch and returns its events, numbered.

        Raises a Refused error for a wrong change, StoreFull or StoreError when the disk fails;
        in both cases nothing of the batch counts and the database can go on.
        """
        (result,) = self.write_many([changes])
        if isinstance(result, Exception):
            raise result
        return result

    def write_many(self, batches: Sequence[Sequence[Change]]) -> list[list[Event] | Exception]:
        """Commits several callers' batches at once; for each its events, or why it was refused.

        A refused batch is undone alone. Raises StoreFull or StoreError when the disk fails: then
        none of the batches counts.
        """
        seq = self._seq
        try:
            with NamedErrors(self.path):
                self._execute("BEGIN IMMEDIATE")
                results = self._apply(batches)
                if self._connection.in_transaction:
                    self._execute("COMMIT")
        except BaseException:
            self._seq = seq
            self._undo()
            raise
        return results

    def retain(self, policy: RetentionPolicy, now: float) -> Retained:
        """Forgets a bounded part of what is too old or too much; ``more`` says to call again."""
        with NamedErrors(self.path):
            try:
                self._execute("BEGIN IMMEDIATE")
                # Numbers go on growing even if the newest event is forgotten.
                self._execute(
                    "INSERT OR REPLACE INTO meta VALUES (?, ?)", (LAST_SEQ, str(self._seq))
                )
                kept = retain(self._connection, policy, now)
                self._execute("COMMIT")
                # Gives freed pages back in small steps; a full vacuum would stop the conductor. By
                # executescript, because execute() takes one step of it, which frees one page.
                self._connection.executescript("PRAGMA incremental_vacuum(2000)")
            except BaseException:
                self._undo()
                raise
        return kept

    def forget_workers(self) -> None:
        """Forgets which process runs each job: they are another home's."""
        fields = ("worker_pid", "worker_start_time", "worker_boot_id", "worker_link")
        nothing = ", ".join(f"{name} = NULL" for name in fields)
        with NamedErrors(self.path):
            self._execute(f"UPDATE jobs SET {nothing} WHERE worker_pid IS NOT NULL")

    def close(self) -> None:
        """Closes; the write-ahead log is folded into the database if nobody reads it."""
        self._connection.close()

    def _execute(self, sql: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        return self._connection.execute(sql, values)

    def _apply(self, batches: Sequence[Sequence[Change]]) -> list[list[Event] | Exception]:
        results: list[list[Event] | Exception] = []
        alone = len(batches) == 1  # then it is undone with the transaction
        for changes in batches:
            if not alone:
                self._execute("SAVEPOINT batch")
            try:
                batch = Batch(self._connection, self._seq)
                batch.run(changes)
            except Refused as error:
                self._execute("ROLLBACK" if alone else "ROLLBACK TO batch")
                results.append(error)
            else:
                self._seq = batch.seq
                results.append(batch.events)
            if not alone:
                self._execute("RELEASE batch")
        return results

    def _undo(self) -> None:
        # SQLite itself rolls back on some errors; and a rollback that fails changes nothing.
        if self._connection.in_transaction:
            try:
                self._execute("ROLLBACK")
            except sqlite3.Error:
                pass

    def _check(self) -> None:
        problems = [row[0] for row in self._execute("PRAGMA quick_check(3)").fetchall()]
        if problems != ["ok"]:
            raise DatabaseCorrupt(what_to_do(self.path, "; ".join(problems)))

    def _highest_seq(self) -> int:
        newest = self._execute("SELECT max(seq) FROM events").fetchone()[0] or 0
        kept = self._execute("SELECT value FROM meta WHERE name = ?", (LAST_SEQ,)).fetchone()
        return max(newest, int(kept[0]) if kept else 0)
