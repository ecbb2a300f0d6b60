"""``python -m marianne.executors.slurm.tunnel PARENT MARK``: a step of a pilot's allocation that
carries bytes between its standard streams and the warden's socket.

srun sends what a step prints by lines, so bytes go as lines of base64. An empty PARENT is the
machine's temporary directory.
"""

from __future__ import annotations

import asyncio
import base64
import os
import sys
from pathlib import Path

from marianne.executors.node_directory import directory_of

CHUNK = 48 * 1024
"""Bytes of a line, before they are encoded."""

LINE_LIMIT = 2 * CHUNK

START_SECONDS = 45.0
"""What a warden has to listen."""

TRY_AGAIN = 0.05

NO_WARDEN = 43
"""How it ends where none does."""


async def connected(place: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the warden, which may be just starting. Raises OSError."""
    os.chdir(place)  # the path of a socket is short that way
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while True:
        try:
            return await asyncio.open_unix_connection("warden.sock")
        except OSError:
            if asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(TRY_AGAIN)


async def carry(place: Path) -> None:
    """Until either side ends."""
    reader, writer = await connected(place)
    loop = asyncio.get_running_loop()
    stdin = asyncio.StreamReader(limit=LINE_LIMIT)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    both = [
        asyncio.ensure_future(_outwards(reader)),
        asyncio.ensure_future(_inwards(stdin, writer)),
    ]
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    for task in both:
        task.cancel()
    await asyncio.gather(*both, return_exceptions=True)


async def _outwards(reader: asyncio.StreamReader) -> None:
    while data := await reader.read(CHUNK):
        # To a pipe whose other end does not read we wait: nothing else is to be done here, and the
        # warden closes a connection with too much in it.
        await asyncio.to_thread(_print, base64.b64encode(data) + b"\n")


def _print(line: bytes) -> None:
    while line:
        line = line[os.write(1, line) :]


async def _inwards(stdin: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await stdin.readline():
        writer.write(base64.b64decode(line))
        await writer.drain()


def main(parent: str | None, name: str) -> int:
    """Carries until either side ends; returns the exit code."""
    place = directory_of(parent, name)
    try:
        asyncio.run(carry(place))
    except (ConnectionRefusedError, FileNotFoundError):
        print(f"no warden has listened there for {START_SECONDS:.0f} s", file=sys.stderr)
        return NO_WARDEN
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1] or None, f"{sys.argv[2]}-{os.environ['SLURM_JOB_ID']}")
    sys.stderr.flush()
    os._exit(code)  # a thread may wait for a pipe that nobody reads
