"""What runs of a job, as its actor is told it: once it has asked, and it is known and on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from marianne.executors.outbox import Outbox

Hello = dict[str, Any]


class Announcement:
    """One question of the job's newest incarnation, and one answer.

    ``tell`` gets a hello and the incarnation that it is for; what was told to the process before,
    ``untaken``, is void then. ``recorded``: the process is on disk, so that no restart misses it.
    """

    def __init__(self, tell: Callable[[Hello, int], None], untaken: Outbox) -> None:
        self._tell = tell
        self._untaken = untaken
        self._asker: int | None = None
        self._newest: int | None = None
        self._hello: Hello | None = None
        self.recorded = False

    @property
    def awaited(self) -> bool:
        """Whether the job has asked and has no answer yet."""
        return self._asker is not None

    def ask(self, incarnation: int) -> None:
        """The job's actor, as this incarnation, wants to know."""
        self._asker = self._newest = incarnation

    def doubt(self) -> None:
        """What was said may be old by now."""
        self._hello = None

    def learn(self, hello: Hello) -> None:
        """The process has said this in answer to the last question."""
        self._hello = hello

    def give(self) -> None:
        """Tells it, if it is asked for and known."""
        if self._asker is not None and self._hello is not None and self.recorded:
            self._give(self._hello, self._asker)

    def give_nothing(self, finished: Iterable[dict[str, Any]]) -> None:
        """Tells who asked last that nothing runs, and what is ``finished``."""
        if self._newest is not None:
            self._give({"running": (), "unacked": list(finished)}, self._newest)

    def _give(self, hello: Hello, asker: int) -> None:
        self._asker = None
        self._untaken.clear()
        self._tell(hello, asker)
