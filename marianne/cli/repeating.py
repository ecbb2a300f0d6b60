"""Running a score again whenever files change: ``marianne watch``."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from marianne.cli import jobs
from marianne.cli.changes import Watched, look
from marianne.cli.commands.cancel import CANCEL_SECONDS
from marianne.cli.errors import CliError, unexpected
from marianne.cli.render.out import clean, note, print_json, say
from marianne.cli.render.problems import print_error, print_warnings
from marianne.cli.session import Session
from marianne.cli.submitting import submit
from marianne.records import dataclass

if TYPE_CHECKING:
    from marianne.replies.job import Job

T = TypeVar("T")
Overlap = Literal["queue", "skip", "replace"]
Step = Literal["run", "cancel", "wait", "forget"]

NAMED = 3
"""Changed files that a line names."""

WAITED_OUT = ("no_conductor", "timeout", "deadline", "unavailable", "shutting_down")
"""What keeps the end of a job from being heard of for a while."""

PATIENCE = 1.0
"""Seconds until it is asked for again."""

LOOK_SECONDS = 1.0
"""How long a Ctrl-C may wait that came in an unlucky moment."""


def next_step(overlap: Overlap, *, runs: bool, cancelling: bool) -> Step:
    """What a change leads to: a job now, the end of the one that runs (then a job), a job after
    that one, or nothing."""
    if not runs:
        return "run"
    if overlap == "replace":
        return "wait" if cancelling else "cancel"
    return "wait" if overlap == "queue" else "forget"


@dataclass
class Repeating:
    """The jobs of one ``watch``, one at a time.

    ``params`` are those of each ``job.submit``. All that happens (changes, an end, a watch that
    failed) comes through one queue, so that there is one thread that decides.
    """

    session: Session
    params: dict[str, Any]
    overlap: Overlap
    may_start: bool
    as_json: bool
    news: queue.SimpleQueue[Callable[[], None]] = field(default_factory=queue.SimpleQueue)
    job_id: str | None = None
    workspace: str | None = None
    cancelling: bool = False
    again: bool = False

    def play(self, watched: Watched, quiet: float, at_once: bool) -> None:
        """Runs at once, if wanted, and at each change, until Ctrl-C. Raises CliError."""
        look(
            watched,
            quiet,
            lambda paths: self.news.put(lambda: self._changed(watched, paths)),
            lambda error: self.news.put(lambda: _raise(error)),
        )
        try:
            if at_once:
                self._run(watched)
            while True:
                self._heard()()
        except KeyboardInterrupt:
            goes_on = f"; {self.job_id} goes on" if self.job_id else ""
            raise CliError("interrupted", f"watched no longer{goes_on}", self._way()) from None

    def _heard(self) -> Callable[[], None]:
        """The next news. A Ctrl-C right before the wait would not end it (see cli/feed.py)."""
        while True:
            with suppress(queue.Empty):
                return self.news.get(timeout=LOOK_SECONDS)

    def _way(self) -> str | None:
        return f"end it: marianne cancel {self.job_id}" if self.job_id else None

    def _changed(self, watched: Watched, paths: list[str]) -> None:
        ours = [str(self.session.home.path), *([self.workspace] if self.workspace else [])]
        paths = [path for path in paths if watched.counts(path, ours)]
        if not paths:
            return
        step = next_step(self.overlap, runs=self.job_id is not None, cancelling=self.cancelling)
        self._tell_changes(paths, step)
        self.again = self.again or step in ("cancel", "wait")
        if step == "run":
            self._run(watched)
        elif step == "cancel":
            self._cancel()

    def _run(self, watched: Watched) -> None:
        """A new job. What refuses it (a score that is just being written) is told; the next
        change tries again."""
        try:
            answer = submit(self.session, self.params, may_start=self.may_start)
        except CliError as error:
            self._tell_error(error)
            return
        job_id = answer["job_id"]
        self.job_id, self.workspace, self.cancelling = job_id, None, False
        if self.as_json:
            print_json({"event": "submitted", **answer}, stream=True)
        else:
            print_warnings(answer["warnings"])
            say(clean(f"{job_id}: {answer['message']}"))
        try:
            self.workspace = self._workspace_of(job_id)
        except CliError as error:  # it is gone already
            self.job_id = None
            self._tell_error(error)
            return
        if not watched.sees([self.workspace]):
            note(
                f"note: all that is watched lies in the workspace {clean(self.workspace)}, where"
                " only changes of what is named count: marianne watch SCORE PATHS"
            )
        threading.Thread(target=self._await, args=(job_id, watched), daemon=True).start()

    def _workspace_of(self, job_id: str) -> str:
        """Where the job works; from a conductor that is away, when it is back."""
        params = {"job_id": job_id, "sheets": [1, 1]}
        return _patiently(lambda: self.session.request("job.status", params))["workspace"]

    def _await(self, job_id: str, watched: Watched) -> None:
        """In a thread of its own: brings the job's end. A conductor that is away is waited for."""
        try:
            ended = _patiently(lambda: jobs.wait_for_end(self.session, job_id))
        except CliError as error:
            self.news.put(partial(self._lost, error, watched))
        except Exception as error:  # noqa: BLE001 - a watch that hears of no end runs nothing more
            self.news.put(partial(self._lost, unexpected(error), watched))
        else:
            self.news.put(partial(self._ended, ended, watched))

    def _ended(self, status: Job, watched: Watched) -> None:
        self.job_id = None
        if self.as_json:
            print_json({"event": "ended", **status}, stream=True)
        else:
            from marianne.cli.render.summary import print_summary

            print_summary(self.session, status)
        self._next(watched)

    def _lost(self, error: CliError, watched: Watched) -> None:
        """The job's end cannot be heard of any more: it was cleared, or its home is gone."""
        self.job_id = None
        self._tell_error(error)
        self._next(watched)

    def _next(self, watched: Watched) -> None:
        if self.again:
            self.again = False
            self._run(watched)

    def _cancel(self) -> None:
        try:
            one = {"ids": [self.job_id], "all": False, "statuses": []}
            self.session.request("job.cancel", one, deadline=CANCEL_SECONDS)
            self.cancelling = True
        except CliError as error:
            self._tell_error(error)  # it may have ended meanwhile; else the change waits for that

    def _tell_changes(self, paths: list[str], step: Step) -> None:
        if self.as_json:
            print_json({"event": "changed", "paths": paths, "step": step}, stream=True)
            return
        more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
        what = {
            "run": "",
            "cancel": f": cancelling {self.job_id}",
            "wait": f": after {self.job_id}",
            "forget": f": passed over, {self.job_id} runs",
        }[step]
        named = ", ".join(os.path.relpath(path) for path in paths[:NAMED])
        say(clean(f"changed: {named}{more}{what}"))

    def _tell_error(self, error: CliError) -> None:
        if self.as_json:
            print_json({"event": "refused", **error.to_map()}, stream=True)
        else:
            print_error(error)


def _patiently(ask: Callable[[], T]) -> T:
    """What it answers; a conductor that is away is waited for."""
    while True:
        try:
            return ask()
        except CliError as error:
            if error.code not in WAITED_OUT:
                raise
        time.sleep(PATIENCE)


def _raise(error: CliError) -> None:
    raise error
