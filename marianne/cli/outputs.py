"""What all running sheets of a job print, as whole lines, over restarts of the conductor.

Every attempt is read by ranges of bytes from where the last answer ended, so nothing comes twice
and nothing is left out, whoever serves meanwhile. Of each no more is kept than the line that has
begun: a reader that is slow is waited for, and it is only this program that waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import field
from typing import TYPE_CHECKING, Final

from marianne.cli.errors import CliError
from marianne.records import dataclass

if TYPE_CHECKING:
    from marianne.cli.session import Session
    from marianne.replies.conductor import Event
    from marianne.replies.job import Status

Tell = Callable[[int, str, bytes], None]
"""Takes a line without its end: of which sheet, and which stream of it."""

STREAMS: Final = ("out", "err")
PIECE: Final = 1 << 18
LONGEST: Final = 1 << 16
"""Bytes of a line that are waited for; what is longer comes in pieces of so many."""

QUICK, SLOW = 0.1, 1.0
"""Seconds between two questions about one stream: quick while it grows, slower while it does not,
and at most :data:`A_SECOND` of all together."""

A_SECOND: Final = 100.0
LOOK_SECONDS: Final = 0.25
ENDS: Final = frozenset(
    f"sheet.{word}"
    for word in ("completed", "failed", "skipped", "retrying", "rate_limited", "interrupted")
)
"""Events of an attempt's end."""

_PASSING: Final = frozenset({"deadline", "unavailable", "shutting_down", "no_conductor"})
_GONE: Final = frozenset({"not_found", "conflict"})


class Lines:
    """Bytes that come in pieces, as lines."""

    def __init__(self) -> None:
        self._begun = bytearray()

    def add(self, data: bytes, *, last: bool = False) -> list[bytes]:
        """The lines that are whole by now, without their ends. A line of more than LONGEST bytes
        comes in pieces; ``last``: what has no end comes too."""
        self._begun += data
        *whole, rest = bytes(self._begun).split(b"\n")
        found = [piece for line in whole for piece in _pieces(line)]
        while len(rest) > LONGEST:
            found.append(rest[:LONGEST])
            rest = rest[LONGEST:]
        if last and rest:
            found.append(rest)
            rest = b""
        self._begun = bytearray(rest)
        return found


def _pieces(line: bytes) -> list[bytes]:
    return [line[at : at + LONGEST] for at in range(0, max(1, len(line)), LONGEST)]


@dataclass(slots=True)
class _Stream:
    """One of an attempt's, as far as it is read."""

    num: int
    attempt: int
    name: str
    offset: int = 0
    due: float = 0.0
    pause: float = QUICK
    over: bool = False
    lines: Lines = field(default_factory=Lines)


class Outputs:
    """Reads what the attempts of one job print, and tells it line by line."""

    def __init__(self, session: Session, job: str, tell: Tell) -> None:
        self._session = session
        self._job = job
        self._tell = tell
        self._open: dict[tuple[int, int], list[_Stream]] = {}
        self._told: set[tuple[int, int]] = set()
        """Attempts that are told to their end, which no event has said yet."""

    def running(self, status: Status) -> None:
        """Reads what runs now, from its beginning."""
        for sheet in status.get("sheets") or ():
            if sheet["status"] == "running":
                self._begin(sheet["num"], sheet["attempt"])

    def take(self, event: Event) -> None:
        """An attempt begins, or has ended: then all that it printed has been told, unless the
        conductor is away."""
        num, attempt = event["sheet_num"], (event["data"] or {}).get("attempt")
        if num is None or not isinstance(attempt, int):
            return
        if event["event"] == "sheet.started":
            self._begin(num, attempt)
        elif event["event"] in ENDS:
            self._end(num, attempt)

    def look(self) -> None:
        """Tells what has come since; for a moment only, though there may be more."""
        until = time.monotonic() + LOOK_SECONDS
        while time.monotonic() < until:
            now = time.monotonic()
            due = [one for streams in self._open.values() for one in streams if one.due <= now]
            if not due:
                break
            for one in due:
                if not self._ask(one):
                    return
        self._close()

    def finish(self) -> bool:
        """The job is over: tells what is left. False where the conductor has ended before."""
        while self._open:
            self.look()
            if self._open and not self._session.running():
                return False
            time.sleep(QUICK if self._open else 0)
        return True

    def _begin(self, num: int, attempt: int) -> None:
        key = num, attempt
        if key not in self._open and key not in self._told:
            self._open[key] = [_Stream(num, attempt, name) for name in STREAMS]

    def _end(self, num: int, attempt: int) -> None:
        self._begin(num, attempt)
        for one in self._open.get((num, attempt), ()):
            while not one.over and self._ask(one):
                pass
        self._close()
        self._told.discard((num, attempt))

    def _close(self) -> None:
        for key, streams in [*self._open.items()]:
            if all(one.over for one in streams):
                del self._open[key]
                self._told.add(key)

    def _ask(self, one: _Stream) -> bool:
        """Tells the next piece of a stream. False while the conductor does not answer."""
        if one.over:
            one.due = float("inf")
            return True
        params = {
            "job_id": self._job,
            "sheet": one.num,
            "attempt": one.attempt,
            "stream": one.name,
            "offset": one.offset,
            "limit": PIECE,
        }
        try:
            part = self._session.request("job.output", params)
        except CliError as error:
            if error.code in _GONE:  # nobody has it any more
                one.over = True
                return True
            if error.code not in _PASSING:
                raise
            one.due = time.monotonic() + SLOW
            return False
        one.offset = part["next_offset"]
        more = one.offset < part["size"]
        one.over = part["ended"] and not more
        for line in one.lines.add(part["data"], last=one.over):
            self._tell(one.num, one.name, line)
        self._pace(one, bool(part["data"]), more)
        return True

    def _pace(self, one: _Stream, came: bool, more: bool) -> None:
        slow = max(SLOW, len(STREAMS) * len(self._open) / A_SECOND)
        one.pause = QUICK if came else min(slow, one.pause * 1.5)
        one.due = 0.0 if more else time.monotonic() + one.pause
