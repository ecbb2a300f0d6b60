"""A job's worker, both halves: its actor in the conductor, and its process beyond the link.

They stand in. The actor (:class:`Worker`) keeps in step with ``marianne/daemon/worker/actor.py``:
when it asks for a hello and under which number, what it tells the job, and when what it had told
the process is told again (:class:`Outbox` and :class:`Announcement` are the real ones). It starts,
records and sweeps no process, and looks for silence only when it is told to. The process
(:class:`Process`) keeps in step with ``marianne/run/worker.py``: which grant is an echo, who begins
next, what is given back, what a hello says. It runs nothing: its sheets end when the walk says so,
and its link does not gather.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from crossing_mail import Mail, Resident

from marianne.daemon.worker.announcing import Announcement
from marianne.executors.outbox import Outbox
from marianne.executors.protocol import Run
from marianne.model.plan import Growth
from marianne.model.result import AttemptResult, lost

TOOK = 0.001
"""Seconds that each attempt takes."""


class Worker(Resident):
    """The actor ``job:<id>/worker``."""

    def __init__(self, mail: Mail, job_id: str, *, taken_over: bool = False) -> None:
        self._mail, self._job_id = mail, job_id
        self._taken_over = taken_over
        self._round = 0
        self._heard = self._ran = self._hurried = False
        self._untaken = Outbox()
        self._announcement = Announcement(partial(self._tell, "worker_up"), self._untaken)
        self._announcement.recorded = True

    def on_start(self) -> None:
        """A process that was taken over is connected, and says no hello by itself."""
        if self._taken_over:
            self._round = 1_000_000 + self._mail.serial()
            self._ask()

    # -- from the job actor ---------------------------------------------------------------------

    def report(self, asker: int) -> None:
        """As in the real one."""
        self._announcement.ask(asker)
        if self._heard or self._ran:
            self._announcement.doubt()
            self._round += 1
            self._ask()
        self._announcement.give()

    def run(self, runs: Sequence[Run], slots: int | None = None) -> None:
        """As in the real one."""
        self._ran = True
        message = {"kind": "run", "slots": slots, "sheets": [run.to_map() for run in runs]}
        self._untaken.run(message)
        self._send(message)

    def grow(self, growths: Sequence[Growth]) -> None:
        """As in the real one."""
        for message in self._untaken.grow(growths):
            self._send(message)

    def end_sheets(self, nums: Sequence[int], category: str) -> None:
        """As in the real one; nobody waits for the process to listen."""
        cancel = {"kind": "cancel", "sheets": list(nums), "category": category}
        self._untaken.cancel(cancel)
        self._send(cancel)
        if (self._heard or self._ran) and not self._hurried:
            self._hurried = True
            self._hurry()

    def withdraw(self) -> None:
        """As in the real one."""
        self._untaken.withdraw()
        self._send({"kind": "withdraw"})

    def acknowledge(self, serials: Sequence[int]) -> None:
        """As in the real one."""
        self._send({"kind": "ack", "serials": list(serials)})

    def finish(self) -> None:
        """The process ends whatever it has read; its end comes behind its last words."""
        process = self._mail.resident(f"{self._job_id}/process")
        assert isinstance(process, Process)
        process.stop()
        self._mail.tell(f"{self._job_id}/worker", "ended")

    def ended(self) -> None:
        """The process is gone, of itself."""
        self._mail.tell(f"{self._job_id}/job", "worker_finished")

    # -- from the process -----------------------------------------------------------------------

    def received(self, kind: str, message: dict[str, Any]) -> None:
        """As in the real one."""
        if kind == "hello":
            self._greeted(message, answers=message["round"] == self._round)
        elif kind == "results":
            self._untaken.heard(message["results"], message["started"])
            self._tell("results", message["results"], message["started"])
        elif kind == "withdrawn":
            self._untaken.withdrawn()
            self._tell("withdrawn", message["sheets"])
        if self._hurried and not self._untaken.ending:
            self._hurried = False

    def _greeted(self, hello: dict[str, Any], *, answers: bool) -> None:
        self._heard = True
        asked = self._announcement.awaited
        if answers:
            self._announcement.learn(hello)
            self._announcement.give()
        elif asked:
            self._ask()
        if not asked:
            for message in self._untaken.again(hello):
                self._send(message)

    # -- small parts ----------------------------------------------------------------------------

    def look(self) -> None:
        """Its timer's look at a process that says nothing."""
        if self._hurried:
            self._hurry()
        else:
            self._ask()

    def _hurry(self) -> None:
        self._round += 1
        self._ask()

    def _ask(self) -> None:
        self._send({"kind": "report", "round": self._round})

    def _send(self, message: dict[str, Any]) -> None:
        self._mail.tell(f"{self._job_id}/process", "handle", message)

    def _tell(self, method: str, *args: Any) -> None:
        self._mail.tell(f"{self._job_id}/job", method, *args)


@dataclass(slots=True, eq=False)
class Attempt:
    """One that was granted. ``over``: it has ended, or was given back."""

    num: int
    attempt: int
    ahead: bool
    begun: bool = False
    over: bool = False

    @property
    def names(self) -> list[int]:
        """As a hello names it."""
        return [self.num, self.attempt]


