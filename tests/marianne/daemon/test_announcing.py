"""What the log says of a conductor, and of requests that it refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors import SystemEvent
from marianne.daemon.api import refusals
from marianne.daemon.api.refusals import Refusals
from marianne.daemon.boot import announcing
from marianne.daemon.config import DaemonConfig
from marianne.daemon.context import StopRequest
from marianne.daemon.shared.figures import Figures
from marianne.daemon.shared.refusal import Refused
from marianne.state.changes import AddEvent

Line = tuple[str, dict[str, Any]]


class Lines(list[Line]):
    """A logger that keeps what it is told."""

    def info(self, event: str, **fields: Any) -> None:
        self.append((event, fields))

    warning = error = info


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Lines:
    lines = Lines()
    for module in (announcing, refusals):
        monkeypatch.setattr(module, "log", lines)
    return lines


class Ear(list[Any]):
    """The store: keeps what it is told to write."""

    def tell(self, _method: object, changes: list[AddEvent], **_: object) -> None:
        self.extend(changes)


def context(**more: Any) -> Any:
    given = {"config": DaemonConfig(), "home": SimpleNamespace(path=Path("/h"))}
    given["figures"] = Figures()
    return SimpleNamespace(**given, stop=StopRequest(), store=Ear(), started_at=0.0, **more)


def test_a_start_says_with_what(said: Lines) -> None:
    announcing.started(context())
    [(event, fields)] = said
    assert event == "conductor_started"
    assert (fields["home"], fields["config"], fields["max_concurrent_jobs"]) == ("/h", None, 15)


def test_an_end_says_in_which_way_and_who_wanted_it(said: Lines) -> None:
    one = context()
    one.stop.ask("drain", why="a client asked")
    announcing.stopping(one)
    announcing.stopped(one)
    assert said[0] == ("conductor_stopping", {"mode": "drain", "why": "a client asked"})
    assert said[1][0] == "conductor_stopped"


@pytest.mark.parametrize(
    ("kind", "name", "error", "event", "mode"),
    [
        ("crashed", "monitor", "ValueError: x", "actor.crashed", None),
        ("restarted", "monitor", "", "actor.restarted", None),
        ("gave_up", "job:a", "", "actor.gave_up", None),
        ("gave_up", "root", "", "actor.gave_up", "failed"),
        ("crashed", "store", "DatabaseCorrupt: damaged", None, "unusable"),
    ],
)
def test_only_the_root_and_a_damaged_database_end_the_conductor(
    said: Lines, kind: str, name: str, error: str, event: str | None, mode: str | None
) -> None:
    one = context()
    announcing.of_the_tree(SystemEvent(kind, name, error=error), one)
    assert one.stop.mode == mode
    assert [change.event for change in one.store] == ([event] if event else [])
    assert [event for event, _ in said] == [f"actor_{kind}"]


def test_of_many_refusals_a_few_are_said_each_with_how_many_they_are(said: Lines) -> None:
    refused = Refusals()
    for _ in range(9):
        refused.note("job.status", Refused("not_found", "no job 'x'"))
    refused.note("job.status", Refused("internal", "y"))
    assert [fields["so_far"] for _, fields in said] == [1, 2, 4, 8, 1]


def test_no_client_makes_it_keep_more_than_so_many_kinds(said: Lines) -> None:
    refused = Refusals()
    for number in range(refusals.KINDS + 5):
        refused.note(f"made.up{number}", Refused("unknown_method", "x"))
    assert len(said) == refusals.KINDS
