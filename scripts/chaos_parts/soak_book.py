"""What customers, operator and striker write down while a soak runs. For many threads."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from soak_ledger import Attempt, Violation
from soak_orders import MAYBE, NO, OVER, Order
from soak_places import Process

SLACK = 3_000_000_000
"""Nanoseconds within which a worker that can run writes down what a sheet ended with."""


@dataclass
class Strike:
    """A fault that struck, or a command that ran: from ``begin`` to ``end`` (monotonic ns)."""

    begin: int
    kind: str
    text: str
    pid: int = 0
    end: int = 0

    def touches(self, begin: int, end: int) -> bool:
        """Whether it was at work at some moment between the two."""
        return self.begin <= end and (self.end or time.monotonic_ns()) >= begin


@dataclass
class Book:
    """The campaign's memory. ``over``: the last end that was seen of a job; ``clients``: pids of
    customers' own processes; ``seen``: every process of the home, by its pid; ``told``: the
    last event of a job; ``cancelling``: somebody cancels all jobs just now;
    ``lag``: the most nanoseconds that a thread of ours had to wait for its turn: others may have
    waited as long."""

    orders: dict[str, Order] = field(default_factory=dict)
    strikes: list[Strike] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    over: dict[str, str] = field(default_factory=dict)
    clients: set[int] = field(default_factory=set)
    seen: dict[int, Process] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)
    cancelling: bool = False
    lag: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    def count(self, what: str, more: int = 1) -> None:
        with self.lock:
            self.counts[what] += more

    def order(self, order: Order) -> Order:
        with self.lock:
            self.orders[order.job] = order
            order.cancel = self.no_cancel()
            return order

    def no_cancel(self) -> str:
        """What a job's owner knows who did not cancel it himself."""
        return MAYBE if self.cancelling else NO

    def struck(self, kind: str, text: str, pid: int = 0, seconds: float = 0.0) -> Strike:
        """Notes a strike that begins now; without ``seconds`` it is over at once."""
        now = time.monotonic_ns()
        strike = Strike(now, kind, text, pid, now + int(seconds * 1e9))
        with self.lock:
            self.strikes.append(strike)
        return strike

    def wrong(self, *violations: Violation) -> None:
        now = time.monotonic_ns()
        if self._inherited_limit(violations, now):
            self.count("excused: a sheet that inherited a file size")
            return
        with self.lock:
            for found in violations:
                at = found.at or now
                self.violations.append(
                    Violation(
                        found.rule, found.text, found.job, found.sheet, at,
                        (*found.evidence, *self.before(at)),
                    )
                )  # fmt: skip

    def _inherited_limit(self, found: tuple[Violation, ...], now: int) -> bool:
        """Whether a sheet ended of the file size that we set for the conductor or its heart: who is
        made meanwhile has it, a worker and its sheets, too."""
        told = any("SIGXFSZ" in line for one in found for line in one.evidence)
        with self.lock:
            return told and any(
                strike.kind == "limit"
                and "file size" in strike.text
                and strike.touches(now - 20 * SLACK, now)
                for strike in self.strikes
            )

    def before(self, at: int, most: int = 8) -> list[str]:
        """The last strikes before a moment, as lines of evidence; of all at once only one."""
        with self.lock:
            wishes = ("cancel", "hold")
            known = [strike for strike in self.strikes if strike.kind not in wishes]
        some = [
            strike
            for strike in known
            if strike.begin <= at
            and (strike.kind != "at once" or strike.text.startswith("conductor"))
        ][-most:]
        return [
            f"{(strike.begin - at) / 1e9:+.2f} s: {strike.kind} {strike.text}"
            + (f" pid {strike.pid}" if strike.pid else "")
            for strike in some
        ]

    def quiet(self, begin: int, end: int) -> bool:
        """Whether nothing was at work between the two, nor shortly before."""
        with self.lock:
            others = (strike for strike in self.strikes if strike.kind != "hold")
            return not any(strike.touches(begin - SLACK, end) for strike in others)

    def unreadable(self) -> bool:
        """Whether the disk gave read errors just now: SQLite takes these for damage."""
        now = time.monotonic_ns()
        with self.lock:
            return any(
                strike.kind == "disk"
                and "unreadable" in strike.text
                and strike.touches(now - 5 * SLACK, now)
                for strike in self.strikes
            )

    def open_orders(self) -> list[Order]:
        with self.lock:
            return [
                order
                for order in self.orders.values()
                if order.job not in self.over and not order.cleared
            ]

    def cancel_all(self) -> list[Order]:
        """Somebody cancels all jobs: what is open may end so. The orders that were open."""
        with self.lock:
            self.cancelling = True
            found = self.open_orders()
            for order in found:
                order.cancel = MAYBE if order.cancel == NO else order.cancel
                order.said.append("operator: stop --cancel")
            return found

    def ended(self, job: str, status: str) -> bool:
        """Notes the end of a job; whether it is news."""
        with self.lock:
            news = self.over.get(job) != status
            if status in OVER:
                self.over[job] = status
            return news

    def reopened(self, job: str) -> None:
        with self.lock:
            self.over.pop(job, None)

    def excused(self, attempt: Attempt, until: int) -> bool:
        """Whether the result of an attempt that worked may have been lost before it was written:
        its worker died, stood still or could not write, or it was ended between its last line and
        its exit."""
        assert attempt.end is not None
        begin, end = attempt.end.at, min(attempt.end.at + SLACK + 3 * self.lag, until)
        with self.lock:
            return any(self._excuse(strike, attempt, begin, end) for strike in self.strikes)

    def _excuse(self, strike: Strike, attempt: Attempt, begin: int, end: int) -> bool:
        if strike.pid == attempt.start.worker:
            # A process that was killed runs on until it has its turn, and so does what it began.
            return strike.touches(attempt.start.at - SLACK, end)
        if strike.kind in ("cancel", "hold"):
            return strike.text == attempt.start.job and strike.touches(begin, end)
        stop = strike.kind == "command" and strike.text.startswith("stop")
        others = ("disk", "limit", "spool")
        return (stop or strike.kind in others) and strike.touches(begin, end)
