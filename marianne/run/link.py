"""The worker's end of the line to the conductor: hello, results until acknowledged, who lives.

The conductor may die and another one come. We watch the pid of the one that last said welcome;
when it is gone we say hello until a new one answers, and if none does in time, or none ever did,
``on_lost`` is called once. Results stand in the spool before they are sent, go with every hello
and once more when nobody acknowledged them for a while.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from marianne.run import procfs
from marianne.run.complain import complain
from marianne.run.loop import Loop, Timer
from marianne.run.spool import Spool
from marianne.run.trust import Trust

if TYPE_CHECKING:
    from marianne.run.attempt import Attempt

PROTOCOL = 1
# While more sheets wait in the worker what happens travels together: twenty times fewer messages,
# transactions and wake-ups all the way up.
LINGER_SECONDS = 0.02
RESEND_SECONDS = 3.0
# Results in one message: with all their checks they stay far below the size of a frame.
CHUNK = 100
HELLO_FIRST, HELLO_LONGEST = 0.1, 2.0

Message = dict[str, Any]


def _fitting(results: Sequence[Message]) -> int:
    """How many of the first results go in one message: one list at most, which may be long."""
    most = min(len(results), CHUNK)
    return next((at for at in range(1, most) if results[at].get("listed")), most)


class Line(Protocol):
    """What we need of ipc's Dealer."""

    def fileno(self) -> int:
        """Readable when ``drain`` has something to do."""

    def send(self, message: Message) -> None:
        """Sends or queues one message; never blocks."""

    def drain(self) -> list[Message]:
        """What has arrived; sends what waited."""

    @property
    def waiting(self) -> int:
        """How many messages wait for a connection."""


