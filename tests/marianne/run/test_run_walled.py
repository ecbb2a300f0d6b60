"""The walls of a worker's sheets: what cannot be had fails a sheet with the reason, what passes
puts it off, what is done without is said once."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from marianne.run import walled
from marianne.run.spawn import SpawnError
from marianne.run.walled import Walled
from marianne.walls.asked import Sandbox
from marianne.walls.blueprint import Blueprint
from marianne.walls.probe import NOT_TRIED, Probe
from marianne.walls.room import Room, WallError

NOTHING = Probe(-errno.ENOSYS, True, errno.EPERM, *[NOT_TRIED] * 4)
ALL = Probe(7, False, 0, 0, 0, 0, 0)
ENV = {"HOME": "/nowhere"}


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the worker complains of."""
    words: list[str] = []
    monkeypatch.setattr(walled, "complain", words.append)
    return words


@pytest.fixture
def walls(tmp_path: Path) -> Walled:
    """Those of a job with a workspace and a directory in a home."""
    (tmp_path / "home" / "jobs" / "one" / "sheets").mkdir(parents=True)
    return Walled(str(tmp_path / "ws"), str(tmp_path / "home" / "jobs" / "one"))


def offered(monkeypatch: pytest.MonkeyPatch, found: Probe) -> None:
    monkeypatch.setattr(walled, "look", lambda: found)


def test_what_is_required_and_cannot_be_had_is_the_sheets_failure_with_its_reason(
    walls: Walled, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    offered(monkeypatch, NOTHING)
    with pytest.raises(SpawnError, match="'isolate': no pid namespace") as caught:
        walls.of(Sandbox(isolate=True), ENV)
    assert caught.value.category == "sandbox"
    assert said == []


def test_what_is_done_without_is_said_once(
    walls: Walled, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    offered(monkeypatch, NOTHING)
    asked = Sandbox(isolate=True, when_missing="best-effort")
    assert walls.of(asked, ENV) is walls.of(asked, ENV)
    assert walls.of(asked, ENV).standing == ()
    assert walls.of(asked, ENV).take() is None
    assert len(said) == 1
    assert "no pid namespace" in said[0]


@pytest.mark.parametrize(
    ("code", "kind"), [(errno.EAGAIN, OSError), (errno.ENOSPC, OSError), (errno.EPERM, SpawnError)]
)
def test_a_machine_that_has_no_more_just_now_puts_a_sheet_off(
    walls: Walled, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Exception]
) -> None:
    """No namespace left is no full disk."""
    offered(monkeypatch, ALL)

    def build(_plan: Blueprint) -> Room:
        raise WallError(code, "no")

    monkeypatch.setattr(walled, "build", build)
    with pytest.raises(kind) as caught:
        walls.of(Sandbox(isolate=True), ENV).take()
    if isinstance(caught.value, OSError):
        assert caught.value.errno == errno.EAGAIN


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("gone", [True, False])
def test_a_room_is_used_again_unless_it_was_left_unclean_or_its_first_process_died(
    walls: Walled, monkeypatch: pytest.MonkeyPatch, *, clean: bool, gone: bool
) -> None:
    offered(monkeypatch, ALL)
    monkeypatch.setattr(walled, "build", lambda _plan: Room(None, []))
    one = walls.of(Sandbox(isolate=True), ENV)
    first = one.take()
    assert first is not None
    one.give_back(first, clean=clean)
    first.gone = gone
    assert (one.take() is first) is (clean and not gone)
