"""What runs in each Dask worker: starts the node's warden, and carries bytes to and from it.

The warden is no child that ends with the worker: it has a session of its own, and the next worker
of the node finds it again by its socket.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from distributed.comm import Comm, CommClosedError
from distributed.core import Status
from distributed.diagnostics.plugin import WorkerPlugin
from distributed.worker import Worker

from ipc import codec
from marianne.executors.node_directory import ELSEWHERE, directory_of, in_words

CHUNK = 256 * 1024
START_SECONDS = 45.0
TRY_AGAIN, SPAWN_AGAIN = 0.02, 2.0
"""Seconds between two tries to connect, and until a warden that does not listen is started anew:
one that finds another still at its end gives way to it."""


MOST_SAID = 1 << 20
"""Bytes of what a node's wardens have said that the next one leaves there."""


class WardenPlugin(WorkerPlugin):  # type: ignore[misc]  # Dask has no type hints
    """``operation`` is what the bridge calls on the worker; it names the conductor's executor."""

    def __init__(self, operation: str) -> None:
        self.operation = operation
        self.name = operation

    def setup(self, worker: Worker) -> None:
        """From now on the worker can be asked for its warden."""
        worker.handlers[self.operation] = tunnel

    def teardown(self, worker: Worker) -> None:
        """Not any more; a warden that nobody asks for ends when its lease does."""
        worker.handlers.pop(self.operation, None)


async def tunnel(comm: Comm, place: str, directory: str | None, settings: dict[str, Any]) -> Status:
    """Answers ``{"error": …}``, or ``{}`` and then carries bytes both ways until one side ends.

    ``place`` names the warden's directory, below ``directory`` (None: the machine's temporary one).
    """
    home = Path(directory or tempfile.gettempdir())
    try:
        home = directory_of(directory, place)
        reader, writer = await _connect(home, settings)
    except TimeoutError as error:
        await comm.write({"error": str(error)})
        return Status.dont_reply
    except OSError as error:
        hint = f", or {ELSEWHERE}" if error.errno else ""
        await comm.write({"error": in_words(error, home) + hint})
        return Status.dont_reply
    try:
        await comm.write({})
        both = [
            asyncio.ensure_future(_outwards(reader, comm)),
            asyncio.ensure_future(_inwards(comm, writer)),
        ]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)
    finally:
        writer.close()
        comm.abort()
    return Status.dont_reply


async def _outwards(reader: asyncio.StreamReader, comm: Comm) -> None:
    while data := await reader.read(CHUNK):
        await comm.write(data)


async def _inwards(comm: Comm, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            writer.write(await comm.read())
            await writer.drain()
    except (CommClosedError, OSError):
        pass  # the bridge is gone: it comes again, or the lease ends


async def _connect(
    home: Path, settings: dict[str, Any]
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the living warden of this directory, or to a new one."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + START_SECONDS
    spawned, process = -SPAWN_AGAIN, None
    while True:
        try:
            return await _reach(home)
        except OSError:
            if loop.time() > deadline:
                raise TimeoutError(_why_not(home)) from None
        if loop.time() - spawned >= SPAWN_AGAIN and (process is None or process.poll() is not None):
            process = _spawn(home, settings)
            spawned = loop.time()
        await asyncio.sleep(TRY_AGAIN)


async def _reach(home: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    # By the directory's descriptor: an address of a Unix socket has 107 bytes, a directory more.
    directory = os.open(home, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return await asyncio.open_unix_connection(f"/proc/self/fd/{directory}/warden.sock")
    finally:
        os.close(directory)


def _spawn(home: Path, settings: dict[str, Any]) -> subprocess.Popen[bytes]:
    fresh = home / f"settings.{os.getpid()}"
    fresh.write_bytes(codec.pack(settings))
    fresh.replace(home / "settings")
    with open(home / "err", "ab") as err:
        if err.tell() > MOST_SAID:
            err.truncate(0)
        return subprocess.Popen(
            [sys.executable, "-m", "marianne.executors.warden", str(home)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=err,
            start_new_session=True,
        )


def _why_not(home: Path) -> str:
    if not shutil.disk_usage(home).free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(home))
    said = (home / "err").read_text(errors="replace").strip().splitlines()
    last = said[-1] if said else "it said nothing"
    return f"its warden does not listen within {START_SECONDS:.0f} s: {last} ({home / 'err'})"
