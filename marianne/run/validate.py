"""The checks that a sheet's work must pass, run after it and confined like it.

Stages go in order and the first failing one is the last: the checks after it are not reached. All
checks of a stage are made, so that a person sees everything that is wrong. A failing check with
looks left is looked at again after its delay, the failing ones of a stage together, while the
loop goes on with other sheets.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from marianne.model.plan import ValidationRule
from marianne.model.result import ValidationOutcome
from marianne.run.acceptable import tidy
from marianne.run.loop import Loop, Timer
from marianne.run.time_limit import TimeUp, time_limit
from marianne.score.condition import applies
from marianne.score.placeholders import fill, fill_command

# A pattern is matched against whole files in memory, by an engine that can take exponential time.
MAX_MATCHED_BYTES = 64 * 2**20
MATCH_SECONDS = 2.0
DETAIL_CHARS = 500
# So long checks are made in a row before others have their turn.
TURN_SECONDS = 0.1

Fingerprint = tuple[int, int, int]
Answer = Callable[[bool, str], None]
# Starts a check's command: (command line for bash, working directory, time limit, answer).
RunCommand = Callable[[str, str, float, Answer], None]


class Checks:
    """One round of validations. Create it before the attempt, for the files' state until then."""

    def __init__(
        self,
        rules: Sequence[ValidationRule],
        names: Mapping[str, Any],
        workspace: str,
        loop: Loop,
        run_command: RunCommand,
    ) -> None:
        self._rules = rules
        self._names = names
        self._workspace = workspace
        self._loop = loop
        self._run_command = run_command
        self._outcomes: dict[int, ValidationOutcome] = {}
        self._looks = [rule.retry_count for rule in rules]
        self._timer: Timer | None = None
        self._on_done: Callable[[tuple[ValidationOutcome, ...]], None] | None = None
        self._before = {
            i: _fingerprint(self._path(rule))
            for i, rule in enumerate(rules)
            if rule.type == "file_modified"
        }

    def changed_since(self, when: float) -> None:
        """For work that was done before: a file counts as modified that was written from ``when``
        (seconds since the epoch) on."""
        for i, found in self._before.items():
            if found is not None and found[0] >= when * 1e9:
                self._before[i] = None

    def start(self, on_done: Callable[[tuple[ValidationOutcome, ...]], None]) -> None:
        """Makes the checks; ``on_done`` gets one outcome for each rule, in their order."""
        self._on_done = on_done
        for i, rule in enumerate(self._rules):
            if not applies(rule.condition, self._names):
                self._outcomes[i] = ValidationOutcome(rule.type, None, "does not apply")
        self._next_stage()

    def cancel(self) -> None:
        """Makes no further check and calls nobody; a running command is its starter's to end."""
        self._on_done = None
        if self._timer is not None:
            self._timer.cancel()

    # -- stages

    def _next_stage(self) -> None:
        if self._on_done is None:
            return
        open_stages = {r.stage for i, r in enumerate(self._rules) if i not in self._outcomes}
        failed = any(outcome.passed is False for outcome in self._outcomes.values())
        if failed or not open_stages:
            done, self._on_done = self._on_done, None
            done(tuple(self._outcome(i) for i in range(len(self._rules))))
            return
        stage = min(open_stages)
        self._go_on([i for i, r in enumerate(self._rules) if r.stage == stage])

    def _outcome(self, i: int) -> ValidationOutcome:
        unreached = ValidationOutcome(self._rules[i].type, None, "not reached")
        return self._outcomes.get(i, unreached)

    def _go_on(self, todo: list[int]) -> None:
        """Makes the checks of ``todo``; a command answers later and goes on from there.

        Between those that take long the loop has a turn: it may have to hear of a cancel.
        """
        begun = time.monotonic()
        while todo and self._on_done is not None:
            i, todo = todo[0], todo[1:]
            done = self._outcomes.get(i)
            if done is not None and done.passed is not False:
                continue
            rule = self._rules[i]
            if rule.type == "command_succeeds":
                self._check_command(i, todo)
                return
            self._note(i, *self._check_file(i, rule))
            if todo and time.monotonic() - begun >= TURN_SECONDS:
                self._timer = self._loop.call_later(0.0, partial(self._go_on, todo))
                return
        self._look_again()

    def _note(self, i: int, passed: bool, detail: str) -> None:
        said = tidy(detail[:DETAIL_CHARS]) or ""
        self._outcomes[i] = ValidationOutcome(self._rules[i].type, passed, said)

    def _look_again(self) -> None:
        again = [i for i, o in self._outcomes.items() if o.passed is False and self._looks[i] > 0]
        if not again:
            self._next_stage()
            return
        for i in again:
            self._looks[i] -= 1
        delay = max(self._rules[i].retry_delay_ms for i in again) / 1000
        self._timer = self._loop.call_later(delay, lambda: self._go_on(again))

    # -- the six kinds

    def _check_command(self, i: int, rest: list[int]) -> None:
        rule = self._rules[i]
        folder = fill(rule.working_directory or "", self._names)

        def answer(passed: bool, detail: str) -> None:
            self._note(i, passed, detail)
            self._go_on(rest)

        self._run_command(
            fill_command(rule.command or "", self._names),
            os.path.join(self._workspace, folder),
            rule.timeout_seconds,
            answer,
        )

    def _check_file(self, i: int, rule: ValidationRule) -> tuple[bool, str]:
        path = self._path(rule)
        shown = os.path.relpath(path, self._workspace) if _below(path, self._workspace) else path
        if rule.type in ("file_exists", "dir_exists"):
            return _exists(path, shown, directory=rule.type == "dir_exists")
        if rule.type == "file_modified":
            now = _fingerprint(path)
            if now is None:
                return False, f"{shown} does not exist"
            if now == self._before[i]:
                return False, f"{shown} was not changed by this attempt"
            return True, shown
        try:
            text = _read_text(path)
        except OSError as error:
            return False, f"{shown}: {error.strerror or error}"
        pattern = fill(rule.pattern or "", self._names)
        if rule.type == "content_contains":
            return (True, shown) if pattern in text else (False, f"{shown} lacks {pattern!r}")
        if rule.type == "content_regex":
            return _search(pattern, text, shown)
        return False, f"unknown validation type {rule.type}"

    def _path(self, rule: ValidationRule) -> str:
        return os.path.join(self._workspace, fill(rule.path or "", self._names))


