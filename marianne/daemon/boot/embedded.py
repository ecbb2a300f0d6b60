"""A conductor in somebody else's program: in a thread beside the program's event loop.

It is the same :class:`~marianne.daemon.boot.conductor.Conductor` as that of ``marianne start``;
what it leaves to the program is :class:`~marianne.daemon.processes.host.Guest`'s. What a restart
finds is what any conductor of the home finds: the lock is free, and the state says the rest.
"""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any

from marianne.daemon.boot.conductor import Conductor, Given
from marianne.daemon.processes.host import Guest
from marianne.daemon.shared.log import close_log, get_logger
from marianne.default_home import embedded_home
from marianne.home import Home, HomeError

if TYPE_CHECKING:
    from marianne.daemon.context import Context
    from marianne.daemon.manager import JobManager
    from marianne.home import HomeLock

log = get_logger(__name__)

PRELOAD = ("marianne.run.no_main",)

_one = threading.Lock()
"""Held while a conductor runs in this process: its log is the process's."""


class Embedded:
    """One life of a tree in this process."""

    def __init__(self, manager: JobManager) -> None:
        self._manager = manager
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Future[int] | None = None

    async def start(self) -> None:
        """Returns when the tree takes jobs. Raises HomeError, RuntimeError where one runs in this
        process already, and what keeps the tree from starting."""
        self._loop = asyncio.get_running_loop()
        home = self._home()
        home.prepare()
        lock = home.lock()
        if lock is None:
            raise HomeError(
                f"a conductor runs in {home.path} already; give the manager a home of its own"
            )
        if not _one.acquire(blocking=False):
            lock.release()
            raise RuntimeError("a conductor runs in this process already: shut that down first")
        ready: asyncio.Future[None] = self._loop.create_future()
        self._over = self._loop.create_future()
        thread = threading.Thread(
            target=self._run, args=(home, lock, ready), name="marianne-conductor", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:
            self._over = None
            lock.release()
            _one.release()
            raise
        await ready

    async def end(self, mode: str) -> None:
        """Returns when it is over, however it ended."""
        if self._over is None or self._over.done():
            return
        self._manager.context.stop.ask(mode, why="its program asked")
        await asyncio.wait([self._over])

    async def ended(self) -> None:
        """Returns when it is over. RuntimeError where the tree gave up."""
        if self._over is None:
            return
        code = await asyncio.shield(self._over)
        if code != 0:
            raise RuntimeError("the conductor's tree gave up; its log says why")

    def _home(self) -> Home:
        given = self._manager.home
        home = given if isinstance(given, Home) else Home(given or embedded_home())
        return self._manager.config.at(home)

    # -- in the thread --------------------------------------------------------------------------

    def _run(self, home: Home, lock: HomeLock, ready: asyncio.Future[None]) -> None:
        conductor = Conductor(self._manager, home, Guest(), Given(preload=PRELOAD))
        code = 1

        def begun(_: Context) -> None:
            self._settle(ready, None)

        try:
            code = conductor.run(lock, begun, lambda: None)
        except BaseException as error:  # noqa: BLE001 - the thread's last word, to who started it
            log.error("embedded_conductor_failed", error=repr(error))
            conductor.abandon()
            self._settle(ready, error)
        finally:
            self._manager.unbind()
            close_log()
            lock.release()
            _one.release()
            self._settle(self._over, code)

    def _settle(self, future: asyncio.Future[Any] | None, value: object) -> None:
        def settle() -> None:
            if future is None or future.done():
                return
            if isinstance(value, BaseException):
                future.set_exception(value)
            else:
                future.set_result(value)

        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(settle)
        except RuntimeError:
            log.warning("nobody_waits", pid=os.getpid())  # its loop is closed
