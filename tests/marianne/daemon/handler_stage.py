"""A request in a handler's hands: a context that notes what is asked of whom, a real database."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from shutil import copyfile, rmtree
from tempfile import mkdtemp
from types import SimpleNamespace
from typing import Any, cast

import pytest

from actors import Future, System
from marianne.daemon.api import handlers
from marianne.daemon.api.request_context import Call
from marianne.daemon.config import DaemonConfig
from marianne.daemon.shared.deaths import Deaths
from marianne.daemon.shared.idempotency import RequestId
from marianne.daemon.shared.proof import Proof
from marianne.daemon.shared.rate_limits import RateLimitCoordinator
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.shared.status_cache import StatusCache
from marianne.daemon.shared.storage import Storage
from marianne.home import Home
from marianne.learning.hub import LearningHub
from marianne.model.plan import Instrument, Plan, Prompt, SheetPlan
from marianne.score.pack import pack_plan
from marianne.state.changes import Change, InsertJob
from marianne.state.database import Database
from marianne.state.models import JobRow, JobStatus
from marianne.state.reader import Reader

PLAN = Plan(
    "job", "/w", (SheetPlan(1, "one", 1, Instrument("shell"), Prompt("true")),), total_stages=1
)


class Post:
    """Stands for every handle: what was asked, of whom, with how many seconds to answer."""

    def __init__(self, system: System) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.answer: Callable[..., Any] = lambda *args: None
        self._system = system

    def handle(self, name: str) -> Any:
        def call(method: Any, *args: Any, **named: Any) -> Future[Any]:
            self.asked.append((name, method.__name__, *args, *named.items()))
            future: Future[Any] = Future(self._system, name, None, None)
            try:
                future.answer(self.answer(*args))
            except Exception as error:  # noqa: BLE001 - what the actor would refuse with
                future.refuse(error)
            return future

        def within(seconds: float) -> Any:
            return SimpleNamespace(
                call=call, ask=lambda *args, **named: call(*args, **named).get(1.0)
            )

        return SimpleNamespace(within=within, call=call, tell=call)


@cache
def empty_database() -> Path:
    """A database without jobs: each is a copy of it, for to make one takes a tenth of a second."""
    path = Path(mkdtemp(prefix="desk-")) / "state.db"
    Database(path).close()
    atexit.register(rmtree, path.parent)
    return path


class Desk:
    """One home with a few jobs; :meth:`call` is what a handler is given."""

    def __init__(self, place: Path) -> None:
        self.home = Home(place)
        self.system = System("desk")
        self.post = Post(self.system)
        copyfile(empty_database(), self.home.db)
        self.reader = Reader(self.home.db)
        self.context: Any = SimpleNamespace(
            system=self.system,
            home=self.home,
            deaths=Deaths(),
            config=DaemonConfig(),
            unserved={},
            proof=Proof(),
            groups=SimpleNamespace(base=None),
            storage=Storage(place),
            status_cache=StatusCache(),
            learned=LearningHub(),
            manager=self.post.handle("manager"),
            rates=self.post.handle("rates"),
            health=self.post.handle("health"),
            store=self.post.handle("store"),
            schedules=self.post.handle("schedules"),
            job=lambda job_id: self.post.handle(f"job:{job_id}/job"),
        )

    def write(self, *changes: Change) -> None:
        with Database(self.home.db) as database:
            database.write(changes)

    def insert(self, *job_ids: str, status: JobStatus = JobStatus.RUNNING) -> None:
        plan = pack_plan(PLAN)
        self.write(
            *(
                InsertJob(JobRow(job, job, status, f"/w/{job}", 1.0, 1), plan, "", b"\x80")
                for job in job_ids
            )
        )

    def call(self, request_id: str = "id") -> Call:
        return Call(cast("Any", self.context), self.reader, RequestId(request_id, b"asked"), 7.0)


@contextmanager
def desk_in(place: Path) -> Iterator[Desk]:
    """A desk, put away at the end."""
    desk = Desk(place)
    try:
        yield desk
    finally:
        desk.reader.close()
        desk.system.shutdown(timeout=5.0)


def asked(handler: Any, desk: Desk, **params: Any) -> Any:
    """The handler's answer, as a client would get it."""
    answer = handler.handle(desk.call(), handlers.validate(handler, params))
    return answer.get(5.0) if isinstance(answer, Future) else answer


def refusal(handler: Any, desk: Desk, **params: Any) -> Refused:
    with pytest.raises(Refused) as refused:
        asked(handler, desk, **params)
    return refused.value


@contextmanager
def services_desk(place: Path) -> Iterator[Desk]:
    """A desk for one of the services, with the scheduler and what else they speak to."""
    with desk_in(place) as desk:
        desk.context.scheduler = desk.post.handle("scheduler")
        desk.context.rate_limits = RateLimitCoordinator()
        desk.context.config = DaemonConfig()
        desk.context.heart_pid = None
        yield desk


def told(desk: Desk, name: str) -> list[tuple[Any, ...]]:
    """What the actor of that name was told or asked."""
    return [asked[1:] for asked in desk.post.asked if asked[0] == name]
