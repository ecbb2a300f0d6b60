"""Only the limits of its own child say that a score is too much; every other end is our trouble."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from stopped_child import stopped

from actors import Future, Handle, System, forkserver
from marianne.daemon.context import Context
from marianne.daemon.services import parser as parser_module
from marianne.daemon.services.parser import CHILDREN, PARSE, Parser
from marianne.daemon.shared.parsed import ParseRequest
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.shared.score_cache import ScoreCache

SMALL = "name: small\nworkspace: ./w\nsheets:\n  - {name: a, run: 'true'}\n"
LOOP = """name: loop
workspace: ./w
sheets:
  - {name: a, run: "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"}
"""


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        threading.Event().wait(0.005)


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


class Stage:
    """A parser whose children can be caught as they start.

    ``on_child`` gets each one stopped, before it has read anything.
    """

    def __init__(self, place: Path, system: System, name: str) -> None:
        self.place = place
        self.caught: list[Any] = []
        self.most = 0
        self.on_child: Callable[[Any], object] | None = None
        self.context = SimpleNamespace(
            home=SimpleNamespace(path=place, instruments=place / "instruments"),
            system=SimpleNamespace(processes=self),
            scores=ScoreCache(),
            score_settings=None,
            unreadable=None,
        )
        self.processes = system.processes
        system.spawn(Parser, cast("Context", self.context), name=name)
        self.parser: Handle[Parser] = system.handle(Parser, name)

    def start(self, target: str, arguments: tuple[Any, ...], name: str) -> Any:
        """In the place of the system's processes."""
        on_child = self.on_child
        if on_child is None:
            child = self.processes.start(target, arguments, name=name)
        else:
            child = self.processes.start(stopped, (target, arguments), name=name)
        self.caught.append(child)
        self.most = max(self.most, sum(each.alive() for each in self.caught))
        if on_child is not None:
            _until(lambda: _is_stopped(child.pid))
            on_child(child)
        return child

    def load(self, text: str | None = SMALL, path: str | None = None) -> Future[Any]:
        wanted = ParseRequest(
            path=path,
            text=text,
            base_dir=str(self.place),
            workspace=None,
            variables={},
            instruments=str(self.place / "instruments"),
            search_path=os.environ["PATH"],
        )
        return cast("Future[Any]", self.parser.within(60.0).call(Parser.load, wanted))


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    forkserver.end()  # one that an earlier test has left has other modules
    system = System("test")
    system.processes.prepare(["marianne.daemon.services.parse_child"])
    yield system
    system.shutdown(timeout=5.0)
    system.processes.end_helpers()


@pytest.fixture
def stage(
    tmp_path: Path, system: System, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Stage]:
    # A busy machine may give a child no time for long: only who tests that looks after it.
    monkeypatch.setattr(parser_module, "LOOK_SECONDS", 600.0)
    made = Stage(tmp_path, system, request.node.name)
    yield made
    system.handle(Parser, request.node.name).stop()
    for child in made.caught:
        assert child.wait(10.0) is not None


def _only_the_first(stage: Stage, action: Callable[[Any], object]) -> Callable[[Any], object]:
    return lambda child: action(child) if len(stage.caught) == 1 else child.signal(signal.SIGCONT)


def test_a_child_that_somebody_kills_is_replaced(stage: Stage) -> None:
    stage.on_child = _only_the_first(stage, lambda child: child.kill())
    assert stage.load().get().name == "small"
    assert len(stage.caught) == 2


@pytest.mark.slow
def test_a_child_that_gets_no_time_to_run_is_replaced(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parser_module, "LOOK_SECONDS", 3.0)
    stage.on_child = _only_the_first(stage, lambda child: None)  # it stays stopped
    assert stage.load().get().name == "small"
    assert stage.caught[0].wait(5.0).signal == signal.SIGKILL


