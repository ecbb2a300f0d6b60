"""In place of what notices are delivered by, and what they are made of."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from handler_stage import Desk, desk_in

from actors import Future, System
from marianne.daemon.config import DaemonConfig
from marianne.daemon.services import notifications
from marianne.daemon.services.notifications import Notifications
from marianne.daemon.shared.failures import Delivery
from marianne.executors.beside import CommandEnd, SideCommand
from marianne.state.changes import Change, InsertJob
from marianne.state.models import Event, JobRow, JobStatus


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


class Told(Notifications):
    """The actor without its thread: what it would wait for is in ``later``."""

    later: list[float]

    def pipe(self, future: Any, method: Any, *args: Any) -> None:
        future.on_done(lambda done: method(done.outcome(), *args))

    def send_after(self, seconds: float, method: Any, *args: Any) -> Any:
        self.later.append(seconds)
        return SimpleNamespace(cancel=lambda: None)


@contextmanager
def notice_desk(place: Path) -> Iterator[Desk]:
    """A desk whose context has what notices need, and where written changes are on disk at once."""
    with desk_in(place) as desk:
        desk.context.delivery = Delivery()
        desk.context.config = DaemonConfig()

        def written(method: Any, changes: list[Change], **named: Any) -> Future[None]:
            desk.write(*changes)
            future: Future[None] = Future(desk.system, "store", None, None)
            future.answer(None)
            return future

        desk.context.store.call = written
        desk.context.actors = []
        yield desk
        for actor in desk.context.actors:
            actor.on_stop(None)


def notifier(desk: Desk) -> Told:
    actor = Told(desk.context)
    actor.later = []
    actor.on_start()
    desk.context.actors.append(actor)
    return actor


def job(desk: Desk, *receivers: dict[str, Any], job_id: str = "a") -> None:
    options = {"after": {"notifications": list(receivers)}}
    row = JobRow(job_id, job_id, JobStatus.FAILED, "/w", 1.0, 1, error="it broke", options=options)
    desk.write(InsertJob(row, b"", "", b""))


def receiver(kind: str = "command", *events: str, **config: Any) -> dict[str, Any]:
    if kind == "command":
        config = {"command": "tell", **config}
    return {"type": kind, "on_events": list(events or ("job_failed",)), "config": config}


def event(seq: int, name: str = "job.failed", job_id: str | None = "a") -> Event:
    return Event(seq, 0, time.time(), job_id, None, name, {"exit_code": 3})


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Both clocks go on."""
    now, wall = notifications.steady(), time.time()
    monkeypatch.setattr(notifications, "steady", lambda: now + seconds)
    monkeypatch.setattr(notifications, "time", SimpleNamespace(time=lambda: wall + seconds))
