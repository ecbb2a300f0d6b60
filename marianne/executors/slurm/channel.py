"""Bytes over a step of an allocation: ``srun`` with :mod:`marianne.executors.slurm.tunnel`."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable

from marianne.executors.slurm.tunnel import CHUNK, LINE_LIMIT, NO_WARDEN

END_SECONDS = 5.0
"""What srun has to end by itself."""


class StepChannel:
    """As :class:`marianne.executors.bridge.Channel` says, over a process of srun. ``met`` is called
    when the warden has said anything."""

    def __init__(self, process: asyncio.subprocess.Process, met: Callable[[], None]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._stdin, self._stdout = process, process.stdin, process.stdout
        self._met = met

    @classmethod
    async def open(cls, argv: list[str], met: Callable[[], None]) -> StepChannel:
        """Starts it. Raises OSError."""
        pipe = asyncio.subprocess.PIPE
        return cls(
            await asyncio.create_subprocess_exec(
                *argv, stdin=pipe, stdout=pipe, stderr=pipe, limit=LINE_LIMIT
            ),
            met,
        )

    async def write(self, data: bytes) -> None:
        """As Channel says."""
        for at in range(0, len(data), CHUNK):
            self._stdin.write(base64.b64encode(data[at : at + CHUNK]) + b"\n")
        await self._stdin.drain()

    async def read(self) -> bytes:
        """As Channel says; an end of which srun says why is an OSError."""
        line = await self._stdout.readline()
        if line:
            self._met()
            return base64.b64decode(line)
        assert self._process.stderr is not None
        said = (await self._process.stderr.read(4096)).decode(errors="replace").strip()
        if said:
            raise OSError(said.splitlines()[-1])
        return b""

    async def close(self) -> None:
        """Ends srun, and with it the step: by the end of its input, which the tunnel obeys."""
        self._stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), END_SECONDS)
        except TimeoutError:
            try:
                self._process.kill()
            except ProcessLookupError:
                pass
            await self._process.wait()

    @property
    def over(self) -> bool:
        """Whether srun has ended."""
        return self._process.returncode is not None

    @property
    def found_none(self) -> bool:
        """Whether it came to where no warden is."""
        return self._process.returncode == NO_WARDEN
