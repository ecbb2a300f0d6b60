"""Who stands around a part of the manager: its turns, the store, other actors, processes.

No actor runs: what a part waits for is collected, and the test says what becomes of it and when.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from actors import Future, Promise, System
from marianne.daemon.worker.executor import LocalExecutor
from marianne.executors.beside import Again, CommandEnd, SideCommand
from marianne.state.changes import AddEvent, Change
from marianne.state.database import Database
from marianne.state.models import JobRow


class Owed(Promise[Any]):
    """A promise that shows what became of it."""

    def __init__(self, system: System) -> None:
        self.future: Future[Any] = Future(system, "manager", None, None)
        super().__init__(self.future, {})


class Process:
    """Stands for a process: it lives until it is told to end."""

    def __init__(self, pid: int, *started: Any) -> None:
        self.pid, self.start_time, self.started = pid, 1, started
        self.signals: list[int] = []

    def alive(self) -> bool:
        return signal.SIGKILL not in self.signals

    def signal(self, number: int) -> bool:
        self.signals.append(number)
        return True

    def kill(self) -> bool:
        return self.signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> None:
        assert not self.alive()


class Processes:
    """In place of the system's: ``error`` is why none starts, ``found`` who can be adopted."""

    def __init__(self) -> None:
        self.started: list[Process] = []
        self.found: dict[tuple[int, int], Process] = {}
        self.error: Exception | None = None

    def start(self, target: Any, args: Any, name: str = "", **_options: Any) -> Process:
        if self.error is not None:
            raise self.error
        self.started.append(Process(70_000 + len(self.started), target, args, name))
        return self.started[-1]

    def adopt(self, pid: int, start_time: int) -> Process | None:
        return self.found.get((pid, start_time))


class Executor(LocalExecutor):
    """The local one without its actors: what runs beside jobs, or of a job without actors, ends
    when the test says so.

    ``running`` are commands, ``looks`` checks that are made again; ``refusal`` is why none of these
    can be begun. ``ended`` are the jobs of which nothing is to be left; while ``held`` that takes.
    ``error`` is why it cannot say what a job has finished.
    """

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self._system: System = context.system
        self.unprepared: list[str] = []
        self.running: list[tuple[SideCommand, Future[CommandEnd]]] = []
        self.looks: list[tuple[str, Sequence[Again], Future[list[dict[str, Any]]]]] = []
        self.begun = 0
        self.refusal: Exception | None = None
        self.ended: list[tuple[str, Future[None]]] = []
        self.held = False
        self.error: Exception | None = None

    def _future(self) -> Future[Any]:
        return Future(self._system, "executor", None, None)

    def unprepare(self, job_id: str) -> None:
        self.unprepared.append(job_id)
        super().unprepare(job_id)

    def command(self, command: SideCommand) -> Future[CommandEnd]:
        future = self._future()
        if self.refusal is not None:
            future.refuse(self.refusal)
        else:
            self.running.append((command, future))
            self.begun += 1
        return future

    def recheck(self, job_id: str, sheets: Sequence[Again]) -> Future[list[dict[str, Any]]]:
        future = self._future()
        if self.refusal is not None:
            future.refuse(self.refusal)
        else:
            self.looks.append((job_id, sheets, future))
        return future

    def end(self, row: JobRow) -> Future[None]:
        future = self._future()
        self.ended.append((row.job_id, future))
        if not self.held:
            future.answer(None)
        return future

    def finished(self, job_id: str) -> Any:
        if self.error is not None:
            raise self.error
        return super().finished(job_id)


