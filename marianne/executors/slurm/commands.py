"""Slurm's own commands, awaited. What they say of an error becomes an EngineError."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from marianne.executors.bridge import EngineError
from marianne.executors.slurm.pilots import Pilot, seconds_left

PATIENCE = 20.0
"""Seconds until a command that says nothing is given up: Slurm's own ten, and its second try."""

FORMAT = "%i|%T|%N|%L|%r"


class Slurm:
    """``executor`` is named in errors."""

    def __init__(self, executor: str) -> None:
        self._executor = executor

    async def pilots(self, name: str) -> list[Pilot]:
        """The batch jobs of this user that have this name, the oldest first."""
        argv = ("squeue", "--me", "--noheader", "--sort=i", f"--name={name}", f"--format={FORMAT}")
        lines = (await self.run(argv)).splitlines()
        rows = [line.strip().split("|") for line in lines if line.count("|") == FORMAT.count("|")]
        return [Pilot(row[0], row[1], row[2], seconds_left(row[3]), row[4]) for row in rows]

    async def submit(self, options: Sequence[str], script: str) -> str:
        """Submits a script; returns the number of the job."""
        text = await self.run(("sbatch", "--parsable", *options), script)
        return text.strip().partition(";")[0]

    async def cancel(self, numbers: Sequence[str]) -> None:
        """Ends these jobs."""
        if numbers:
            await self.run(("scancel", *numbers))

    async def run(self, argv: Sequence[str], text: str = "") -> str:
        """What the command prints. Raises EngineError."""
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            raise EngineError(
                f"executor {self._executor}: {argv[0]} cannot be run ({error.strerror}): Slurm's"
                " commands must be in the conductor's PATH"
            ) from error
        try:
            out, err = await asyncio.wait_for(process.communicate(text.encode()), PATIENCE)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise EngineError(
                f"executor {self._executor}: {argv[0]} says nothing for {PATIENCE:.0f} s: is"
                " slurmctld up?"
            ) from None
        if process.returncode:
            said = err.decode(errors="replace").strip().splitlines()
            last = said[-1] if said else f"exit code {process.returncode}"
            raise EngineError(f"executor {self._executor}: {argv[0]} failed: {last}")
        return out.decode(errors="replace")
