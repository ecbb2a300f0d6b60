"""Batch jobs of single attempts: with which options, which are submitted, which go. Pure.

Such a job is called by its attempt, so that whoever looks for it later finds it: after a restart
of the bridge, of the conductor, of Slurm.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any

from marianne.executors.slurm.pilots import RUNNING, WAITING, Pilot, in_minutes
from marianne.records import dataclass

LEAVE_SECONDS = 20.0
"""What a job has to end by itself that nobody wants any more."""

AS_THEY_ARE = ("partition", "account", "qos", "gres", "constraint", "reservation")
"""Options that are given to sbatch as the sheet says them."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An attempt that is to have a batch job, or has been given to the node of one (``placed``).
    ``options`` are the sheet's own."""

    name: str
    cpus: float = 1.0
    memory_mb: int = 0
    gpus: int = 0
    labels: tuple[str, ...] = ()
    options: Mapping[str, str | float] = field(default_factory=dict)
    placed: bool = False

    @classmethod
    def read(cls, message: Mapping[str, Any]) -> Wanted:
        """As the conductor says it."""
        cpus, memory_mb, gpus, labels = message["takes"]
        return cls(
            message["name"],
            cpus,
            memory_mb,
            gpus,
            tuple(labels),
            dict(message["options"]),
            message["placed"],
        )


def sbatch_options(wanted: Wanted, usual: Mapping[str, Any]) -> dict[str, str | None]:
    """Options of sbatch for it; ``usual`` are those of the executor."""
    merged: dict[str, Any] = {**usual, **wanted.options}
    found: dict[str, str | None] = {name: merged.get(name) for name in AS_THEY_ARE}
    if wanted.gpus:
        found["gres"] = ",".join([*filter(None, [merged.get("gres")]), f"gpu:{wanted.gpus}"])
    if wanted.labels:
        found["constraint"] = "&".join([*filter(None, [merged.get("constraint")]), *wanted.labels])
    found["cpus-per-task"] = str(max(1, math.ceil(wanted.cpus)))
    found["mem"] = f"{wanted.memory_mb}M" if wanted.memory_mb else None
    seconds = merged.get("time")
    found["time"] = in_minutes(seconds) if seconds is not None else None
    return found


@dataclass
class BatchDecision:
    """``submit`` jobs for these attempts, ``cancel`` these jobs (numbers); ``closed`` says of nodes
    why nobody wants them any more. ``jobs`` are those that are wanted, by attempt."""

    submit: list[Wanted] = field(default_factory=list)
    cancel: list[str] = field(default_factory=list)
    closed: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, Pilot] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class View:
    """What a decision goes by: ``wanted`` attempts by name, and those that are ``over``, which
    nobody wants any more; the nodes that are ``busy`` or ``silent``; since when jobs (numbers) have
    been given the time to end."""

    wanted: Mapping[str, Wanted]
    over: Collection[str] = ()
    busy: Collection[str] = ()
    silent: Collection[str] = ()
    ending: Mapping[str, float] = field(default_factory=dict)


def decide(jobs: Iterable[tuple[str, Pilot]], view: View, now: float) -> BatchDecision:
    """What is to be done now; ``jobs`` are those that Slurm has, each with its attempt's name."""
    found = BatchDecision()
    by_name: dict[str, list[Pilot]] = {}
    for name, job in jobs:
        by_name.setdefault(name, []).append(job)
    for name, group in by_name.items():
        if name in view.wanted:
            found.jobs[name] = keep = max(group, key=lambda job: _worth(job, view.busy))
            _dismiss([job for job in group if job is not keep], found)
            if keep.node in view.silent:
                # Slurm may not know that its warden is gone, as long as another step of it runs.
                found.closed[keep.node] = "its warden is not reached"
                found.cancel.append(keep.number)
        elif name in view.over:
            _let_go(group, view, now, found)
    found.submit = [
        one for name, one in view.wanted.items() if name not in by_name and not one.placed
    ]
    return found


def _worth(job: Pilot, busy: Collection[str]) -> tuple[bool, bool, bool, int]:
    """Of several that one attempt has: the one that has it, that runs, that waits, the oldest."""
    number = int(job.number) if job.number.isdecimal() else 0
    return job.node in busy, job.state == RUNNING, job.state in WAITING, -number


def _dismiss(jobs: Sequence[Pilot], found: BatchDecision) -> None:
    for job in jobs:
        found.cancel.append(job.number)
        if job.state == RUNNING:
            found.closed[job.node] = "its attempt has another batch job"


def _let_go(group: Sequence[Pilot], view: View, now: float, found: BatchDecision) -> None:
    """One that runs ends by itself, so that Slurm has it as completed; else it is cancelled."""
    for job in group:
        if job.state == RUNNING:
            found.closed[job.node] = "its sheet has ended"
            if now - view.ending.get(job.number, now) < LEAVE_SECONDS:
                continue
        found.cancel.append(job.number)
