"""Telling people of their jobs: ``notifications`` of a score, and of the configuration.

What is said, when, and how a receiver is reached stands in :mod:`marianne.notify`. A notice that
could not be delivered is tried again, later and later, for a day. At its third failure it counts
as undelivered; three of these in a row are *degraded*, which readiness says until one is
delivered.

What a restart finds, for each step of a notice:

- its event is on disk, nobody looked at it: it is after the number of the last event that was
  looked at, and is told now;
- it waits (for a digest, for quiet hours to end, for the next try): it is among the open ones on
  disk, and waits anew for what is left of that;
- it is under way: the program that delivers it ended with the conductor; it is told again, with
  the same ``id``;
- it was taken, and that is not on disk yet: the same;
- it was taken, or given up, and that is on disk: nothing.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from actors import Actor, ActorError, ExitReason, Outcome, Timer
from ipc import codec
from marianne.clock import LOOK_AGAIN, steady
from marianne.daemon.context import Context
from marianne.daemon.services.store import Store
from marianne.daemon.shared.log import get_logger
from marianne.executors.beside import CommandEnd, SideCommand
from marianne.notify import line
from marianne.notify.line import DAY, Line
from marianne.notify.notice import (
    NOTICED,
    Notice,
    address_of,
    machine_row,
    of_machine,
    wants,
    wants_machine,
)
from marianne.notify.way import way
from marianne.state.changes import SetMeta
from marianne.state.models import Event, JobRow
from marianne.state.reader import Reader

log = get_logger(__name__)

KIND = "notice"
UNDELIVERED_AT = 3
"""Tries after which a notice counts as undelivered; it is tried on."""

RETRY_SECONDS = 2.0
"""Until the machine may be able to start a program again."""

LOOK_BACK = 20_000
"""Events that a start looks through for what was not told, at most."""

CURSOR, OPEN = "notices_seen", "notices_open"
"""All events up to the one were looked at, and of these the other are not told yet."""


class Notifications(Actor):
    """Delivers notices; a crash here tells again what was under way."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._line = Line()
        self._receivers: dict[str, list[dict[str, Any]]] = {}
        self._seen = 0
        self._open: set[tuple[int, int]] = set()
        self._marks = 0  # that are not on disk yet
        self._timer: Timer | None = None

    def on_start(self) -> None:
        """Looks at what was not told, and at what happened since the last event that was seen."""
        self._reader = Reader(self._context.home.db)
        last, kept = self._reader.events.last_seq(), self._reader.meta(CURSOR)
        self._seen = int(kept) if kept else last
        self._take_up(codec.unpack(self._reader.meta(OPEN) or b"\x90"))
        after = max(self._seen, last - LOOK_BACK)
        while page := self._reader.events.since(after):
            self.happened([event for event in page if event.event in NOTICED])
            after = page[-1].seq
        self._seen = max(self._seen, after)
        self._mark()
        self._deliver()

    def on_stop(self, reason: ExitReason) -> None:
        """What is being delivered is told again."""
        self._reader.close()

    def _take_up(self, kept: Sequence[Sequence[int]]) -> None:
        for seq, number in kept:
            for event in self._reader.events.since(seq - 1, limit=1):
                if event.seq == seq:
                    notices = self._notices(event)
                    self._wait([notice for notice in notices if notice.number == number])

    def happened(self, events: Sequence[Event]) -> None:
        """Committed events, in order; those that were seen before are passed over."""
        for event in events:
            if event.seq <= self._seen:
                continue
            self._seen = event.seq
            if event.job_id is None:
                self._wait(self._of_machine(event))
                continue
            goes_on = event.event == "job.started" and self._goes_on(event.job_id, event.ts)
            notices = self._notices(event)
            if notices:
                self._wait(notices)
            if goes_on:
                self._mark()  # this score wants nothing of what was before
            if event.event in ("job.completed", "job.failed", "job.paused"):
                self._receivers.pop(event.job_id, None)
        dropped = self._line.drop()
        if dropped:
            log.error("notices_dropped", number=len(dropped))
            self._close(dropped)
        self._deliver()

    def unwritten(self, event: Event) -> None:
        """Something of the machine that is on no disk, for none takes it. A restart knows nothing
        of it, and finds it again."""
        self._wait(self._of_machine(event))
        self._deliver()

    def _of_machine(self, event: Event) -> list[Notice]:
        """For whoever is told of all jobs. What nobody is told is marked as seen with the next."""
        if not of_machine(event):
            return []
        row = machine_row(socket.gethostname(), event)
        ours = enumerate(self._context.config.notifications, 1)
        return [
            Notice(event, row, -number, one) for number, one in ours if wants_machine(one, event)
        ]

    def _notices(self, event: Event) -> list[Notice]:
        """One for each receiver that wants to know of it."""
        if event.job_id is None:
            return self._of_machine(event)
        ours, theirs = self._context.config.notifications, self._receivers_of(event.job_id)
        if not (ours or theirs):
            return []
        row = self._reader.job(event.job_id)
        if row is None:
            return []
        wanted = [one for one in theirs if wants(one, event.event, row.reason)]
        notices = [Notice(event, row, number, one) for number, one in enumerate(wanted, 1)]
        for number, one in enumerate(ours, 1):
            if wants(one, event.event, row.reason):
                notices.append(Notice(event, row, -number, one))
        return notices

    def _wait(self, notices: Sequence[Notice]) -> None:
        now, wall = steady(), time.time()
        timed = [
            replace(one, due=line.due(one, now, wall), address=address_of(one.receiver))
            for one in notices
        ]
        self._line.add(timed)
        self._open.update(notice.key for notice in timed)
        self._count()
        if any(one.due > now for one in timed):
            self._mark()  # nothing may be closed for hours

    def _goes_on(self, job_id: str, at: float) -> bool:
        """Whether a job that begins has begun before: maybe it goes on with another score."""
        row = self._reader.job(job_id)
        self._keep(job_id, row)
        return row is not None and row.started_at is not None and row.started_at < at

    def _receivers_of(self, job_id: str) -> list[dict[str, Any]]:
        if job_id not in self._receivers:
            self._keep(job_id, self._reader.job(job_id))
        return self._receivers[job_id]

    def _keep(self, job_id: str, row: JobRow | None) -> None:
        if len(self._receivers) >= line.LIMIT:
            self._receivers.clear()  # they are read again
        after = (row.options.get("after") or {}) if row is not None else {}
        self._receivers[job_id] = after.get("notifications") or []

    # -- delivery -------------------------------------------------------------------------------

    def _deliver(self) -> None:
        while notices := self._line.take(steady()):
            found, last = way(notices), notices[-1].row
            if found is None:
                log.warning(
                    "notice_has_no_way", type=notices[0].receiver["type"], job_id=last.job_id
                )
                self._line.ended(notices)
                self._close(notices)
                continue
            extra = _ours(notices[0])
            command = SideCommand(
                last.job_id, KIND, found.argv, "/", found.timeout, found.stdin, extra
            )
            self.pipe(self._context.executor.command(command), self.delivered, notices)
        self._look_later(self._line.next_look(steady()))

    def _look_later(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if seconds is not None:
            self._timer = self.send_after(min(seconds, LOOK_AGAIN), self.look)

    def look(self) -> None:
        """Something is due."""
        self._deliver()

    def delivered(self, outcome: Outcome[CommandEnd], notices: Sequence[Notice]) -> None:
        """A delivery ended, or could not be begun."""
        self._line.ended(notices)
        end = outcome.value
        if end is not None and end.ok:
            self._context.delivery.undelivered = 0
            self._line.reached(notices[0].address)
            self._close(notices)
        elif end is not None:
            self._undelivered(notices, _why(notices[0], end))
        elif not isinstance(outcome.error, (OSError, EOFError, ActorError)):
            self._undelivered(notices, repr(outcome.error))
        else:
            # The machine's trouble, or ours: that uses up none of its tries.
            log.warning("notice_waits", job_id=notices[-1].row.job_id, error=repr(outcome.error))
            later = steady() + RETRY_SECONDS
            self._line.add([replace(notice, due=later) for notice in notices])
        self._deliver()

    def _undelivered(self, notices: Sequence[Notice], why: str) -> None:
        tried = self._line.missed(notices, steady())
        # The command may hold a secret, so the log names the receiver by its place.
        for notice in tried[: len(notices)]:
            known = {"job_id": notice.row.job_id, "number": notice.number, "tries": notice.tries}
            log.info("notice_retried", why=why, **known)
        for notice in tried:
            if notice.tries == UNDELIVERED_AT:
                self._context.delivery.undelivered += 1
                known = {"job_id": notice.row.job_id, "number": notice.number}
                log.error("notice_not_delivered", why=why, **known)
        old = [notice for notice in tried if time.time() - notice.event.ts > DAY]
        if old:
            log.error("notices_given_up", number=len(old), why=why)
            self._line.give_up(old)
            self._close(old)

    def _close(self, notices: Sequence[Notice]) -> None:
        self._open.difference_update(notice.key for notice in notices)
        self._mark()

    def _mark(self) -> None:
        """All up to here is told, but for what is open: as many as may wait, and are under way."""
        kept = codec.pack(sorted(self._open)) if self._open else None
        changes = [SetMeta(CURSOR, str(self._seen).encode()), SetMeta(OPEN, kept)]
        written = self._context.store.call(Store.write, changes, kept=False)
        self._marks += 1
        self.pipe(written, self.marked)

    def marked(self, written: Outcome[list[Event]]) -> None:
        """It is on disk; or not, and is written a little later, unless another one was."""
        self._marks -= 1
        if written.error is not None and self._marks == 0:
            self._marks = 1
            self.send_after(RETRY_SECONDS, self.mark_again)
        self._count()

    def mark_again(self) -> None:
        """The disk may work again."""
        self._marks -= 1
        self._mark()

    def _count(self) -> None:
        self._context.delivery.waiting = len(self._open) + self._marks


def _ours(notice: Notice) -> dict[str, str]:
    """Of a receiver of the configuration the address may be in the conductor's environment."""
    config = notice.receiver["config"]
    names = [str(config[name]) for name in ("url_env", "webhook_url_env") if config.get(name)]
    if notice.number > 0:
        return {}
    return {name: os.environ[name] for name in names if name in os.environ}


def _why(notice: Notice, end: CommandEnd) -> str:
    """What the log says of a failure: a command's own words may hold a secret, ours do not."""
    config = notice.receiver["config"]
    ours = notice.receiver["type"] != "command" and not config.get("template")
    return (end.said.strip() if ours else "") or end.words
