"""In place of what notices are delivered by."""

from __future__ import annotations

from actors import Future, System
from marianne.executors.beside import CommandEnd, SideCommand


class Errands:
    """In place of the executor: notes what was to be run."""

    def __init__(self, system: System) -> None:
        self.started: list[SideCommand] = []
        self.under_way: list[Future[CommandEnd]] = []
        self.trouble: Exception | None = None
        self._system = system

    def command(self, command: SideCommand) -> Future[CommandEnd]:
        future: Future[CommandEnd] = Future(self._system, "beside", None, None)
        if self.trouble is not None:
            future.refuse(self.trouble)
            return future
        self.started.append(command)
        self.under_way.append(future)
        return future

    def end(self, words: str | None = None) -> None:
        """The oldest ends: well, or with these words."""
        self.under_way.pop(0).answer(CommandEnd(words is None, words or "exit code 0"))
