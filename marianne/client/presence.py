"""Whether the conductor is there: its process is watched, not asked."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final, Literal

from marianne.cli.errors import CliError
from marianne.client.conductor import Conductor
from marianne.home import HomeError

State = Literal["there", "away", "none"]
"""``away``: it has just died, starts, or is being replaced. ``none``: nobody holds the lock."""

SOON: Final = 0.1
LATER: Final = 1.0
"""Seconds between two looks for a conductor where none runs."""


class Presence:
    """``changed`` is called after each change, in the event loop."""

    def __init__(self, conductor: Conductor, changed: Callable[[], None]) -> None:
        self._conductor = conductor
        self._changed = changed
        self.state: State = "away"
        self.pid: int | None = None

    async def watch(self) -> None:
        """Runs until it is cancelled."""
        while True:
            fd = self._open()
            if fd is None:
                await asyncio.sleep(LATER if self.state == "none" else SOON)
                continue
            ended = asyncio.ensure_future(_readable(fd))
            try:
                await self._serves(ended)
                await ended
            finally:
                await _over(ended)
                os.close(fd)
            self._set("away", None)
            await asyncio.sleep(SOON)  # the lock still names it

    def _open(self) -> int | None:
        """The pidfd of who holds the lock; None while nobody is found."""
        home = self._conductor.session.home
        try:
            pid = home.holder()
            if pid is None:
                self._set("away" if home.running() else "none", None)
                return None
            fd = os.pidfd_open(pid)
        except (HomeError, ProcessLookupError):  # it begins, or ends, in this instant
            self._set("away", None)
            return None
        if home.holder() != pid:  # the number may be another's by now
            os.close(fd)
            return None
        return fd

    async def _serves(self, ended: asyncio.Future[None]) -> None:
        """Returns when the conductor answers, or has ended."""
        while not ended.done():
            try:
                told = await self._conductor.ask("hello", LATER)
            except CliError:
                await asyncio.wait([ended], timeout=SOON)
                continue
            self._set("there", told["pid"])
            return

    def _set(self, state: State, pid: int | None) -> None:
        before = (self.state, self.pid)
        self.state, self.pid = state, pid
        if before != (state, pid):
            self._changed()


async def _over(task: asyncio.Future[None]) -> None:
    """Ends it, and returns when it has let go of what it watches."""
    task.cancel()
    await asyncio.wait([task])


async def _readable(fd: int) -> None:
    """Returns when the process of this pidfd has ended."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def end() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(fd, end)
    try:
        await ready
    finally:
        loop.remove_reader(fd)
