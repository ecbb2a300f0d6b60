"""The conductor as a process of its own: ``python -m marianne.daemon``."""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING

from marianne.daemon.boot.conductor import (
    EXIT_FAILED,
    EXIT_RUNNING,
    EXIT_UNUSABLE,
    Conductor,
    Given,
    unusable,
)
from marianne.daemon.boot.systemd import ServiceManager
from marianne.daemon.manager import JobManager
from marianne.daemon.processes.host import OwnProcess
from marianne.daemon.shared.log import get_logger
from marianne.home import Home, HomeLock
from marianne.streams import say_now

if TYPE_CHECKING:
    from marianne.daemon.config import DaemonConfig
    from marianne.daemon.context import Context

log = get_logger(__name__)


class DaemonProcess:
    """One conductor of one home, by default of ``MARIANNE_HOME`` or the user's.

    ``lock`` is the home's if the heart holds it. ``ready_fd`` gets one byte when clients are
    served, and is closed; it is closed without a byte when the boot fails, and stderr then says
    why.
    """

    def __init__(
        self,
        config: DaemonConfig,
        *,
        home: Home | None = None,
        given: Given | None = None,
        lock: HomeLock | None = None,
        ready_fd: int | None = None,
    ) -> None:
        self._config = config
        self._home = home
        self._given = given or Given()
        self._lock = lock
        self._ready_fd = ready_fd
        self._service = ServiceManager()
        self.exit_code = EXIT_FAILED
        """What ``run`` came to: 0; 1 if it could not go on; 6 where another conductor runs; 7 if
        it is to be replaced; 8 if the database is damaged or of a newer version."""

    async def run(self) -> None:
        """Boots, serves until asked to stop, stops.

        It has the process to itself from then on: it takes its signals, its limits and its
        children, and nothing else runs in the event loop. The process is to end afterwards.
        """
        try:
            home = self._home or self._config.at(Home())
            home.prepare()
            lock = home.lock() if self._lock is None else self._lock.keep()
            if lock is None:
                say_now(f"a conductor runs in {home.path} already\n")
                self.exit_code = EXIT_RUNNING
                return
            conductor = Conductor(JobManager(self._config), home, OwnProcess(), self._given)
            self.exit_code = conductor.run(lock, self._ready, self._service.stopping)
        except Exception as error:  # noqa: BLE001 - the last place that can say it
            self.exit_code = EXIT_UNUSABLE if unusable(error) else EXIT_FAILED
            say_now(f"{traceback.format_exc()}the conductor cannot go on: {error}\n")

    def _ready(self, context: Context) -> None:
        if self._ready_fd is not None:
            _say_ready(self._ready_fd)
        self._service.ready(context)


def _say_ready(fd: int) -> None:
    """One byte to the heart; one that died meanwhile is missed by nobody but the health checks."""
    try:
        os.write(fd, b"1")
    except OSError as error:
        log.warning("heart_not_told", error=repr(error))
    finally:
        os.close(fd)