def _exists(path: str, shown: str, *, directory: bool) -> tuple[bool, str]:
    """Whether there is a directory, or a file of any kind that is none."""
    if not os.path.exists(path):
        return False, f"{shown} does not exist"
    if os.path.isdir(path) == directory:
        return True, shown
    return False, f"{shown} is no directory" if directory else f"{shown} is a directory"


def _below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")


def _fingerprint(path: str) -> Fingerprint | None:
    """What changes when a file is written or replaced; None when there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read_text(path: str) -> str:
    """A regular file's content; what is no UTF-8 is replaced. A FIFO would never end."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(0, "is not a regular file")
        if found.st_size > MAX_MATCHED_BYTES:
            raise OSError(0, f"is larger than {MAX_MATCHED_BYTES >> 20} MiB; use command_succeeds")
        return file.read().decode("utf-8", "replace")


def _search(pattern: str, text: str, shown: str) -> tuple[bool, str]:
    try:
        with time_limit(MATCH_SECONDS):
            found = re.search(pattern, text, re.MULTILINE)
    except TimeUp:
        return False, f"{shown}: matching {pattern!r} took over {MATCH_SECONDS:g} s"
    except re.error as error:
        return False, f"{pattern!r} is no regular expression: {error}"
    return (True, shown) if found else (False, f"{shown} does not match {pattern!r}")