class Process(Resident):
    """The process. ``begun`` are (sheet, attempt) pairs that an earlier one had begun when it was
    lost, ``unacked`` the results that it left in the spool."""

    def __init__(
        self,
        mail: Mail,
        job_id: str,
        begun: Iterable[tuple[int, int]] = (),
        unacked: Iterable[dict[str, Any]] = (),
    ) -> None:
        self._mail, self._job_id = mail, job_id
        self.unacked = list(unacked)
        self.live: dict[int, Attempt] = {}
        self.stopping = False
        self._queue: deque[Attempt] = deque()
        self._running = 0
        self._slots: int | None = None
        self._lost = tuple(begun)
        self._newest: dict[int, int] = {}

    def on_start(self) -> None:
        """It tells what was lost, and says hello."""
        for num, attempt in self._lost:
            now = self._mail.clock.now
            self._spool(lost(num, attempt, now, now).to_map())
        self._newest = {result["num"]: result["attempt"] for result in self.unacked}
        self._hello(0)

    @property
    def begun(self) -> list[Attempt]:
        """What runs."""
        return [attempt for attempt in self.live.values() if attempt.begun]

    # -- from the walk --------------------------------------------------------------------------

    def end(self, num: int, outcome: str, category: str | None, **fields: Any) -> None:
        """An attempt is over; what waits for its slot begins."""
        attempt = self.live.pop(num)
        attempt.over = True
        if attempt.begun:
            self._running -= 1
        now = self._mail.clock.now
        result = AttemptResult(
            num, attempt.attempt, outcome, now, now + TOOK, category=category, **fields
        )
        self._spool(result.to_map())
        self._pump()

    def say_again(self) -> None:
        """Its timer's look at what nobody has acknowledged."""
        self._say("results", results=list(self.unacked), started=[])

    # -- from the conductor ---------------------------------------------------------------------

    def handle(self, message: dict[str, Any]) -> None:
        """As in the real one; what is not understood ends the walk."""
        kind = message["kind"]
        if kind == "run":
            self._grant(message)
        elif kind == "cancel":
            for num in message["sheets"]:
                if num in self.live:
                    self._end_for_us(num, message["category"])
        elif kind == "withdraw":
            self._say("withdrawn", sheets=self._give_back())
        elif kind == "ack":
            serials = message["serials"]
            self.unacked = [one for one in self.unacked if one["serial"] not in serials]
        elif kind == "report":
            self._hello(message["round"])

    def stop(self) -> None:
        """Ends all that is left."""
        self.stopping = True
        self._give_back()
        self._queue.clear()
        for num in list(self.live):
            self._end_for_us(num, "cancelled")

    def _end_for_us(self, num: int, category: str) -> None:
        counts = category == "resource_limit"
        self.end(num, "failed" if counts else "interrupted", category)

    def _grant(self, message: dict[str, Any]) -> None:
        self._slots = message["slots"]
        granted: list[Attempt] = []
        for run in message["sheets"]:
            num, attempt = run["num"], run["attempt"]
            if attempt <= self._newest.get(num, 0) or self.stopping:
                self._tell_end_of(num, attempt)
                continue
            assert num not in self.live, f"sheet {num} already runs; attempt {attempt} comes twice"
            self._newest[num] = attempt
            self.live[num] = made = Attempt(num, attempt, run["ahead"])
            (self._queue if made.ahead else granted).append(made)
        self._queue.extendleft(reversed(granted))
        self._pump()

    def _tell_end_of(self, num: int, attempt: int) -> None:
        again = [one for one in self.unacked if (one["num"], one["attempt"]) == (num, attempt)]
        if again:
            self._say("results", results=again, started=[])

    def _give_back(self) -> list[list[int]]:
        back = [attempt for attempt in self._queue if attempt.ahead]
        for attempt in back:
            self._queue.remove(attempt)
            del self.live[attempt.num]
            attempt.over = True
            self._newest[attempt.num] = attempt.attempt - 1
        return [attempt.names for attempt in back]

    def _pump(self) -> None:
        while self._queue and (self._slots is None or self._running < self._slots):
            attempt = self._queue.popleft()
            if not attempt.over:
                attempt.begun = True
                self._running += 1
                started = [*attempt.names, self._mail.clock.now, []]
                self._say("results", results=[], started=[started])

    # -- what it says ---------------------------------------------------------------------------

    def _hello(self, answers: int) -> None:
        running: list[list[int]] = []
        queued: list[list[int]] = []
        for attempt in self.live.values():
            where = queued if attempt.ahead and not attempt.begun else running
            where.append(attempt.names)
        said = {"running": running, "queued": queued, "unacked": list(self.unacked), "ended": []}
        self._say("hello", **said, round=answers)

    def _spool(self, result: dict[str, Any]) -> None:
        result["serial"] = self._mail.serial()
        self.unacked.append(result)
        self._say("results", results=[result], started=[])

    def _say(self, kind: str, **fields: Any) -> None:
        self._mail.tell(f"{self._job_id}/worker", "received", kind, fields)
