"""The batch jobs of single attempts: kept as the conductor wants them, each a node.

What a restart finds: the jobs, by the names of their attempts. One that is wanted and not there is
submitted; so is one that Slurm forgot or that ended before its warden was reached, after a pause.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any

from marianne.executors.bridge import EngineError, Found
from marianne.executors.slurm.batch import (
    BatchDecision,
    View,
    Wanted,
    decide,
    sbatch_options,
)
from marianne.executors.slurm.commands import CommandError, Slurm
from marianne.executors.slurm.pilots import (
    LIVES,
    RUNNING,
    WAITING,
    Pilot,
    in_minutes,
)
from marianne.executors.slurm.refusals import field_of, in_queue, of_section, of_sheet
from marianne.executors.slurm.submission import Submission
from marianne.records import dataclass

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
"""Seconds until another job is submitted for an attempt whose job came to nothing."""

SUBMIT_AT_ONCE = 20
"""Jobs that are submitted between two looks: each takes a fifth of a second."""


@dataclass
class _Try:
    """What has become of an attempt's job so far. ``number`` is that of the last one that was
    submitted here and never reached."""

    number: str | None = None
    again_at: float = -math.inf
    pause: float = FIRST_PAUSE
    trouble: str | None = None


@dataclass
class News:
    """What the conductor is told: of attempts that wait, why; of those that Slurm refuses, why; of
    nodes that Slurm has ended, with which word; the attempts that have a job which is not wanted:
    the conductor may have to say yet that it is, or that they are over."""

    queued: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    fates: dict[str, str] = field(default_factory=dict)
    spare: list[str] = field(default_factory=list)


class BatchJobs:
    """``usual`` are options for all of them, ``more`` options of sbatch as they are; their names
    begin with ``prefix``."""

    def __init__(
        self,
        slurm: Slurm,
        submission: Submission,
        prefix: str,
        usual: Mapping[str, Any],
        more: Sequence[str],
    ) -> None:
        self._slurm, self._submission, self._prefix = slurm, submission, prefix
        self._usual, self._more = usual, more
        self._settings = of_section("batch_jobs", usual)
        self._wanted: dict[str, Wanted] = {}
        self._over: set[str] = set()
        self._tries: dict[str, _Try] = {}
        self._ending: dict[str, float] = {}
        self.news = News()

    def want(self, wanted: Iterable[Mapping[str, Any]], over: Iterable[str]) -> None:
        """All attempts that the conductor wants a job for, or has given to one; and those that are
        ``over``, of the ones that it was told of as spare."""
        self._wanted = {one["name"]: Wanted.read(one) for one in wanted}
        self._over = set(over)
        for gone in self._tries.keys() - self._wanted.keys():
            del self._tries[gone]
        for told in (self.news.refused, self.news.queued):
            for gone in told.keys() - self._wanted.keys():
                del told[gone]

    async def look(
        self, jobs: Sequence[Pilot], busy: Collection[str], silent: Collection[str]
    ) -> list[Found]:
        """Does what is to be done; returns the nodes. ``jobs`` are those whose names begin with the
        prefix, also those that have ended. Raises EngineError where scancel fails."""
        named = [(job.name.removeprefix(self._prefix), job) for job in jobs]
        now = time.monotonic()
        living = [(name, job) for name, job in named if job.state in LIVES]
        self.news.spare = sorted({name for name, _ in living} - self._wanted.keys())
        view = View(self._wanted, self._over, busy, silent, self._ending)
        decision = decide(living, view, now)
        self._note_ends(named, decision, now)
        for wanted in self._due(decision, now):
            await self._submit(wanted, now)
        self._say_why(decision)
        await self._slurm.cancel(decision.cancel)
        return [self._node(name, job, decision) for name, job in living if job.state == RUNNING]

    def reached(self, number: str) -> None:
        """The warden of this job has said something."""
        for one in self._tries.values():
            if one.number == number:
                one.number, one.trouble, one.pause = None, None, FIRST_PAUSE

    def _node(self, name: str, job: Pilot, decision: BatchDecision) -> Found:
        why = decision.closed.get(job.node)
        return Found(job.node, job.number, 1, why=why, batch=name)

    def _note_ends(
        self, named: Iterable[tuple[str, Pilot]], decision: BatchDecision, now: float
    ) -> None:
        closed = {job.number for _, job in named if job.node in decision.closed}
        self._ending = {number: self._ending.get(number, now) for number in closed}
        fates = {
            job.node: f"{self._submission.end_of(job.number, job.state)} {job.number}"
            for name, job in named
            if job.state not in LIVES and name in self._wanted and self._wanted[name].placed
        }
        self.news.fates = fates

    def _due(self, decision: BatchDecision, now: float) -> list[Wanted]:
        """Those that are submitted now. One whose job is gone and was never reached waits first."""
        found = []
        for wanted in decision.submit:
            if wanted.name in self.news.refused:
                continue
            one = self._tries.setdefault(wanted.name, _Try())
            if one.number is not None:
                words = self._submission.last_words(one.number)
                self._pause(
                    one,
                    now,
                    f"its batch job {one.number} ended before its warden was reached: {words}"
                    f" ({self._submission.logs / one.number}.log)",
                )
                one.number = None
            if now >= one.again_at:
                found.append(wanted)
        return found[:SUBMIT_AT_ONCE]

    def _pause(self, one: _Try, now: float, why: str) -> None:
        one.trouble = f"{why}; another is submitted in {one.pause:.0f} s"
        one.again_at = now + one.pause
        one.pause = min(2 * one.pause, LONGEST_PAUSE)

    async def _submit(self, wanted: Wanted, now: float) -> None:
        one = self._tries[wanted.name]
        options = sbatch_options(wanted, self._usual)
        try:
            one.number = await self._submission.submit(
                f"{self._prefix}{wanted.name}", options, self._more, {"batch": True}
            )
        except CommandError as error:
            refused = field_of(error.said, _given(wanted))
            ours = field_of(error.said, self._settings)
            if refused is not None:
                self.news.refused[wanted.name] = f"Slurm refuses {refused}: {error.said}"
            elif ours is not None:
                self._pause(one, now, f"Slurm refuses {ours}: {error.said}")
            else:
                self._pause(one, now, str(error))
        except EngineError as error:
            self._pause(one, now, str(error))

    def _say_why(self, decision: BatchDecision) -> None:
        queued = {}
        for name, wanted in self._wanted.items():
            if wanted.placed:
                continue
            job, one = decision.jobs.get(name), self._tries.get(name)
            if job is not None and job.state == RUNNING:
                queued[name] = f"its batch job {job.number} has begun on {job.host}"
            elif job is not None:
                queued[name] = _waits(job, {**self._settings, **_given(wanted)})
            elif one is not None and one.number is not None:
                queued[name] = f"its batch job {one.number} is submitted"
            elif one is not None and one.trouble is not None:
                queued[name] = one.trouble
        self.news.queued = queued


def _given(wanted: Wanted) -> dict[str, str]:
    """What the sheet says itself, by field."""
    options: dict[str, object] = dict(wanted.options)
    if wanted.options.get("time"):
        options["time"] = f"{in_minutes(float(wanted.options['time']))} minutes"
    return of_sheet(
        {
            **options,
            "cpus": f"{wanted.cpus:g}" if wanted.cpus != 1.0 else None,
            "memory_mb": wanted.memory_mb,
            "gpus": wanted.gpus,
            "labels": ", ".join(wanted.labels),
        }
    )


def _waits(job: Pilot, given: Mapping[str, str]) -> str:
    if job.state not in WAITING:
        return f"its batch job {job.number} is {job.state.lower()}"
    text = f"its batch job {job.number} {in_queue(job.reason, given)}"
    if job.begins and job.begins != "N/A":
        text += f", and may begin at {job.begins}"
    return text