class Turns:
    """In place of the actor's turns: they are taken when the test says so."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._next: deque[Callable[[], None]] = deque()
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.monitored: list[Any] = []

    def pipe(self, future: Future[Any], method: Any, /, *args: Any, **kwargs: Any) -> None:
        future.on_done(
            lambda done: self._next.append(partial(method, done.outcome(), *args, **kwargs))
        )

    def after(self, seconds: float, method: Any, /, *args: Any, **kwargs: Any) -> None:
        self.timers.append((seconds, partial(method, *args, **kwargs)))

    def soon(self, method: Any, /, *args: Any, **kwargs: Any) -> None:
        self._next.append(partial(method, *args, **kwargs))

    def promise(self) -> Owed:
        return Owed(self._system)

    def monitor(self, target: Any) -> None:
        self.monitored.append(target)

    @property
    def due(self) -> int:
        """How many turns wait."""
        return len(self._next)

    def run(self) -> None:
        """All turns that are due."""
        while self._next:
            self._next.popleft()()

    def ring(self) -> list[float]:
        """The timers that are set come; their seconds."""
        rung, self.timers = self.timers, []
        for _seconds, wake in rung:
            wake()
            self.run()
        return [seconds for seconds, _wake in rung]


class Disk:
    """In place of the store: it commits at once, or, while ``held``, when it is told to; what may
    fail fails with ``error``, and what is kept waits for its end."""

    def __init__(self, path: Path, system: System) -> None:
        self._database, self._system = Database(path), system
        self._waiting: list[tuple[list[Change], bool, Future[Any]]] = []
        self.batches: list[list[Change]] = []
        self.held = False
        self.error: Exception | None = None

    def write(self, changes: Any, _writer: str, kept: bool = True) -> Future[Any]:
        future: Future[Any] = Future(self._system, "store", None, None)
        self._waiting.append((list(changes), kept, future))
        if not self.held:
            self.commit()
        return future

    def commit(self) -> None:
        """What waits is on disk, or has failed."""
        waiting, self._waiting = self._waiting, []
        for changes, kept, future in waiting:
            if self.error is not None and kept:
                self._waiting.append((changes, kept, future))
            elif self.error is not None:
                future.refuse(self.error)
            else:
                self.put(future, changes)

    def put(self, future: Future[Any], changes: list[Change]) -> None:
        try:
            future.answer(self._database.write(changes))
        except Exception as error:  # noqa: BLE001 - what the store would refuse with
            future.refuse(error)
        else:
            self.batches.append(changes)

    @property
    def events(self) -> list[tuple[str | None, str]]:
        """What was committed of events: whose, and which."""
        return [
            (change.job_id, change.event)
            for batch in self.batches
            for change in batch
            if isinstance(change, AddEvent)
        ]

    def close(self) -> None:
        self._database.close()


class Others:
    """Stands for every actor: what each was told and asked; the test answers, now or later.

    ``answers`` has, by a method's name, what is answered at once: a value, or an error.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self.told: list[tuple[Any, ...]] = []
        self.asked: list[tuple[Any, ...]] = []
        self.answers: dict[str, Any] = {}
        self._open: list[tuple[str, Future[Any]]] = []

    def handle(self, name: str) -> Any:
        def tell(method: Any, *args: Any) -> None:
            self.told.append((name, method.__name__, *args))

        def call(method: Any, *args: Any) -> Future[Any]:
            future: Future[Any] = Future(self._system, name, None, None)
            self.asked.append((name, method.__name__, *args))
            self._open.append((method.__name__, future))
            if method.__name__ in self.answers:
                self.answer(method.__name__, self.answers[method.__name__])
            return future

        made = SimpleNamespace(tell=tell, call=call, name=name)
        made.within = lambda seconds: made
        return made

    def answer(self, method: str, value: Any = None) -> None:
        """Answers the oldest open question of this name."""
        at = next(at for at, one in enumerate(self._open) if one[0] == method)
        _name, future = self._open.pop(at)
        if isinstance(value, BaseException):
            future.refuse(value)
        else:
            future.answer(value)

    def was_told(self, method: str) -> list[tuple[Any, ...]]:
        """The arguments of each such message."""
        return [one[2:] for one in self.told if one[1] == method]
