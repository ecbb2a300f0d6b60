"""How a batch job with a warden in it is submitted: a pilot, or one for a single attempt."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from marianne.executors.slurm.commands import Slurm

END_SECONDS = 30.0
"""How long before its time limit such a job ends what runs, beyond the grace of the sheets."""

OUT_OF_MEMORY = "OUT_OF_MEMORY"

KILLED_FOR_MEMORY = b"error: Exceeded job memory limit"
"""What slurmstepd writes into the log of a job that it kills for that."""

LOG_END = 4096
"""Bytes of a log that are looked at."""

EXPORT = "PATH,HOME,LANG,LD_LIBRARY_PATH,SLURM_CONF"
"""What it has of the conductor's environment: that may hold keys. Sheets have their job's."""


class Submission:
    """``settings`` are the engine's, ``mark`` is its own; what the jobs print is kept in ``logs``,
    of the last ``kept``."""

    def __init__(self, slurm: Slurm, settings: dict[str, Any], mark: str, logs: Path, kept: int):
        self._slurm, self._settings, self._mark = slurm, settings, mark
        self.logs, self._kept = logs, kept

    @property
    def python(self) -> str:
        """The Python of the nodes that has Marianne."""
        return str(self._settings["pilots"]["python"] or sys.executable)

    @property
    def lead(self) -> int:
        """Seconds before its time limit at which such a job is told to end."""
        return math.ceil(float(self._settings["sheet_grace_seconds"]) + END_SECONDS)

    async def submit(
        self,
        name: str,
        options: Mapping[str, str | None],
        more: Sequence[str],
        warden: Mapping[str, Any],
    ) -> str:
        """Returns the number of the job. ``options`` are of sbatch, those that are None are left
        to Slurm; ``more`` are given as they are; ``warden`` are further settings of its warden.
        Raises EngineError."""
        self.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        old = sorted(self.logs.glob("*.log"), key=lambda one: int(one.stem))
        for one in old[: -self._kept]:
            one.unlink(missing_ok=True)
        whole = {
            "job-name": name,
            "output": f"{self.logs}/%j.log",
            "open-mode": "append",
            "nodes": "1",
            "ntasks": "1",
            "signal": f"B:TERM@{self.lead}",
            "export": EXPORT,
            **options,
        }
        given = [f"--{name}={value}" for name, value in whole.items() if value is not None]
        return await self._slurm.submit([*given, "--no-requeue", *more], self._script(warden))

    def _script(self, warden: Mapping[str, Any]) -> str:
        owner = hashlib.blake2b(f"{self._mark}/{time.time_ns()}".encode(), digest_size=16)
        text = json.dumps(
            {
                "parent": self._settings["node_directory"],
                "mark": self._mark,
                "warden": {
                    "owner": owner.hexdigest(),
                    "lease_seconds": self._settings["lease_seconds"],
                    "sheet_grace_seconds": self._settings["sheet_grace_seconds"],
                    **warden,
                },
            }
        )
        return (
            "#!/bin/sh\n"
            f"exec {shlex.quote(self.python)} -m marianne.executors.slurm.pilot"
            f" <<'SETTINGS'\n{text}\nSETTINGS\n"
        )

    def end_of(self, number: str, state: str) -> str:
        """Why a job ended, in Slurm's word; ``state`` is what squeue says. Where Slurm measures
        what jobs use and kills those that use too much (OverMemoryKill), it has such a job as
        FAILED, and says why in its log alone, in which nobody else writes but its pilot."""
        if state == "COMPLETED":
            return state
        try:
            with open(self.logs / f"{number}.log", "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - LOG_END))
                return OUT_OF_MEMORY if KILLED_FOR_MEMORY in file.read() else state
        except OSError:
            return state

    def last_words(self, number: str) -> str:
        """The end of what a job has printed."""
        try:
            lines = (self.logs / f"{number}.log").read_text(errors="replace").split("\n")
        except OSError as error:
            return f"its log cannot be read ({error.strerror})"
        return next((line for line in reversed(lines) if line.strip()), "it said nothing")[:300]
