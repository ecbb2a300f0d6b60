"""What each verb of schedules takes, whom it asks for what, and what it answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from handler_stage import Desk, desk_in

from actors import Future
from ipc import codec
from marianne.daemon.api import handlers
from marianne.daemon.api.handlers import (
    schedule_add,
    schedule_list,
    schedule_pause,
    schedule_remove,
    schedule_resume,
    schedule_run_now,
)


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Desk]:
    with desk_in(tmp_path) as desk:
        desk.post.answer = lambda *args: {"told": True}
        yield desk


def asked(handler: Any, desk: Desk, **params: Any) -> Any:
    """The handler's answer, as a client would get it."""
    answer = handler.handle(desk.call(), handlers.validate(handler, params))
    return answer.get(5.0) if isinstance(answer, Future) else answer


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (schedule_pause, ("pause", "nightly", "id")),
        (schedule_resume, ("resume", "nightly", "id")),
        (schedule_remove, ("remove", "nightly", "id")),
        (schedule_run_now, ("run_now", "nightly", "id")),
        (schedule_list, ("schedules",)),
    ],
)
def test_schedules_are_changed_and_told_by_who_keeps_them(
    shared: Desk, handler: Any, message: tuple[Any, ...]
) -> None:
    named = {} if handler is schedule_list else {"name": "nightly"}
    assert asked(handler, shared, **named) == {"told": True}
    assert shared.post.asked == [("schedules", *message)]


@pytest.mark.parametrize(
    ("more", "name", "workspace"),
    [({}, "the-report", None), ({"name": "n", "workspace": "w"}, "n", "/c/w")],
)
def test_a_schedule_is_named_after_its_file_and_its_paths_are_the_clients(
    shared: Desk, more: dict[str, str], name: str, workspace: str | None
) -> None:
    given = {"cron": "@daily", "config_path": "d/the report.yaml", "client_cwd": "/c"}
    environment = {"environment": {"TOKEN": "secret"}, "tz": "Europe/Paris"}
    asked(schedule_add, shared, **given, **environment, **more)
    ((_, _, row, packed, request_id),) = shared.post.asked
    assert (row.name, row.cron, row.zone, request_id) == (name, "@daily", "Europe/Paris", "id")
    assert (row.overlap, row.catch_up) == ("skip", "none")
    assert row.request == {
        "config_path": "/c/d/the report.yaml",
        "client_cwd": "/c",
        "workspace": workspace,
        "variables": {},
        "priority": 5,
        "fresh": False,
    }
    assert codec.unpack(packed) == {"TOKEN": "secret"}
