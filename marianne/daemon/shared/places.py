"""Where a conductor's files are, whether they are still the same ones, and how clients find them.

What runs was bound and opened once; somebody may remove or replace it while it runs, or name other
places in the configuration. So the conductor says in its home where it serves, and looks at its
files at the monitor's interval: what can be made again is, the rest is said.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ipc.errors import EndpointError
from marianne import serving
from marianne.daemon.shared.log import get_logger
from marianne.home import Home, HomeLock
from marianne.run.holders import identity

log = get_logger(__name__)


def bind_again(place: Path, listen: Callable[[], object]) -> None:
    """Binds a socket whose file is gone. One that cannot be bound now is tried at the next look."""
    log.warning("socket_lost", place=str(place))
    try:
        listen()
    except EndpointError as error:
        log.error("socket_not_bound", place=str(place), error=str(error))


class Places:
    """The files of a running conductor that no single actor owns."""

    def __init__(self, home: Home, lock: HomeLock, heart_pid: int | None) -> None:
        self._home = home
        self._lock = lock
        self._heart_pid = heart_pid
        self._made: HomeLock | None = None

    def tell(self) -> None:
        """Says in the home where this conductor serves, for clients whose configuration differs."""
        try:
            serving.tell(self._home)
        except OSError as error:
            log.warning("places_not_told", error=str(error))

    def look(self) -> bool:
        """Puts right what can be; False when the home was removed, and nothing can be kept."""
        guard = self._lock.guard
        if guard >= 0 and os.fstat(guard).st_nlink == 0:
            log.error("home_removed", home=str(self._home.path))
            return False
        if guard >= 0 and identity(self._home.path) != identity(guard):
            log.error("home_moved", home=str(self._home.path))
            return True
        if not self._home.pid_file.exists():
            self._name_holders()
        if not self._home.places_file.exists():
            self.tell()
        for directory in (self._home.jobs, self._home.logs, self._home.instruments):
            try:
                directory.mkdir(0o700, exist_ok=True)
            except OSError as error:
                log.error("directory_lost", place=str(directory), error=str(error))
        return True

    def _name_holders(self) -> None:
        """The lock's file was removed: its lock holds on, and so does that of the home."""
        log.warning("lock_file_lost", place=str(self._home.pid_file))
        made = self._home.name_holders(os.getpid(), self._heart_pid)
        if made is None:
            log.error("lock_file_not_made", place=str(self._home.pid_file))
            return
        if self._made is not None:
            self._made.release()
        self._made = made
