"""One job on a node: its worker process, started anew when it is lost, and what it leaves ended."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from marianne.executors.frames import Message
from marianne.executors.stream_line import StreamLine
from marianne.executors.warden.child import NOT_BEGUN, work
from marianne.run import confine
from marianne.run.complain import complain
from marianne.run.loop import Loop, Timer
from marianne.run.setup import EXIT_CLEAN

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 30.0
"""Seconds until a worker that was lost is replaced: longer each time that it has said nothing."""

END_MARGIN = 2.0
"""Seconds beyond the grace until a worker that does not end is killed."""


class Post:
    """``heard`` is called with each message of the worker, ``troubled`` with why there is none now,
    ``begun`` when there is one, ``over`` once nothing of the job is left."""

    def __init__(
        self,
        loop: Loop,
        settings: dict[str, Any],
        *,
        heard: Callable[[str, Message], None],
        troubled: Callable[[str, str], None],
        begun: Callable[[], None],
        over: Callable[[str], None],
    ) -> None:
        self.job_id: str = settings["job_id"]
        self.job_dir: str = settings["job_dir"]
        self.pid = 0
        self.ending = False
        self._loop = loop
        self._settings = settings
        self._heard, self._troubled, self._begun, self._over = heard, troubled, begun, over
        self._line: StreamLine | None = None
        self._birth: int = settings["conductor_start_time"]
        self._greeted = False
        self._unheard: list[tuple[int, int]] = []
        self._pause = FIRST_PAUSE
        self._timer: Timer | None = None

    def start(self) -> None:
        """Starts the worker; one that cannot be had now is tried for again later."""
        self._timer = None
        ours, theirs = socket.socketpair()
        try:
            line = StreamLine(ours)
            pid = os.fork()
        except OSError as error:
            ours.close()
            theirs.close()
            self._again(f"its worker cannot be started: {error.strerror}")
            return
        if pid == 0:
            work(theirs, self._settings)
        theirs.close()
        self.pid, self._line, self._greeted = pid, line, False
        self._begun()
        self._loop.add_reader(line.fileno(), self._drain)

    @property
    def working(self) -> bool:
        """Whether there is a worker, or one that is about to say hello."""
        return self._line is not None

    def take_unheard(self) -> list[tuple[int, int]]:
        """The attempts that were sent to a worker that could not begin: none of them has."""
        taken, self._unheard = self._unheard, []
        return taken

    def send(self, message: Message) -> None:
        """To the worker; where there is none it is lost, as on any connection."""
        if self._line is not None:
            if message["kind"] == "run" and not self._greeted:
                self._unheard += [(one["num"], one["attempt"]) for one in message["sheets"]]
            self._line.send(message)
            if message["kind"] in ("cancel", "stop"):
                self._wake()  # one that is stopped could not hear

    def end(
        self, grace: float, category: str, limit: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        """Ends all that runs, then the worker; a second call may hurry it. ``limit`` is that of its
        node's time which it comes to (see :mod:`marianne.run.outlived`)."""
        self.ending = True
        if self._timer is not None:
            self._timer.cancel()
        if not self.pid:
            self._over(self.job_id)
            return
        self.send({"kind": "stop", "grace": grace, "category": category, "limit": dict(limit)})
        self._timer = self._loop.call_later(grace + END_MARGIN, self.kill)

    def kill(self) -> None:
        """At once: what ran below it is swept when it has ended."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)  # our unreaped child

    def ended(self, status: int, owner: str, spare: list[int]) -> None:
        """The worker was reaped with this status; ``spare`` are those of other jobs."""
        self.pid = 0
        self._drain()
        if self._line is not None:
            self._loop.remove_reader(self._line.fileno())
            self._line.close()
            self._line = None
        code = os.waitstatus_to_exitcode(status)
        if code != NOT_BEGUN:
            self._unheard.clear()  # some may have begun: their spool says so
        if code != EXIT_CLEAN or not self.ending:
            confine.sweep_orphans(owner, self.job_id, spare=spare)
        if self.ending:
            if self._timer is not None:
                self._timer.cancel()
            self._over(self.job_id)
        else:
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            self._again(f"its worker ended with {how}")

    def _again(self, why: str) -> None:
        complain(f"job {self.job_id}: {why}")
        self._troubled(self.job_id, why)
        self._timer = self._loop.call_later(self._pause, self.start)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _drain(self) -> None:
        line = self._line
        if line is None:
            return
        for message in line.drain():
            kind = message.get("kind")
            if kind == "failed":  # it could not begin
                self._troubled(self.job_id, message["why"])
                continue
            self._pause = FIRST_PAUSE
            if kind == "hello":
                self._greeted = True
                self._unheard.clear()
                # It watches us from then on, and ends its sheets when we are gone.
                line.send({"kind": "welcome", "pid": os.getpid(), "start_time": self._birth})
            self._heard(self.job_id, message)
        if line.closed:
            self._loop.remove_reader(line.fileno())

    def _wake(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGCONT)
