"""Watching another actor's end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.address import ActorRef
from actors.reasons import NO_ACTOR, Down, ExitReason

if TYPE_CHECKING:
    from actors.cell import Cell


class Monitor:
    """Delivers one DOWN of `target` to `watcher`, among the watcher's messages."""

    __slots__ = ("_name", "_target", "_watcher")

    def __init__(self, watcher: Cell, name: str, target: Cell | None) -> None:
        self._watcher = watcher
        self._name = name
        self._target = target

    def begin(self) -> None:
        """Watches; if the target has ended, or nobody has the name, the DOWN comes at once."""
        target = self._target
        if target is None:
            self.deliver(NO_ACTOR)
            return
        self._watcher.watching[self] = None  # first: the DOWN may come before this returns
        if not target.watch(self):
            self.deliver(target.reason or NO_ACTOR)

    def cancel(self) -> None:
        """No DOWN comes after this returns, unless it is in the mailbox already."""
        self._watcher.watching.pop(self, None)
        if self._target is not None:
            self._target.unwatch(self)

    def deliver(self, reason: ExitReason) -> None:
        """For the end of the target."""
        self._watcher.watching.pop(self, None)
        ref: ActorRef[Any] | None = None if self._target is None else ActorRef(self._target)
        self._watcher.mailbox.force(("on_down", (Down(self._name, ref, reason),), {}, None))
