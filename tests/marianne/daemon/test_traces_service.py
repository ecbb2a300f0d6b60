"""Who has a collector told: from when on, and what is shown of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from marianne.daemon.config import DaemonConfig
from marianne.daemon.config.traces import TracesConfig
from marianne.daemon.context import Context
from marianne.daemon.services.traces import Traces
from marianne.daemon.shared.figures import Figures
from marianne.daemon.views.traces import traces_sent
from marianne.home import Home
from marianne.state.changes import AddEvent
from marianne.state.database import Database
from marianne.traces import progress
from marianne.traces.progress import Progress

SECRET = "http://collector:4318/secret"


def context(home: Home, endpoint: str | None) -> Context:
    config = DaemonConfig(traces=TracesConfig(endpoint=endpoint, headers={"key": "sesame"}))
    seed = None if endpoint is None else "seed"
    made = SimpleNamespace(home=home, config=config, figures=Figures(), trace_seed=seed)
    return cast("Context", made)


@pytest.fixture
def database(home: Home) -> Iterator[Database]:
    with Database(home.db) as database:
        yield database


def test_what_happens_from_now_on_is_told(home: Home, database: Database) -> None:
    database.write([AddEvent(None, None, "daemon.started", {}, 1.0)])
    wanted = Traces(context(home, SECRET)).wanted()
    assert wanted is not None
    assert (wanted.listen, wanted.address) == ("http://collector:4318/********", None)
    assert wanted.given[0].url == SECRET
    assert wanted.given[0].headers == {"key": "sesame"}
    assert "sesame" not in repr(wanted)
    assert progress.read(home.path) == Progress(1)
    progress.write(home.path, Progress(5, 3))
    assert Traces(context(home, SECRET)).wanted() == wanted
    assert progress.read(home.path) == Progress(5, 3), "another conductor goes on"


def test_nobody_is_told_unless_it_is_said(home: Home) -> None:
    progress.write(home.path, Progress(5))
    assert Traces(context(home, None)).wanted() is None
    assert progress.read(home.path) is None
    assert traces_sent(context(home, None)) is None


def test_how_far_it_has_come_is_shown_without_a_secret(home: Home) -> None:
    given = context(home, SECRET)
    given.figures.committed = 12
    fresh = {"sent": 0, "dropped": 0, "waiting": 0, "trouble": "ok"}
    assert traces_sent(given) == {"endpoint": "http://collector:4318/********", **fresh}
    progress.write(home.path, Progress(5, 3, 1, "nobody answered"))
    told = {"sent": 3, "dropped": 1, "waiting": 7, "trouble": "nobody answered"}
    assert traces_sent(given) == {"endpoint": "http://collector:4318/********", **told}
    Traces(given).told("not sent at x: no process can be had")
    shown = traces_sent(given)
    assert shown is not None
    assert shown["trouble"] == "not sent at x: no process can be had"


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://h:4318", "http://h:4318/v1/traces"),
        ("https://h/", "https://h/v1/traces"),
        ("https://h/otlp/v1/traces", "https://h/otlp/v1/traces"),
        ("https://h/?key=x", "https://h/?key=x"),
    ],
)
def test_an_address_with_a_path_is_taken_as_it_is(endpoint: str, url: str) -> None:
    assert TracesConfig(endpoint=endpoint).url == url


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoint": "collector:4318"},
        {"endpoint": "grpc://collector:4317"},
        {"endpoint": "http://"},
        {"endpoint": "http://h:99999"},
        {"endpoint": "http://h/a b"},
        {"endpoint": "http://h", "headers": {"a b": "sesame"}},
        {"endpoint": "http://h", "headers": {"key": "sesame\nsesame"}},
    ],
)
def test_what_cannot_be_is_refused_without_a_secret(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"endpoint: |headers: ") as refused:
        TracesConfig.model_validate(wrong)
    assert "sesame" not in str(refused.value.errors()[0]["msg"])  # type: ignore[attr-defined]


def test_the_seed_of_spans_does_not_tell_the_owner(tmp_path: Path) -> None:
    traced = context(Home(tmp_path), SECRET)
    traced.owner = "owner"
    found = Context.trace_seed.fget(traced)  # type: ignore[attr-defined]
    assert found
    assert found != "owner"
