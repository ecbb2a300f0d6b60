"""Looking again at work that failed: the checks of sheets, without running their programs.

A process of its own, confined like a worker: a session, a subreaper, every command of a check in
its own tree that is gone when the check ends. It decides nothing; it writes what it found.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import msgpack

from marianne.model.plan import SheetPlan
from marianne.model.result import AttemptResult, ValidationOutcome
from marianne.run import confine, procfs
from marianne.run.attempt import Attempt
from marianne.run.attempt_state import State
from marianne.run.grant import Grant
from marianne.run.loop import Loop
from marianne.run.nursery import Nursery
from marianne.run.patterns import names
from marianne.run.setup import EXIT_LEFT, Signals, become_worker
from marianne.run.tools import Reading, Tools
from marianne.run.watermark import Watermark
from marianne.run.workshop import Workshop
from marianne.score.pack import unpack_plan
from marianne.score.surroundings import sheet_files


class Recheck(Attempt):
    """An attempt that starts with its checks. ``since`` is when the real attempt began: a file
    that was written from then on counts as modified. What the sheet declares to make has to be
    there."""

    def __init__(self, shop: Workshop, grant: Grant, since: float, results: Results) -> None:
        super().__init__(shop, grant, lambda *_: None, lambda *_: None, results.note)
        self._since = since

    def begin(self) -> None:
        """Makes the checks; a sheet without any proves nothing."""
        self.begun = True
        self._started_at = time.time()
        sheet = self._shop.plan.sheet(self.num)
        self._guarded(lambda: self._look(sheet))

    def _look(self, sheet: SheetPlan) -> None:
        self._prepare_checks(sheet)
        checks = self._checks
        if checks is None:
            self._fail("validation", "it has no validations that could prove its work")
            return
        checks.changed_since(self._since)
        self.state = State.CHECKING
        checks.start(lambda outcomes: self._checked(Reading(True), outcomes))

    def _complete(self, reading: Reading, outcomes: tuple[ValidationOutcome, ...] = ()) -> None:
        self._guarded(lambda: self._if_made(reading, outcomes))

    def _if_made(self, reading: Reading, outcomes: tuple[ValidationOutcome, ...]) -> None:
        plan = self._shop.plan
        declared = sheet_files(plan, plan.sheet(self.num))[1]
        missing = [path for path in declared if next(names(path, plan.workspace), None) is None]
        if missing:
            why = f"outputs: {', '.join(missing)} not made"
            self._give("failed", reading.failed("validation", why), outcomes)
        else:
            super()._complete(reading, outcomes)


class Results:
    """What was found, sheet by sheet; the loop ends with the last one."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._todo: list[Recheck] = []
        self.found: list[AttemptResult] = []

    def make(self, rechecks: list[Recheck]) -> None:
        """One after the other: checks may look at the same files."""
        self._todo = rechecks
        self._next()

    def note(self, _attempt: Attempt, result: AttemptResult) -> None:
        """One is done; the next begins from the loop, not from within this one."""
        self.found.append(result)
        self._loop.call_later(0.0, self._next)

    def _next(self) -> None:
        if self._todo:
            self._todo.pop(0).begin()
        else:
            self._loop.stop()


def recheck_main(settings: dict[str, Any], answer: str) -> None:
    """The target of the conductor's forkserver; writes ``answer`` atomically.

    ``settings``: job_id, job_dir, owner, sheet_grace_seconds, output_limit_bytes, and ``sheets``:
    (num, attempt, fallback, start of the attempt).
    """
    become_worker()
    procfs.take_name("marianne-check")
    job_dir, job_id, owner = settings["job_dir"], settings["job_id"], settings["owner"]
    os.makedirs(f"{job_dir}/sheets", mode=0o700, exist_ok=True)
    plan = unpack_plan(Path(job_dir, "plan").read_bytes())
    loop, signals = Loop(), Signals()
    nursery = Nursery(loop, owner, Watermark(owner, job_id, claim=True))
    shop = Workshop(
        plan=plan,
        env=msgpack.unpackb(Path(job_dir, "env").read_bytes()),
        job_id=job_id,
        job_dir=job_dir,
        owner=owner,
        grace=settings["sheet_grace_seconds"],
        output_limit=settings["output_limit_bytes"],
        loop=loop,
        nursery=nursery,
        tools=Tools(),
    )

    def signalled() -> None:
        got = signals.take()
        if signal.SIGCHLD in got:
            nursery.reap()
        if signal.SIGTERM in got or signal.SIGINT in got:
            confine.sweep(confine.all_below)
            sys.exit(EXIT_LEFT)  # no answer: none was found

    loop.add_reader(signals.fileno(), signalled)
    results = Results(loop)
    rechecks = [
        Recheck(shop, Grant({"num": num, "attempt": attempt, "fallback": fallback}), since, results)
        for num, attempt, fallback, since in settings["sheets"]
    ]
    loop.call_later(0.0, lambda: results.make(rechecks))
    loop.run()
    confine.sweep(confine.all_below)
    part = Path(answer + ".part")
    part.write_bytes(msgpack.packb([result.to_map() for result in results.found]))
    part.rename(answer)
