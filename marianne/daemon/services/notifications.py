"""Telling people what happens to their jobs: the ``notifications`` of a score.

A notice goes to a command (JSON on its standard input), to an address (the same JSON, or Slack's
one line) or to the desktop. It is tried three times;
three notices in a row that could not be delivered are *degraded*, which readiness says, until one
is delivered. What a restart finds: the number of the last event up to which all were told, and who
was told of later ones; so what happened meanwhile is told, and nobody twice but of what was under
way.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from actors import Actor, ActorError, ExitReason, Outcome
from ipc import codec
from marianne.daemon.context import Context
from marianne.daemon.services.events import NOTICED
from marianne.daemon.services.store import Store
from marianne.daemon.shared.log import get_logger
from marianne.daemon.views import wire
from marianne.executors.beside import CommandEnd, SideCommand
from marianne.records import dataclass
from marianne.state.changes import SetMeta
from marianne.state.models import Event, JobRow
from marianne.state.reader import Reader

log = get_logger(__name__)

KIND = "notice"
TRIES = 3
RETRY_SECONDS = 2.0
SECONDS = 30.0
"""A delivery that takes longer is ended and counts as failed."""

LONGEST = 366 * 86_400.0

AT_ONCE = 8
TO_ONE_ADDRESS = 2
"""Deliveries under way at once, in all and to one address: one that never answers takes its whole
time at each, and holds up nobody's notices but its own."""

WAITING_LIMIT = 1_000
LOOK_BACK = 20_000
"""Events that a start looks through for what was not told, at most."""

CURSOR, TOLD = "notices_seen", "notices_told"

WEBHOOK = str(Path(__file__).with_name("webhook.py"))
"""The program; it is not imported: a conductor needs no HTTP."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One event for one receiver."""

    event: Event
    row: JobRow
    number: int
    receiver: dict[str, Any]
    tries: int = 0


