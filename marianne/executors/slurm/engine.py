"""Pilots of Slurm as :class:`marianne.executors.bridge.Engine`: each is a node."""

from __future__ import annotations

import hashlib
import json
import math
import shlex
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from marianne.executors.bridge import Channel, EngineError, Found
from marianne.executors.slurm.channel import StepChannel
from marianne.executors.slurm.commands import Slurm
from marianne.executors.slurm.pilots import (
    RUNNING,
    WAITING,
    Need,
    Pilot,
    Size,
    decide,
    in_minutes,
    note_idle,
)

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
"""Seconds until another pilot is submitted after one that came to nothing; longer each time."""

BEGIN_SECONDS = 180.0
"""What a pilot has from its start until its warden is reached first."""

SILENT_MARGIN = 10.0
"""Seconds beyond lease and grace until a pilot that was reached, and is not, is given up."""

END_SECONDS = 30.0
"""How long before its time limit a pilot ends what runs, beyond the grace of the sheets."""

LOGS_KEPT = 20

EXPORT = "PATH,HOME,LANG,LD_LIBRARY_PATH,SLURM_CONF"
"""What pilots have of the conductor's environment: it may hold keys. Sheets have their job's."""


class SlurmEngine:
    """``settings``: name (the executor's), owner (the conductor's mark), lease_seconds,
    sheet_grace_seconds, slots, shared_directory, node_directory, pilots (a map: see
    PilotConfig)."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._pilots: dict[str, Any] = settings["pilots"]
        mark = hashlib.blake2b(f"{settings['owner']}/{settings['name']}".encode(), digest_size=8)
        self._mark = mark.hexdigest()
        self._name = f"marianne-{self._mark}"
        self._slurm = Slurm(settings["name"])
        cpus = int(self._pilots["cpus"])
        self._size = Size(
            int(self._pilots["count"]),
            int(settings["slots"] or cpus),
            float(self._pilots["seconds"]),
            float(self._pilots["idle_seconds"]),
        )
        self._logs = Path(settings["shared_directory"]) / f"pilots-{self._mark}"
        self._need = Need()
        self._idle_since: dict[str, float] = {}
        self._unmet: set[str] = set()  # submitted here, and never reached
        self._pause, self._again_at = FIRST_PAUSE, -math.inf
        self._trouble: str | None = None
        self._channels: dict[str, tuple[Found, StepChannel]] = {}
        self._heard_at: dict[str, tuple[float, float | None]] = {}
        self._next_look = -math.inf
        self._answer: list[Found] | str = []

    def need(
        self,
        waiting: int,
        busy: Collection[str],
        resting: Collection[str],
        held: Collection[Sequence[Any]],
    ) -> None:
        """What the conductor has use for."""
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
        if isinstance(self._answer, str):
            raise EngineError(self._answer)
        return self._answer

    async def _ask_or_why(self) -> list[Found] | str:
        try:
            return await self._ask()
        except EngineError as error:
            return str(error)

    async def _ask(self) -> list[Found]:
        pilots = await self._slurm.pilots(self._name)
        self._judge({pilot.number for pilot in pilots})
        now = time.monotonic()
        running = [pilot for pilot in pilots if pilot.state == RUNNING]
        nodes = [pilot.node for pilot in running]
        note_idle(self._idle_since, nodes, self._need.busy, now)
        silent = self._silent(nodes, now)
        decision = decide(pilots, self._need, self._size, self._idle_since, now, silent)
        await self._slurm.cancel(decision.cancel)
        self._unmet.difference_update(set(decision.cancel) - {p.number for p in running})
        if decision.submit and now >= self._again_at:
            for _ in range(decision.submit):
                await self._submit()
        if not running:
            self._say_why(pilots)
        memory = int(self._pilots["memory_mb"] or 0)
        gpus, labels = gpus_of(self._pilots["gres"]), tuple(self._pilots["labels"])
        found = {
            pilot.node: Found(pilot.node, pilot.number, self._size.slots, memory, gpus, labels)
            for pilot in running
        }
        return await self._with_ended(found, decision.closed)

    async def _with_ended(self, found: dict[str, Found], closed: dict[str, str]) -> list[Found]:
        """The nodes, and those that Slurm has ended: what is left of one may still be connected (a
        slurmctld that was killed has forgotten a job that it had just begun). It is given nothing;
        what it runs may end, then its lease does."""
        for name, (node, channel) in list(self._channels.items()):
            if channel.over:
                del self._channels[name]
            elif name not in found:
                found[name], closed[name] = node, "Slurm has ended it"
                if name in self._need.resting:
                    await channel.close()
        return [replace(node, why=closed.get(name)) for name, node in found.items()]

    def _silent(self, nodes: list[str], now: float) -> list[str]:
        """The nodes that have not been reached for longer than they take to begin, or, once they
        were, for longer than their lease and all that follows it."""
        for node in [node for node in self._heard_at if node not in nodes]:
            del self._heard_at[node]
        settings = self._settings
        after = settings["lease_seconds"] + settings["sheet_grace_seconds"] + SILENT_MARGIN
        found = []
        for node in nodes:
            first, last = self._heard_at.setdefault(node, (now, None))
            if now - first > BEGIN_SECONDS if last is None else now - last > after:
                found.append(node)
        return found

    def _say_why(self, pilots: list[Pilot]) -> None:
        """Raises EngineError where sheets wait and there is no pilot."""
        waiting = next((pilot for pilot in pilots if pilot.state in WAITING), None)
        if waiting is not None:
            raise EngineError(
                f"executor {self._settings['name']}: the pilot {waiting.number} waits in Slurm's"
                f" queue ({waiting.reason})"
            )
        if self._trouble is not None:
            raise EngineError(self._trouble)

    def _judge(self, known: set[str]) -> None:
        """One that is gone and was never reached came to nothing: the next one waits a while."""
        for number in sorted(self._unmet - known):
            self._unmet.discard(number)
            self._trouble = (
                f"executor {self._settings['name']}: the pilot {number} ended before its warden was"
                f" reached: {self._last_words(number)} ({self._logs / number}.log); another is"
                f" submitted in {self._pause:.0f} s"
            )
            self._again_at = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _last_words(self, number: str) -> str:
        try:
            lines = (self._logs / f"{number}.log").read_text(errors="replace").split("\n")
        except OSError as error:
            return f"its log cannot be read ({error.strerror})"
        return next((line for line in reversed(lines) if line.strip()), "it said nothing")[:300]

    async def _submit(self) -> None:
        self._logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in sorted(self._logs.glob("*.log"), key=lambda one: int(one.stem))[:-LOGS_KEPT]:
            old.unlink(missing_ok=True)
        self._unmet.add(await self._slurm.submit(self._options(), self._script()))

    def _options(self) -> list[str]:
        pilots = self._pilots
        lead = math.ceil(float(self._settings["sheet_grace_seconds"]) + END_SECONDS)
        options = {
            "job-name": self._name,
            "output": f"{self._logs}/%j.log",
            "open-mode": "append",
            "nodes": "1",
            "ntasks": "1",
            "cpus-per-task": str(pilots["cpus"]),
            "time": in_minutes(self._size.seconds),
            "signal": f"B:TERM@{lead}",
            "export": EXPORT,
            "mem": f"{pilots['memory_mb']}M" if pilots["memory_mb"] else None,
            "partition": pilots["partition"],
            "account": pilots["account"],
            "gres": pilots["gres"],
        }
        given = [f"--{name}={value}" for name, value in options.items() if value is not None]
        return [*given, "--no-requeue", *pilots["options"]]

    def _script(self) -> str:
        owner = hashlib.blake2b(f"{self._mark}/{time.time_ns()}".encode(), digest_size=16)
        text = json.dumps(
            {
                "parent": self._settings["node_directory"],
                "mark": self._mark,
                "warden": {
                    "owner": owner.hexdigest(),
                    "lease_seconds": self._settings["lease_seconds"],
                    "lifetime_seconds": self._size.seconds,
                    "sheet_grace_seconds": self._settings["sheet_grace_seconds"],
                },
            }
        )
        python = shlex.quote(self._python)
        return (
            "#!/bin/sh\n"
            f"exec {python} -m marianne.executors.slurm.pilot <<'SETTINGS'\n{text}\nSETTINGS\n"
        )

    @property
    def _python(self) -> str:
        return str(self._pilots["python"] or sys.executable)

    async def connect(self, node: Found) -> Channel:
        """A step of the pilot's allocation. That it reached the warden shows in the hello."""
        number = node.address
        argv = [
            *("srun", f"--jobid={number}", "--overlap", "--nodes=1", "--ntasks=1", "--mem=0"),
            *(
                "--quiet",
                "--cpu-bind=none",
                f"--export={EXPORT}",
                self._python,
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
        self._unmet.discard(node.address)
        self._pause, self._trouble = FIRST_PAUSE, None


def gpus_of(gres: str | None) -> int:
    """How many graphics processors these ask for: ``gpu``, ``gpu:2``, ``gpu:a100:2``."""
    found = 0
    for one in (gres or "").split(","):
        name, *rest = one.strip().split(":")
        if name == "gpu":
            found += int(rest[-1]) if rest and rest[-1].isdigit() else 1
    return found