class Link:
    """See the head of this file. ``state`` answers for a hello the running, and the queued: those
    that were granted ahead and have not begun."""

    def __init__(
        self,
        loop: Loop,
        line: Line,
        spool: Spool,
        *,
        job_id: str,
        incarnation: str,
        orphan_grace: float,
        state: Callable[[], tuple[list[list[int]], list[list[int]], bool]],
        on_lost: Callable[[], None],
        trust: Trust | None = None,
    ) -> None:
        self._loop = loop
        self._line = line
        self._spool = spool
        self._orphan_grace = orphan_grace
        self._state = state
        self._on_lost = on_lost
        self._trust = trust
        self._head: Message = {
            "kind": "hello",
            "protocol": PROTOCOL,
            "job_id": job_id,
            "worker": incarnation,
            "pid": os.getpid(),
            "start_time": procfs.start_time(os.getpid()),
            "sid": os.getsid(0),
        }
        self._started: dict[int, list[Any]] = {}  # by sheet
        self._walled: dict[int, list[Any]] = {}  # of what runs, the starts that told walls
        self._results: list[Message] = []
        self._flush_timer: Timer | None = None
        self._orphan_timer: Timer | None = None
        self._hello_timer: Timer | None = None
        self._resend_timer: Timer | None = None
        self._hello_pause = HELLO_FIRST
        self._hello_waits = False
        self._pidfd: int | None = None

    # -- outwards

    def begin(self, pid: int, start_time: int) -> None:
        """Says hello to the conductor that started us."""
        self._watch(pid, start_time)
        self._alone()

    def hello(self, answers: int = 0) -> None:
        """Says who we are, what runs, and everything that nobody acknowledged.

        ``answers`` is the number of the report that was asked for, 0 when none was.

        What does not fit is sent after it, and named in it as ``ended``: it runs no more, and
        nobody may take it for lost meanwhile. What waits goes first: only a hello that was asked
        for is read as a report. Walls stand on no disk while what they surround runs: they are told
        again.
        """
        self.flush()
        running, queued, held = self._state()
        unacked = self._spool.unacked
        fit = _fitting(unacked)
        first, rest = unacked[:fit], unacked[fit:]
        ended = [[result["num"], result["attempt"]] for result in rest]
        says = {"running": running, "queued": queued, "unacked": first, "ended": ended}
        says |= {"round": answers, "held": held}
        self._line.send(self._head | says)
        self._send_results(rest, list(self._walled.values()))

    def started(self, attempt: Attempt, pid: int, at: float, *, more: bool) -> None:
        """Reports a started program; with ``more`` it may wait for company."""
        told: list[Any] = [attempt.num, attempt.attempt, pid, at]
        if attempt.walls:
            told.append(list(attempt.walls))
            self._walled[attempt.num] = told
        self._started[attempt.num] = told
        self._due(more)

    def result(self, result: Message, *, more: bool) -> None:
        """Spools a result and reports it; with ``more`` it may wait for company."""
        self._walled.pop(result["num"], None)
        try:
            self._spool.append(result)
        except OSError as error:
            # Better told without a net than not at all.
            complain(f"cannot spool a result: {error}")
        self._results.append(result)
        self._due(more)
        if self._resend_timer is None:
            self._resend_timer = self._loop.call_later(RESEND_SECONDS, self._resend)

    def resend(self, num: int, attempt: int) -> bool:
        """Sends the unacknowledged result of an attempt again, if there is one."""
        again = [r for r in self._spool.unacked if (r["num"], r["attempt"]) == (num, attempt)]
        self._send_results(again)
        return bool(again)

    def withdrawn(self, sheets: list[list[int]]) -> None:
        """Says which grants were given back; what began before is told first."""
        self.flush()
        self._line.send({"kind": "withdrawn", "sheets": sheets})

    def bye(self) -> None:
        """The last word: everything is ended and nothing was left."""
        self.flush()
        self._line.send({"kind": "bye"})

    def close(self) -> None:
        """Watches nobody any more."""
        self._unwatch()

    def _due(self, more: bool) -> None:
        if not more:
            self._drop_flush_timer()
            self._flush_timer = self._loop.call_later(0.0, self.flush)
        elif self._flush_timer is None:
            self._flush_timer = self._loop.call_later(LINGER_SECONDS, self.flush)

    def flush(self) -> None:
        """Sends what waits."""
        self._drop_flush_timer()
        results, self._results = self._results, []
        for result in results:  # it says itself when it started
            self._started.pop(result["num"], None)
        started, self._started = list(self._started.values()), {}
        self._send_results(results, started)

    def _send_results(self, results: list[Message], started: Sequence[list[Any]] = ()) -> None:
        at = 0
        while at < len(results):
            part = results[at : at + CHUNK]
            part = part[: _fitting(part)]
            at += len(part)
            self._line.send({"kind": "results", "results": part, "started": started})
            started = ()
        if started:
            self._line.send({"kind": "results", "results": [], "started": started})

    def _drop_flush_timer(self) -> None:
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None

    def _resend(self) -> None:
        self._resend_timer = None
        unacked = self._spool.unacked
        if unacked:
            self._send_results(unacked)
            self._resend_timer = self._loop.call_later(RESEND_SECONDS, self._resend)

    # -- inwards

    def ack(self, serials: list[int]) -> None:
        """Those results are on the conductor's disk."""
        self._spool.ack(serials)
        if not self._spool.unacked and self._resend_timer is not None:
            self._resend_timer.cancel()
            self._resend_timer = None

    def welcome(self, pid: int, start_time: int, keeper: Sequence[int] | None = None) -> None:
        """A conductor has taken us on; from now on it is the one we watch."""
        if not self._watch(pid, start_time):
            return
        if self._trust is not None:
            self._trust.kept_by(keeper)
        for timer in (self._orphan_timer, self._hello_timer):
            if timer is not None:
                timer.cancel()
        self._orphan_timer = self._hello_timer = None

    # -- the conductor's life

    def _watch(self, pid: int, start_time: int) -> bool:
        """Watches exactly that process; one that is gone already counts as lost."""
        self._unwatch()
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            self._alone()
            return False
        if procfs.start_time(pid) != start_time:
            os.close(pidfd)
            self._alone()
            return False
        self._pidfd = pidfd
        self._loop.add_reader(pidfd, self._conductor_died)
        return True

    def _unwatch(self) -> None:
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None

    def _conductor_died(self) -> None:
        self._unwatch()
        self._alone()

    def _alone(self) -> None:
        """Nobody has taken us on: hello until somebody does, the end if nobody does in time."""
        if self._orphan_timer is None:
            self._orphan_timer = self._loop.call_later(self._orphan_grace, self._lost)
        self._hello_pause = HELLO_FIRST
        if self._hello_timer is None:
            self._hello_again()

    def _hello_again(self) -> None:
        if self._trust is not None and self._pidfd is None:
            self._trust.look()
        # One that still waits for a connection will do.
        if not (self._hello_waits and self._line.waiting):
            self.hello()
            self._hello_waits = self._line.waiting > 0
        self._hello_timer = self._loop.call_later(self._hello_pause, self._hello_again)
        self._hello_pause = min(self._hello_pause * 2, HELLO_LONGEST)

    def _lost(self) -> None:
        if self._hello_timer is not None:
            self._hello_timer.cancel()
        self._on_lost()

    @property
    def conductor_alive(self) -> bool:
        """Whether the conductor that we watch was alive a moment ago."""
        return self._pidfd is not None