class Notifications(Actor):
    """Delivers notices; a crash here tells again what was under way."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._waiting: list[Notice] = []
        self._receivers: dict[str, list[dict[str, Any]]] = {}
        self._seen = 0
        self._open: Counter[int] = Counter()
        self._told: set[tuple[int, int]] = set()  # event and receiver, above the last mark
        self._busy: Counter[str] = Counter()

    def on_start(self) -> None:
        """Looks at what happened since the last event that was looked at."""
        self._reader = Reader(self._context.home.db)
        last, kept = self._reader.events.last_seq(), self._reader.meta(CURSOR)
        self._seen = int(kept) if kept else last
        self._told = {(seq, num) for seq, num in codec.unpack(self._reader.meta(TOLD) or b"\x90")}
        after = max(self._seen, last - LOOK_BACK)
        while page := self._reader.events.since(after):
            self.happened([event for event in page if event.event in NOTICED])
            after = page[-1].seq
        self._seen = max(self._seen, after)
        self._mark()

    def on_stop(self, reason: ExitReason) -> None:
        """What is being delivered is told again."""
        self._reader.close()

    def happened(self, events: Sequence[Event]) -> None:
        """Committed events, in order; those that were seen before are passed over."""
        for event in events:
            if event.seq <= self._seen or event.job_id is None:
                continue
            self._seen = event.seq
            goes_on = event.event == "job.started" and self._goes_on(event.job_id, event.ts)
            receivers = self._receivers_of(event.job_id)
            wanted = [r for r in receivers if NOTICED[event.event] in r["on_events"]]
            row = self._reader.job(event.job_id) if wanted else None
            if row is not None:
                notices = [
                    Notice(event, row, number, r)
                    for number, r in enumerate(wanted, 1)
                    if (event.seq, number) not in self._told
                ]
                self._waiting += notices
                if notices:
                    self._open[event.seq] = len(notices)
            if goes_on:
                self._mark()  # this score wants nothing of what was before
            if event.event in ("job.completed", "job.failed", "job.paused"):
                self._receivers.pop(event.job_id, None)
        if len(self._waiting) > WAITING_LIMIT:
            log.error("notices_dropped", number=len(self._waiting) - WAITING_LIMIT)
            for notice in self._waiting[:-WAITING_LIMIT]:
                self._close(notice)
            del self._waiting[:-WAITING_LIMIT]
            self._mark()
        self._deliver()

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
        if len(self._receivers) >= WAITING_LIMIT:
            self._receivers.clear()  # they are read again
        self._receivers[job_id] = _wanted(row)

    # -- delivery -------------------------------------------------------------------------------

    def _deliver(self) -> None:
        while self._busy.total() < AT_ONCE:
            notice = in_turn(self._waiting, self._busy)
            if notice is None:
                return
            self._waiting.remove(notice)
            command = _command(notice)
            if command is None:
                log.warning(
                    "notice_has_no_way", type=notice.receiver["type"], job_id=notice.row.job_id
                )
                self._close(notice)
                self._mark()
                continue
            self._busy[_address(notice)] += 1
            self.pipe(self._context.executor.command(command), self.delivered, notice)

    def delivered(self, outcome: Outcome[CommandEnd], notice: Notice) -> None:
        """A delivery ended, or could not be begun."""
        self._busy -= Counter({_address(notice): 1})
        end = outcome.value
        if end is not None and end.ok:
            self._context.delivery.undelivered = 0
            self._close(notice)
            self._mark()
        elif end is not None:
            self._undelivered(notice, _why(notice, end))
        elif not isinstance(outcome.error, (OSError, EOFError, ActorError)):
            self._undelivered(notice, repr(outcome.error))
        else:
            # The machine's trouble, or ours: that uses up none of its tries.
            log.warning("notice_waits", job_id=notice.row.job_id, error=repr(outcome.error))
            self.send_after(RETRY_SECONDS, self.again, notice)
            return
        self._deliver()

    def again(self, notice: Notice) -> None:
        """Its pause is over."""
        self._waiting.append(notice)
        self._deliver()

    def _undelivered(self, notice: Notice, why: str) -> None:
        notice = replace(notice, tries=notice.tries + 1)
        # The command may hold a secret, so the log names the receiver by its place.
        known = {"job_id": notice.row.job_id, "number": notice.number, "tries": notice.tries}
        if notice.tries < TRIES:
            log.info("notice_retried", why=why, **known)
            self.send_after(RETRY_SECONDS * notice.tries, self.again, notice)
            return
        self._context.delivery.undelivered += 1
        self._close(notice)
        self._mark()
        log.error("notice_not_delivered", why=why, **known)

    def _close(self, notice: Notice) -> None:
        self._open -= Counter({notice.event.seq: 1})
        self._told.add((notice.event.seq, notice.number))

    def _mark(self) -> None:
        """Nothing up to here has to be told any more, and of later ones these not either: as many
        as may wait."""
        seen = min(self._open) - 1 if self._open else self._seen
        kept = sorted(one for one in self._told if one[0] > seen)[-WAITING_LIMIT:]
        self._told = set(kept)
        told = codec.pack(kept) if kept else None
        changes = [SetMeta(CURSOR, str(seen).encode()), SetMeta(TOLD, told)]
        self._context.store.tell(Store.write, changes, kept=False)


def _wanted(row: JobRow | None) -> list[dict[str, Any]]:
    """Who is to be told of a job, by its score."""
    after = (row.options.get("after") or {}) if row is not None else {}
    return after.get("notifications") or []


def in_turn(waiting: Sequence[Notice], busy: Mapping[str, int]) -> Notice | None:
    """The first notice whose address can take one more; ``busy`` counts those under way."""
    for notice in waiting:
        if busy.get(_address(notice), 0) < TO_ONE_ADDRESS:
            return notice
    return None


def _address(notice: Notice) -> str:
    receiver = notice.receiver
    return json.dumps([receiver["type"], receiver.get("config")], sort_keys=True, default=str)


def _command(notice: Notice) -> SideCommand | None:
    """The command that delivers it; None when there is none for this kind of receiver."""
    row, config = notice.row, notice.receiver["config"]
    timeout = _seconds(config)
    match notice.receiver["type"]:
        case "command":
            argv = ["bash", "-c", str(config["command"])]
            return SideCommand(row.job_id, KIND, argv, "/", timeout, _packed(_body(notice)))
        case "webhook":
            argv, body = [sys.executable, "-I", "-S", WEBHOOK], _body(notice)
            wanted = {"url": config.get("url"), "url_env": config.get("url_env")}
        case "slack":
            argv, body = [sys.executable, "-I", "-S", WEBHOOK], {"text": _line(notice)}
            wanted = {"url": config.get("webhook_url"), "url_env": config.get("webhook_url_env")}
        case "desktop" if shutil.which("notify-send"):
            argv = ["notify-send", "--app-name=marianne", "--", *_title_and_text(notice)]
            return SideCommand(row.job_id, KIND, argv, "/", timeout)
        case _:
            return None
    stdin = _packed({**wanted, "body": body, "timeout": timeout})
    return SideCommand(row.job_id, KIND, argv, "/", timeout, stdin)


def _seconds(config: Mapping[str, Any]) -> float:
    """Of one delivery. A score that an earlier version accepted may have anything there."""
    given = config.get("timeout_seconds")
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        return SECONDS
    return float(given) if 0 < given <= LONGEST else SECONDS


def _body(notice: Notice) -> dict[str, Any]:
    """What a program is told."""
    row, event = notice.row, notice.event
    return {
        "event": NOTICED[event.event],
        "job_id": row.job_id,
        "name": row.name,
        "status": str(row.status),
        "error": row.error,
        "workspace": row.workspace,
        "sheet_num": event.sheet_num,
        "ts": wire.timestamp(event.ts),
        "data": event.data,
    }


def _packed(data: dict[str, Any]) -> bytes:
    return json.dumps(data, default=str).encode() + b"\n"


def _title_and_text(notice: Notice) -> tuple[str, str]:
    """What a person is told."""
    row, sheet = notice.row, notice.event.sheet_num
    title = f"{row.name}: {NOTICED[notice.event.event].replace('_', ' ')}"
    return title, row.error or (f"sheet {sheet}" if sheet else "")


def _line(notice: Notice) -> str:
    return " - ".join(filter(None, _title_and_text(notice)))


def _why(notice: Notice, end: CommandEnd) -> str:
    """What the log says of a failure: a command's own words may hold a secret, ours do not."""
    ours = notice.receiver["type"] in ("webhook", "slack")
    return (end.said.strip() if ours else "") or end.words
