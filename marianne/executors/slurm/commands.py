"""Slurm's own commands, awaited. What they say of an error becomes an EngineError."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from marianne.executors.bridge import EngineError
from marianne.executors.slurm.pilots import Pilot, seconds_left

PATIENCE = 20.0
"""Seconds until a command that says nothing is given up: Slurm's own ten, and its second try."""

FORMAT = "%i|%T|%N|%L|%S|%r|%j"
UNREACHED = "unable to contact slurm controller"

COLUMNS = FORMAT.count("|")
"""The last one, a name, may have such a line in it: others' do."""


class CommandError(EngineError):
    """A command of Slurm's ended with an error; ``said`` is its last word."""

    def __init__(self, text: str, said: str) -> None:
        super().__init__(text)
        self.said = said


def last_word(program: str, err: bytes) -> str:
    """The last line of what it has said of an error, without what names the program alone."""
    said = err.decode(errors="replace").strip().splitlines()
    last = said[-1].removeprefix(f"{program}: error: ") if said else ""
    return f"{last}: is slurmctld up?" if UNREACHED in last.lower() else last


class Slurm:
    """``executor`` is named in errors."""

    def __init__(self, executor: str) -> None:
        self._executor = executor

    async def jobs(self, prefix: str) -> list[Pilot]:
        """The batch jobs of this user whose names begin so, the oldest first; also those that ended
        a moment ago."""
        argv = ("squeue", "--me", "--noheader", "--sort=i", "--states=all", f"--format={FORMAT}")
        lines = (await self.run(argv)).splitlines()
        rows = [line.strip().split("|", COLUMNS) for line in lines if line.count("|") >= COLUMNS]
        return [
            Pilot(number, state, host, seconds_left(left), reason, name, begins)
            for number, state, host, left, begins, reason, name in rows
            if name.startswith(prefix)
        ]

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
            last = last_word(argv[0], err) or f"exit code {process.returncode}"
            raise CommandError(f"executor {self._executor}: {argv[0]} failed: {last}", last)
        return out.decode(errors="replace")
