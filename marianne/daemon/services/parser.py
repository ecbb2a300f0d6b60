"""Reads scores in short-lived child processes with limits.

A score is a stranger's text: parsing and expanding it happens in a child of the forkserver with
bounds on memory and CPU time (:mod:`marianne.score.limits`), so that no score can hurt the
conductor. The child writes the plan into a file and ends; nothing waits for it, its end is a
message.

At most two children read at a time, the other requests wait in line. Only a child that ended by its
own limits says something about its score. One that was killed, or that gets no time to run, is
replaced, a few times; then the asker is told to come again.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack

from actors import Actor, Backoff, ExitReason, Promise
from actors.process import Process, ProcessExit
from marianne.daemon.context import Context
from marianne.daemon.shared.log import get_logger
from marianne.daemon.shared.parsed import EXIT_NO_SPACE, Parsed, ParseRequest
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.shared.storage import refused
from marianne.records import dataclass
from marianne.regular_file import NotRegularError, check_regular
from marianne.run import procfs
from marianne.score import limits

log = get_logger(__name__)

CHILDREN = 2
"""Scores that are read at the same time."""

WAITING = 1_000
"""Requests that wait for a child at most; the next ones are told to come again."""

TRIES = 3
LOOK_SECONDS = 5.0
"""Between two looks at a child. One that used no CPU time in between is stopped, starved, or waits
for a file system that does not answer: another one may fare better."""

WALL_SECONDS = 120.0
"""A child is killed after so long, however it goes on."""

PATIENCE_SECONDS = 90.0
"""How long the asker waits; what waited longer in line is not begun."""

PARSE = "marianne.daemon.services.parse_child:parse_main"
"""By its name: the forkserver has loaded that module, and not this one, which needs a conductor."""

TROUBLE_SECONDS = 30.0
"""How long the conductor says that it is not ready after a request that no child could serve."""


@dataclass(slots=True)
class _Reading:
    """A request on its way. ``key`` is what the score was known by when it came; ``until`` is on
    the monotonic clock."""

    promise: Promise[Parsed]
    request: ParseRequest
    key: Hashable | None
    until: float
    tries: int = 0


@dataclass(slots=True)
class _Child:
    """A reading at work: where its answer will lie, and the CPU ticks it had used at a look.

    ``reading`` is None once the child was killed and does not end: the kernel holds it until a file
    system answers. Its place stays taken.
    """

    reading: _Reading | None
    answer: Path
    began: float
    ticks: int | None = None
    killed: str | None = None


class Parser(Actor):
    """Hands scores to child processes; a crash here fails the submits under way, which retry."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._numbers = itertools.count(1)
        self._line: deque[_Reading] = deque()
        self._children: dict[Process, _Child] = {}
        self._backoff = Backoff(min=0.1, max=2.0)
        self._trouble = 0

    def on_start(self) -> None:
        """Clears what a crash left; the directory is only ours."""
        self._directory = self._context.home.path / "parse"
        self._directory.mkdir(mode=0o700, exist_ok=True)
        for left in self._directory.iterdir():
            try:
                left.unlink()
            except OSError as error:
                log.warning("parse_file_left", path=str(left), error=str(error))

    def on_stop(self, reason: ExitReason) -> None:
        """Ends the children: nobody would take their answers, and the next parser has its own."""
        for process in self._children:
            process.kill()

    def load(self, request: ParseRequest) -> Promise[Parsed]:
        """Answers the plan, or fails with :class:`Refused`: ``invalid_score`` with its problems,
        or ``unavailable`` where no child could read it."""
        promise: Promise[Parsed] = self.promise()
        if request.text is None and request.path is not None:
            _refuse_irregular(request.path)
        if len(self._line) >= WAITING:
            raise Refused("unavailable", f"{WAITING:,} scores wait to be read already")
        key = self._context.scores.key(request)
        request = replace(request, settings=self._context.score_settings)
        until = self.system.runtime.monotonic() + PATIENCE_SECONDS
        self._line.append(_Reading(promise, request, key, until))
        self._begin_next()
        return promise

    def again(self, reading: _Reading) -> None:
        """The pause before another try is over."""
        self._line.appendleft(reading)
        self._begin_next()

    def look(self, process: Process) -> None:
        """Kills a child that stands still, or takes too long; its end decides what comes next."""
        child = self._children.get(process)
        if child is None:
            return
        self.send_after(LOOK_SECONDS, self.look, process)
        if child.killed:
            self._stuck(child)
            return
        ticks = procfs.cpu_ticks(process.pid)
        if ticks is not None and ticks == child.ticks:
            child.killed = f"it got no time to run for {LOOK_SECONDS:g} s"
        elif self.system.runtime.monotonic() - child.began > WALL_SECONDS:
            child.killed = f"it took longer than {WALL_SECONDS:g} s"
        child.ticks = ticks
        if child.killed:
            process.kill()

    def on_process_exit(self, process: Process, ending: ProcessExit) -> None:
        """The child's file says what it found; without one its end says whose fault that is."""
        child = self._children.pop(process)
        try:
            answer = msgpack.unpackb(child.answer.read_bytes())
            child.answer.unlink(missing_ok=True)
        except (OSError, ValueError):
            answer = None
        if child.reading is not None and answer is None:
            self._without_answer(child.reading, child, ending)
        elif child.reading is not None:
            self._answered(child.reading, answer)
        self._begin_next()

    def forget_trouble(self, number: int) -> None:
        """Nothing of the kind since: scores can be read, as far as is known."""
        if number == self._trouble:
            self._context.unreadable = None

    def _stuck(self, child: _Child) -> None:
        """A child that was killed goes on: its asker, and with no place left all, are told."""
        reading, child.reading = child.reading, None
        if reading is not None:
            self._try_again(reading, f"{child.killed}, and cannot be ended")
        if self._full_of_stuck():
            self._say_unreadable("the processes that read scores cannot be ended")
            while self._line:
                self._give_up(self._line.popleft(), "no place is free: none can be ended")

    def _say_unreadable(self, text: str) -> None:
        self._trouble += 1
        self._context.unreadable = text
        self.send_after(TROUBLE_SECONDS, self.forget_trouble, self._trouble)

    def _full_of_stuck(self) -> bool:
        stuck = [child for child in self._children.values() if child.reading is None]
        return len(stuck) == CHILDREN

    # -- one reading ----------------------------------------------------------------------------

    def _begin_next(self) -> None:
        while self._line and len(self._children) < CHILDREN:
            reading = self._line.popleft()
            if self.system.runtime.monotonic() < reading.until:
                self._begin(reading)
            else:
                self._give_up(reading, "it waited too long for its turn")

    def _begin(self, reading: _Reading) -> None:
        answer = self._directory / f"{next(self._numbers)}"
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            process = self._context.system.processes.start(
                PARSE, (reading.request, str(answer)), name="marianne-parse"
            )
        except (OSError, EOFError) as error:  # no room for a process, or the forkserver is ending
            self._try_again(reading, f"it could not start: {error!r}")
            return
        self._children[process] = _Child(reading, answer, self.system.runtime.monotonic())
        self.watch(process)
        self.send_after(LOOK_SECONDS, self.look, process)

    def _without_answer(self, reading: _Reading, child: _Child, ending: ProcessExit) -> None:
        if limits.ended_by_limit(ending.exit_code, ending.signal):
            reading.promise.fail(Refused("invalid_score", limits.WORDS, hint=limits.HINT))
        elif ending.exit_code == EXIT_NO_SPACE:
            reading.promise.fail(refused(f"no space in {self._directory}"))
        else:
            self._try_again(reading, child.killed or _words(ending))

    def _answered(self, reading: _Reading, answer: dict[str, Any]) -> None:
        self._context.unreadable = None
        if "fault" in answer:
            log.error("parse_failed", error=answer["fault"])
            text = f"the conductor failed on this score: {answer['fault'].splitlines()[-1]}"
            hint = "its log says more: `marianne logs`"
            reading.promise.fail(Refused("internal", text, hint=hint))
        elif "problems" in answer:
            reading.promise.fail(_invalid(answer["message"], answer["problems"]))
        else:
            parsed = Parsed(**answer)
            scores = self._context.scores
            if parsed.repeatable and reading.key == scores.key(reading.request):
                scores.keep(reading.key, parsed)
            reading.promise.set(parsed)

    def _try_again(self, reading: _Reading, why: str) -> None:
        reading.tries += 1
        log.warning("parse_child_lost", why=why, tries=reading.tries)
        if reading.tries < TRIES:
            delay = self._backoff.delay(reading.tries - 1, str(self._directory))
            self.send_after(delay, self.again, reading)
        else:
            self._give_up(reading, why)

    def _give_up(self, reading: _Reading, why: str) -> None:
        text = f"the process that reads scores could not do its work: {why}"
        self._say_unreadable(text)
        reading.promise.fail(Refused("unavailable", text, hint="nothing was done; try again"))


def _refuse_irregular(path: str) -> None:
    """Refuses what it is no use to open; anything else that is wrong the child says."""
    try:
        check_regular(path)
    except NotRegularError as error:
        text = f"{path}: {error.strerror}"
        raise _invalid(text, [{"file": path, "message": str(error.strerror)}]) from None
    except (OSError, ValueError):
        pass


def _invalid(message: str, problems: list[dict[str, Any]]) -> Refused:
    hint = "run `marianne validate` on the file"
    return Refused("invalid_score", message, hint=hint, data={"problems": problems})


def _words(ending: ProcessExit) -> str:
    if ending.signal is not None:
        return f"it was ended by signal {ending.signal}"
    return "it ended without an answer" + (
        "" if ending.exit_code is None else f", exit code {ending.exit_code}"
    )
