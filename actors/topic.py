"""Many actors under one key, and what reaches all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

from actors.address import ActorRef
from actors.current import current
from actors.errors import MailboxFull

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from actors.system import System

A = TypeVar("A")
P = ParamSpec("P")


class Topic(Generic[A]):
    """Those that are in it: from `self.join_topic(key)` until `self.leave_topic(key)` or their end.

    Each is one incarnation; to be in it after a restart, join in `on_start`.
    """

    def __init__(self, system: System, key: Hashable) -> None:
        self._system = system
        self.key = key

    def members(self) -> list[ActorRef[A]]:
        """In the order of their joining."""
        return [ActorRef(cell) for cell in self._system.registry.members(self.key)]

    def tell(
        self, method: Callable[Concatenate[A, P], Any], *args: P.args, **kwargs: P.kwargs
    ) -> int:
        """Tells each of them; returns how many that were.

        What one sender tells a topic, each hears in that order. A full mailbox (policy `fail`, or
        `block` after its 5 seconds) costs its owner the message, a counted dead letter, and nobody
        else anything.
        """
        current.check()
        cells = self._system.registry.members(self.key)
        for cell in cells:
            try:
                cell.tell(method, args, kwargs)
            except MailboxFull:
                self._system.events.dead_letter("mailbox_full", cell.name)
        return len(cells)