def test_a_child_that_cannot_be_ended_keeps_its_place_and_nobody_waiting(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parser_module, "LOOK_SECONDS", 0.2)

    def hold(child: Any) -> None:
        child.kill = lambda: True  # as in a system call on a file system that does not answer

    stage.on_child = hold
    waiting = [stage.load() for _ in range(3)]
    for future in waiting:
        with pytest.raises(Refused, match=r"cannot be ended|can be ended") as refusal:
            future.get()
        assert refusal.value.code == "unavailable"
    assert "ended" in str(stage.context.unreadable)
    assert len(stage.caught) == CHILDREN
    stage.on_child = None
    monkeypatch.setattr(parser_module, "LOOK_SECONDS", 600.0)
    for child in stage.caught:
        child.signal(signal.SIGCONT)
        assert child.wait(10.0) is not None
    assert stage.load().get().name == "small"


def test_children_that_are_always_killed_are_unavailable_and_not_ready(stage: Stage) -> None:
    stage.on_child = lambda child: child.kill()
    with pytest.raises(Refused) as refusal:
        stage.load().get()
    assert refusal.value.code == "unavailable"
    assert "signal 9" in str(stage.context.unreadable)
    stage.on_child = None
    assert stage.load().get().name == "small"
    assert stage.context.unreadable is None


def test_a_start_that_fails_is_tried_again(stage: Stage) -> None:
    failures = [OSError(11, "no process"), EOFError(), None]

    def fail(child: Any) -> None:
        error = failures.pop(0)
        if error is None:
            child.signal(signal.SIGCONT)
            return
        child.kill()
        raise error

    stage.on_child = fail
    assert stage.load().get().name == "small"


def test_a_child_that_reaches_its_own_limit_blames_the_score(stage: Stage) -> None:
    # The limit is the child's own module's: its first second of CPU is its last.

    def reach_the_limit(child: Any) -> None:
        child.signal(signal.SIGXCPU)
        child.signal(signal.SIGCONT)

    stage.on_child = reach_the_limit
    with pytest.raises(Refused) as refusal:
        stage.load(LOOP).get()
    assert refusal.value.code == "invalid_score"
    assert len(stage.caught) == 1


def test_two_children_read_at_a_time_and_the_rest_waits(stage: Stage) -> None:
    waiting = [stage.load(SMALL.replace("small", f"small{n}")) for n in range(12)]
    assert [future.get().name for future in waiting] == [f"small{n}" for n in range(12)]
    assert stage.most <= CHILDREN


def test_what_is_no_regular_file_is_refused_without_a_child(stage: Stage, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (str(tmp_path / "pipe"), "/dev/zero", str(tmp_path)):
        with pytest.raises(Refused) as refusal:
            stage.load(None, path).get()
        assert refusal.value.code == "invalid_score"
        assert "no regular file" in refusal.value.message
    assert stage.caught == []


def test_a_pipe_as_template_or_profile_is_a_problem_not_a_wait(
    stage: Stage, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "instruments").mkdir()
    os.mkfifo(tmp_path / "instruments" / "pipe.yaml")
    text = (
        "name: t\nworkspace: ./w\nsheet: {size: 1, total_items: 1}\n"
        "prompt: {template_file: pipe}\ninstrument: shell\n"
    )
    with pytest.raises(Refused) as refusal:
        stage.load(text).get()
    assert "no regular file" in refusal.value.message


def test_the_children_of_a_parser_end_with_it(stage: Stage) -> None:
    stage.on_child = lambda child: None
    stage.load()
    _until(lambda: stage.caught)
    stage.parser.tell(Parser.on_process_exit, None, None)  # what it cannot know ends it
    assert stage.caught[0].wait(10.0).signal == signal.SIGKILL


def test_the_child_needs_nothing_that_the_forkserver_has_not_loaded() -> None:
    code = (
        "import sys, marianne.daemon.services.parse_child\n"
        "print(*(name for name in sys.modules if name.startswith(('actors', 'marianne.daemon'))))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    rooms = "marianne.daemon", "marianne.daemon.services", "marianne.daemon.shared"
    assert set(done.stdout.split()) - set(rooms) == {
        PARSE.partition(":")[0],
        "marianne.daemon.shared.parsed",
    }
