"""A socket that other machines reach beside one of this machine's: by keys, where `listen` says.

What cannot be bound now is tried again at the next look, and said until then. Keys that were made
or revoked are in force from the next look on: the socket is bound anew, so whoever has lost his key
loses his connection, and everybody else has it back at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from marianne.daemon.shared.log import get_logger

if TYPE_CHECKING:
    from ipc.network import NetworkEndpoint
    from marianne.home import Home

log = get_logger(__name__)


class Stoppable(Protocol):
    """A server or a publisher."""

    def start(self) -> None:
        """Binds. Raises EndpointError."""

    def stop(self) -> Any:
        """Closes."""


T = TypeVar("T", bound=Stoppable)


class Outside(Generic[T]):
    """For one actor's thread, in a home. ``make`` makes what is to serve at the address ``listen``;
    ``events``: at the port of these. ``unserved`` gets why it does not."""

    def __init__(
        self,
        home: Home,
        listen: str | None,
        unserved: dict[str, str],
        make: Callable[[NetworkEndpoint], T],
        *,
        events: bool = False,
    ) -> None:
        self._home, self._unserved, self._make = home, unserved, make
        self._address = listen
        if self._address is not None and events:
            from marianne.keys.address import for_events

            self._address = for_events(self._address)
        self._mark: tuple[Any, ...] | None = None
        self.socket: T | None = None

    def look(self) -> None:
        """Binds, if it is wanted and not bound by the keys that there are now."""
        if self._address is None:
            return
        from ipc.errors import EndpointError  # what few conductors need
        from marianne.keys.store import Keys, KeysError

        keys = Keys(self._home.path)
        mark = keys.mark()
        if self.socket is not None and mark == self._mark:
            return
        self.stop()
        try:
            socket = self._make(keys.endpoint(self._address))
            socket.start()
        except (EndpointError, KeysError) as error:
            self._say(f"{self._address}: {error}")
            return
        self._say(None)
        self.socket, self._mark = socket, mark
        log.info("listens", address=self._address, keys=len(mark))

    def stop(self) -> None:
        """Closes."""
        if self.socket is not None:
            self.socket.stop()
            self.socket = None

    def _say(self, why: str | None) -> None:
        assert self._address is not None
        if why is None:
            self._unserved.pop(self._address, None)
        elif self._unserved.get(self._address) != why:
            self._unserved[self._address] = why
            log.error("does_not_listen", why=why)
