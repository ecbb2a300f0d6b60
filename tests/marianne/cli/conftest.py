"""A home of each test's own, and the program called in this process."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cli_fake import FakeConductor

from marianne.cli import program
from marianne.cli.session import Session
from marianne.home import Home


@pytest.fixture(autouse=True, scope="session")
def interrupts() -> None:
    """A shell without job control starts what it puts in the background with SIGINT ignored, and
    exec(2) hands that down: no interrupt would reach the programs that these tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class Done:
    """What a call of the program left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    place = Home(tmp_path / "home")
    place.prepare()
    monkeypatch.setenv("MARIANNE_HOME", str(place.path))
    monkeypatch.chdir(tmp_path)
    return place


@pytest.fixture
def marianne(home: Home, capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Done]]:
    """The program, called in this process."""
    sessions = []

    def call(*argv: str) -> Done:
        sessions.append(Session())
        capfd.readouterr()
        code = program.run(argv, sessions[-1])
        out, err = capfd.readouterr()
        return Done(code, out, err)

    yield call
    for session in sessions:
        session.close()


@pytest.fixture
def conductor(home: Home) -> Iterator[FakeConductor]:
    """A conductor that answers what the test says, and holds the home's lock."""
    with FakeConductor(home) as fake:
        yield fake
