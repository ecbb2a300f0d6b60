"""What a wish to stop, a reload and an injected fault are answered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from handler_stage import Desk, asked, desk_in, refusal

from marianne.daemon.api.handlers import (
    daemon_fault,
    daemon_reload,
    daemon_shutdown,
)
from marianne.state.models import JobStatus

LIVE = [status for status in JobStatus if not status.terminal]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_in(tmp_path) as desk:
        yield desk


@pytest.fixture
def stopping(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The order of what a wish to stop does."""
    done: list[tuple[Any, ...]] = []
    desk.context.stop = SimpleNamespace(
        ask=lambda mode, drain=None, why="": done.append(("asked", mode, drain, why))
    )

    def keep(context: Any, mode: str, drain_seconds: float | None) -> bool:
        done.append(("kept", mode, drain_seconds))
        return mode != "force"

    monkeypatch.setattr(daemon_shutdown, "keep_order", keep)
    return done


def test_a_wish_to_stop_is_on_disk_before_it_is_carried_out_and_answered(
    desk: Desk, stopping: list[tuple[Any, ...]]
) -> None:
    answer = asked(daemon_shutdown, desk, mode="drain", drain_seconds=3)
    assert answer == {"stopping": True, "kept": True}
    assert stopping == [("kept", "drain", 3.0), ("asked", "drain", 3.0, daemon_shutdown.ASKED)]
    assert asked(daemon_shutdown, desk, mode="force")["kept"] is False
    assert stopping[-1] == ("asked", "force", None, daemon_shutdown.ASKED)


def test_a_restart_is_refused_where_the_next_conductor_could_not_start(
    desk: Desk, stopping: list[tuple[Any, ...]]
) -> None:
    desk.context.config_path = desk.home.path / "conductor.yaml"
    desk.context.config_path.write_text("max_concurrent_jobs: many\n")
    error = refusal(daemon_shutdown, desk, mode="restart")
    assert error.code == "invalid_params"
    assert error.data is not None
    assert error.data["problems"][0]["path"] == "max_concurrent_jobs"
    assert stopping == []
    desk.context.config_path.write_text("max_concurrent_jobs: 2\n")
    assert asked(daemon_shutdown, desk, mode="restart") == {"stopping": True, "kept": True}
    assert stopping == [("asked", "restart", None, daemon_shutdown.ASKED)]


def test_a_reload_answers_what_it_came_to(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    came_to = {"applied": [], "restart_needed": [], "warnings": []}
    monkeypatch.setattr(daemon_reload, "reload", lambda context: came_to)
    assert asked(daemon_reload, desk) is came_to


def test_a_fault_is_injected_only_where_the_environment_allows_it_and_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MARIANNE_FAULTS", raising=False)
    assert refusal(daemon_fault, desk, name="store").code == "unknown_method"
    monkeypatch.setenv("MARIANNE_FAULTS", "1")
    monkeypatch.setattr(daemon_fault, "_done", set())
    injected: list[str] = []
    monkeypatch.setattr(
        desk.context, "system", SimpleNamespace(inject=lambda name, error: injected.append(name))
    )
    assert asked(daemon_fault, desk, name="store") == {}
    assert asked(daemon_fault, desk, name="store") == {}, "asked again under its id"
    assert injected == ["store"]
