"""Events of this process's jobs, for whoever listens in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from marianne.daemon.shared.log import get_logger

log = get_logger(__name__)

Listener = Callable[[str, Mapping[str, Any]], Any]
"""The event's name as ``sheet.completed``, and what is said of it."""


class EventBus:
    """Calls its listeners in the thread in which an event is published: they must be quick.

    A listener that is subscribed in an event loop is called there, soon, in the order of the
    events of one job, until the loop is closed. Clients in other processes have the events socket
    (docs/protocol.md).
    """

    def __init__(self) -> None:
        self._listeners: tuple[tuple[Listener, Listener, Callable[[], bool]], ...] = ()

    def subscribe(self, listener: Listener) -> None:
        """It hears of every event from now on."""
        import asyncio

        call, is_gone = listener, _never
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            call, is_gone = _in_loop(loop.call_soon_threadsafe, listener), loop.is_closed
        self._listeners = (*self._listeners, (listener, call, is_gone))

    def unsubscribe(self, listener: Listener) -> None:
        """It hears nothing more."""
        self._listeners = tuple(one for one in self._listeners if one[0] != listener)

    def publish(self, event: str, data: Mapping[str, Any]) -> None:
        """Tells everybody; what a listener raises is logged."""
        for listener, call, is_gone in self._listeners:
            if is_gone():
                self.unsubscribe(listener)
                continue
            try:
                call(event, data)
            except Exception as error:  # noqa: BLE001 - a closed loop, or the program's own fault
                log.error("listener_failed", listener=repr(listener), error=repr(error))


def _never() -> bool:
    return False


def _in_loop(soon: Callable[..., Any], listener: Listener) -> Listener:
    return lambda event, data: soon(listener, event, data)
