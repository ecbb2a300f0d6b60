"""Batch jobs of Slurm as :class:`marianne.executors.bridge.Engine`: each is a node, be it a pilot
for many sheets or for a single attempt."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from marianne.executors.bridge import Channel, EngineError, Found
from marianne.executors.slurm.batch_jobs import BatchJobs
from marianne.executors.slurm.channel import StepChannel
from marianne.executors.slurm.commands import CommandError, Slurm
from marianne.executors.slurm.pilots import (
    LIVES,
    RUNNING,
    WAITING,
    Need,
    Pilot,
    Size,
    decide,
    in_minutes,
    note_idle,
)
from marianne.executors.slurm.refusals import field_of, in_queue, of_section
from marianne.executors.slurm.submission import EXPORT, OUT_OF_MEMORY, Submission

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
"""Seconds until another pilot is submitted after one that came to nothing; longer each time."""

BEGIN_SECONDS = 180.0
"""What a node has from its start until its warden is reached first."""

SILENT_MARGIN = 10.0
"""Seconds beyond lease and grace until a node that was reached, and is not, is given up."""

PILOT_LOGS, BATCH_LOGS = 20, 500
"""Whose logs are kept, the latest."""


class SlurmEngine:
    """``settings``: name (the executor's), owner (the conductor's mark), lease_seconds,
    sheet_grace_seconds, slots, shared_directory, node_directory, pilots and batch_jobs (maps: see
    PilotConfig and BatchConfig)."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._pilots: dict[str, Any] = settings["pilots"]
        mark = hashlib.blake2b(f"{settings['owner']}/{settings['name']}".encode(), digest_size=8)
        self._mark = mark.hexdigest()
        self._name = f"marianne-{self._mark}"
        self._slurm = slurm = Slurm(settings["name"])
        cpus = int(self._pilots["cpus"])
        self._size = Size(
            int(self._pilots["count"]),
            int(settings["slots"] or cpus),
            float(self._pilots["seconds"]),
            float(self._pilots["idle_seconds"]),
        )
        shared = Path(settings["shared_directory"])
        logs, theirs = shared / f"pilots-{self._mark}", shared / f"batch-{self._mark}"
        self._submission = Submission(slurm, settings, self._mark, logs, PILOT_LOGS)
        usual = dict(settings["batch_jobs"])
        more = usual.pop("options")
        del usual["count"]  # who wants them knows it
        submission = Submission(slurm, settings, self._mark, theirs, BATCH_LOGS)
        self._batch = BatchJobs(slurm, submission, f"{self._name}-", usual, more)
        self._need = Need()
        self._idle_since: dict[str, float] = {}
        self._unmet: set[str] = set()  # submitted here, and never reached
        self._pause, self._again_at = FIRST_PAUSE, -math.inf
        self._trouble: str | None = None
        self._channels: dict[str, tuple[Found, StepChannel]] = {}
        self._heard_at: dict[str, tuple[float, float | None]] = {}
        self._wardenless: set[str] = set()  # Slurm has them running, and nobody is there
        self._closed: dict[str, str] = {}
        self._ends: dict[str, str] = {}  # how pilots ended, by number
        self._fates: dict[str, str] = {}
        self._next_look = -math.inf
        self._answer: tuple[list[Found] | None, str | None] = [], None

    def need(
        self,
        waiting: int,
        busy: Collection[str],
        resting: Collection[str],
        held: Collection[Sequence[Any]],
        batch: Collection[Mapping[str, Any]],
        over: Collection[str],
    ) -> None:
        """What the conductor has use for."""
        self._batch.want(batch, over)
        more = sum(count for *takes, count in held if self._fits(*takes))
        self._need = Need(waiting + more, frozenset(busy), frozenset(resting))

    def _fits(self, cpus: float, memory_mb: int, gpus: int, labels: Sequence[str]) -> bool:
        """Whether a pilot has so much; who takes more processors than there are has it alone."""
        pilots = self._pilots
        return (
            memory_mb <= (pilots["memory_mb"] or memory_mb)
            and gpus <= gpus_of(pilots["gres"])
            and set(labels) <= set(pilots["labels"])
        )

    async def look(self) -> list[Found]:
        """The pilots that run; as many as there is use for are submitted, others given back. Slurm
        is asked no oftener than every ``look_seconds``; between that it is as it was."""
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + float(self._pilots["look_seconds"])
            self._answer = await self._ask_or_why()
        found, why = self._answer
        if why is not None:
            raise EngineError(why, found)
        return found or []

    def news(self) -> dict[str, Any]:
        """Of batch jobs of single attempts."""
        told = asdict(self._batch.news)
        return {**told, "fates": {**told["fates"], **self._fates}}

    def _note_ends(self, jobs: Sequence[Pilot]) -> None:
        """Of pilots it matters whether they ended for their memory: the next one would, too."""
        ended = [job for job in jobs if job.state not in LIVES]
        self._ends = {
            job.number: self._ends.get(job.number) or self._submission.end_of(job.number, job.state)
            for job in ended
        }
        self._fates = {
            job.node: f"{OUT_OF_MEMORY} {job.number} pilot"
            for job in ended
            if self._ends[job.number] == OUT_OF_MEMORY
        }

    async def _ask_or_why(self) -> tuple[list[Found] | None, str | None]:
        """The nodes, as far as they are known, and what is wrong."""
        try:
            jobs = await self._slurm.jobs(self._name)
        except EngineError as error:
            return None, str(error)
        now, why = time.monotonic(), None
        living = [job for job in jobs if job.state in LIVES]
        silent = self._silent([job.node for job in living if job.state == RUNNING], now)
        pilots = [job for job in living if job.name == self._name]
        self._note_ends([job for job in jobs if job.name == self._name])
        try:
            await self._settle_pilots(pilots, silent, now)
        except EngineError as error:
            why = str(error)
        nodes = self._pilots_found(pilots)
        others = [job for job in jobs if job.name != self._name]
        try:
            batch = await self._batch.look(others, self._need.busy, silent)
        except EngineError as error:
            return None, str(error)
        nodes |= {node.name: node for node in batch}
        return await self._with_ended(nodes), why

    async def _settle_pilots(
        self, pilots: list[Pilot], silent: Collection[str], now: float
    ) -> None:
        """Submits pilots, gives some back, and says what is wrong. Raises EngineError."""
        self._judge({pilot.number for pilot in pilots})
        running = [pilot for pilot in pilots if pilot.state == RUNNING]
        note_idle(self._idle_since, [one.node for one in running], self._need.busy, now)
        coming = [node for node, (_, last) in self._heard_at.items() if last is None]
        decision = decide(pilots, self._need, self._size, self._idle_since, now, silent, coming)
        self._closed = decision.closed
        await self._slurm.cancel(decision.cancel)
        self._unmet.difference_update(set(decision.cancel) - {p.number for p in running})
        if decision.submit and now >= self._again_at:
            for _ in range(decision.submit):
                await self._submit()
        if not running:
            self._say_why(pilots)

    def _pilots_found(self, pilots: list[Pilot]) -> dict[str, Found]:
        memory = int(self._pilots["memory_mb"] or 0)
        gpus, labels = gpus_of(self._pilots["gres"]), tuple(self._pilots["labels"])
        return {
            pilot.node: Found(pilot.node, pilot.number, self._size.slots, memory, gpus, labels)
            for pilot in pilots
            if pilot.state == RUNNING
        }

    async def _with_ended(self, found: dict[str, Found]) -> list[Found]:
        """The nodes, and those that Slurm has ended: what is left of one may still be connected (a
        slurmctld that was killed has forgotten a job that it had just begun). It is given nothing;
        what it runs may end, then its lease does."""
        closed = dict(self._closed)
        for name, (node, channel) in list(self._channels.items()):
            if channel.over:
                del self._channels[name]
                if channel.found_none:
                    self._wardenless.add(name)
            elif name not in found:
                found[name], closed[name] = node, "Slurm has ended it"
                if name in self._need.resting:
                    await channel.close()
        return [replace(node, why=closed.get(name, node.why)) for name, node in found.items()]

    def _silent(self, nodes: Sequence[str], now: float) -> list[str]:
        """The nodes that have not been reached for longer than they take to begin, or where nobody
        was; and, once they were, for longer than their lease and all that follows it."""
        for node in [node for node in self._heard_at if node not in nodes]:
            del self._heard_at[node]
        self._wardenless.intersection_update(nodes)
        settings = self._settings
        after = settings["lease_seconds"] + settings["sheet_grace_seconds"] + SILENT_MARGIN
        found = []
        for node in nodes:
            first, last = self._heard_at.setdefault(node, (now, None))
            late = now - first > BEGIN_SECONDS if last is None else now - last > after
            if late or node in self._wardenless:
                found.append(node)
        return found

    def _say_why(self, pilots: list[Pilot]) -> None:
        """Raises EngineError where sheets wait and there is no pilot."""
        waiting = next((pilot for pilot in pilots if pilot.state in WAITING), None)
        if waiting is not None:
            raise EngineError(
                f"executor {self._settings['name']}: the pilot {waiting.number}"
                f" {in_queue(waiting.reason, of_section('pilots', self._pilots))}"
            )
        if self._trouble is not None:
            raise EngineError(self._trouble)

    def _judge(self, known: set[str]) -> None:
        """One that is gone and was never reached came to nothing: the next one waits a while."""
        for number in sorted(self._unmet - known):
            self._unmet.discard(number)
            self._trouble = (
                f"executor {self._settings['name']}: the pilot {number} ended before its warden was"
                f" reached: {self._submission.last_words(number)}"
                f" ({self._submission.logs / number}.log); another is"
                f" submitted in {self._pause:.0f} s"
            )
            self._again_at = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    async def _submit(self) -> None:
        pilots = self._pilots
        options = {
            "cpus-per-task": str(pilots["cpus"]),
            "time": in_minutes(self._size.seconds),
            "mem": f"{pilots['memory_mb']}M" if pilots["memory_mb"] else None,
            "partition": pilots["partition"],
            "account": pilots["account"],
            "gres": pilots["gres"],
        }
        warden = {"lifetime_seconds": self._size.seconds}
        try:
            number = await self._submission.submit(self._name, options, pilots["options"], warden)
        except CommandError as error:
            refused = field_of(error.said, of_section("pilots", pilots))
            if refused is None:
                raise
            name = self._settings["name"]
            raise EngineError(f"executor {name}: Slurm refuses {refused}: {error.said}") from error
        self._unmet.add(number)

    async def connect(self, node: Found) -> Channel:
        """A step of the pilot's allocation. That it reached the warden shows in the hello."""
        number = node.address
        argv = [
            *("srun", f"--jobid={number}", "--overlap", "--nodes=1", "--ntasks=1", "--mem=0"),
            *(
                "--quiet",
                "--cpu-bind=none",
                f"--export={EXPORT}",
                self._submission.python,
                "-m",
                "marianne.executors.slurm.tunnel",
            ),
            *(self._settings["node_directory"] or "", self._mark),
        ]
        try:
            channel = await StepChannel.open(argv, lambda: self._met(node))
        except OSError as error:
            raise EngineError(f"node {node.name}: srun cannot be run: {error.strerror}") from error
        self._channels[node.name] = node, channel
        return channel

    def _met(self, node: Found) -> None:
        now = time.monotonic()
        self._heard_at[node.name] = now, now
        self._wardenless.discard(node.name)
        self._unmet.discard(node.address)
        self._batch.reached(node.address)
        self._pause, self._trouble = FIRST_PAUSE, None


def gpus_of(gres: str | None) -> int:
    """How many graphics processors these ask for: ``gpu``, ``gpu:2``, ``gpu:a100:2``."""
    found = 0
    for one in (gres or "").split(","):
        name, *rest = one.strip().split(":")
        if name == "gpu":
            found += int(rest[-1]) if rest and rest[-1].isdigit() else 1
    return found
