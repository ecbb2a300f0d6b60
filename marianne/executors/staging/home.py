"""The conductor's part of a transfer, in blocking steps: what the bridge does in a thread.

The conductor's home has the job's directory, with what its sheets have printed; the workspace is
where the score says. A node names files of the workspace only below what the plan declares.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import field
from typing import Any

from marianne.executors.claim import overtaken
from marianne.executors.staging.commit import clear_left, clear_room, commit, make_room
from marianne.executors.staging.names import StagingError, declared
from marianne.executors.staging.node import OF_JOB, PRINTED
from marianne.executors.staging.stream import Channel, Message, Receiver, Sender
from marianne.executors.staging.tree import Tree
from marianne.model.plan import Growth, Plan, SheetPlan
from marianne.records import dataclass
from marianne.run.outputs import Files
from marianne.score.growth import grow
from marianne.score.pack import PlanFormatError, unpack_plan
from marianne.score.staging import brought, brought_back, lists_names
from marianne.score.template import TemplateError

MOST_READ = 64 * 2**20
"""Bytes of an earlier sheet's output that are brought: the end of it."""

TURNS = [threading.Lock() for _ in range(64)]
"""Of two attempts of a sheet one puts its files after the other."""

PLANS = 4
"""Plans that are kept: of the jobs that were last asked for."""


@dataclass(slots=True)
class Facts:
    """``home`` is the job's directory at the conductor; ``limit`` is in bytes, of the files of one
    sheet each way, ``printed_limit`` of one that a sheet prints. ``growths`` is what lists have
    added to its plan."""

    job_id: str
    home: str
    workspace: str
    limit: int
    printed_limit: int
    growths: list[Growth] = field(default_factory=list)

    @property
    def beyond(self) -> str:
        """What is said of more."""
        return (
            f"are more than {self.limit // 2**20:,} MiB: declare less, or raise staging_limit_mb"
            " of the executor"
        )


def clear(jobs: str, job_id: str) -> None:
    """What transfers of a job that is over have left in its workspace; ``jobs`` is where the
    conductor has the jobs' directories."""
    with suppress(OSError, PlanFormatError):
        with open(os.path.join(jobs, job_id, "plan"), "rb") as file:
            workspace = unpack_plan(file.read()).workspace
        clear_left(workspace, job_id)


class Plans:
    """The plans of jobs, read when they are asked for. Any thread."""

    def __init__(self) -> None:
        self._found: OrderedDict[str, tuple[int, Plan]] = OrderedDict()
        self._lock = threading.Lock()

    def sheet(self, facts: Facts, num: int) -> tuple[Plan, SheetPlan]:
        """Raises StagingError where there is none, OSError."""
        with self._lock:
            known, plan = self._found.pop(facts.home, (0, None))
            try:
                if plan is None:
                    with open(os.path.join(facts.home, "plan"), "rb") as file:
                        plan = unpack_plan(file.read())
                for growth in facts.growths[known:]:
                    plan = grow(plan, growth)
                found = plan.sheet(num)
            except (PlanFormatError, KeyError) as error:
                raise StagingError(f"sheet {num} is not in the job's plan: {error}") from error
            self._found[facts.home] = max(known, len(facts.growths)), plan
            while len(self._found) > PLANS:
                self._found.popitem(last=False)
            return plan, found

    def forget(self, facts: Facts) -> None:
        """The job is over, or has another plan."""
        with self._lock:
            self._found.pop(facts.home, None)


def give_job(channel: Channel, facts: Facts) -> None:
    """What the job's worker reads."""
    sender = Sender(channel, 0, "")
    for name in OF_JOB:
        sender.file(os.path.join(facts.home, name), {"role": name})
    sender.done()


def give_inputs(
    channel: Channel, facts: Facts, plans: Plans, num: int, earlier: dict[int, int]
) -> None:
    """The files that the sheet reads, and what those ``earlier`` ones printed, by their attempt."""
    plan, sheet = plans.sheet(facts, num)
    sender = Sender(channel, facts.limit, f"inputs {facts.beyond}")
    for other, attempt in earlier.items():
        path = Files(facts.home, other, attempt).out
        with suppress(FileNotFoundError):
            at = max(0, os.path.getsize(path) - MOST_READ)
            sender.file(path, {"role": [other, attempt], "from": at}, most=MOST_READ)
    tree = Tree(facts.workspace, _rendered(brought, plan, sheet), "inputs")
    sender.tree(tree, names_only=lists_names(plan, sheet))
    sender.done()


def outputs_of(facts: Facts, plans: Plans, num: int) -> list[str]:
    """What the sheet declares that it makes."""
    plan, sheet = plans.sheet(facts, num)
    return _rendered(brought_back, plan, sheet)


def printed(facts: Facts, num: int, attempt: int) -> dict[str, int]:
    """How much of what the attempt prints is here already, by name."""
    files, have = Files(facts.home, num, attempt), {}
    for name in PRINTED:
        with suppress(FileNotFoundError):
            have[name] = os.path.getsize(getattr(files, name))
    return have


def take_back(
    channel: Channel, facts: Facts, num: int, attempt: int, patterns: Sequence[str]
) -> None:
    """Receives what an attempt has printed and made, and puts it where it belongs. Nothing of the
    workspace is touched before all of it is here. Raises LateError where it was given up before
    that, and another attempt has begun: what that one makes stands, or is to stand, there."""
    files = Files(facts.home, num, attempt)

    def role(head: Message) -> int:
        if head["role"] not in PRINTED:
            raise StagingError(f"the node names a file {head['role']!r:.80}")
        return opened(getattr(files, head["role"]))

    place = None
    try:
        if patterns:
            os.makedirs(facts.workspace, exist_ok=True)
            place = make_room(facts.workspace, f"{facts.job_id}.{num}.{attempt}")
        end = Receiver(
            channel,
            place or facts.home,
            facts.limit,
            lambda path: declared(path, patterns),
            role,
            role_limit=facts.printed_limit,
            keep=True,
        ).receive()
        if missing := end.get("missing"):
            words = ", ".join(map(str, missing[:5]))
            raise NotMadeError(
                f"outputs: {words} {'was' if len(missing) == 1 else 'were'} not made"
            )
        if place is not None:
            # Raises where the node is not reached any more: it may be given up meanwhile.
            channel.send({"what": "took", "size": 0})
            with TURNS[hash((facts.job_id, num)) % len(TURNS)]:
                if overtaken(facts.home, num, attempt):
                    raise LateError("a later attempt has begun")
                commit(place, facts.workspace)
        channel.send({"what": "stored"})
    finally:
        if place is not None:
            clear_room(place)


class LateError(StagingError):
    """The attempt does not count any more."""


class NotMadeError(StagingError):
    """The sheet has not made what it declares."""


def opened(path: str) -> int:
    """A file of what a sheet printed, for more of it. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(path, flags, 0o600)


def _rendered(what: Any, plan: Plan, sheet: SheetPlan) -> list[str]:
    try:
        found: list[str] = what(plan, sheet)
    except TemplateError as error:
        raise StagingError(f"line {error.line}: {error.message}") from None
    return found
