"""Processes beside the workers: what is answered, and that nothing of them is left."""

from __future__ import annotations

import errno
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from admission_stage import Stage, until
from manager_standins import Process, Processes

from actors import ActorDied, Future
from actors.process import ProcessExit
from ipc import codec
from marianne.daemon.worker import beside as module
from marianne.daemon.worker.beside import LONGEST, Beside
from marianne.executors.beside import Again, CommandEnd, LostError, SideCommand
from marianne.run.procfs import boot_id
from marianne.state.changes import UpdateJob
from marianne.state.errors import NoSuchJob
from marianne.state.models import JobStatus

KILLED = ProcessExit(signal=9)
COMMAND = SideCommand("a", "hook", ["true"], "/")


class Beneath(Beside):
    """Whose processes end, and whose timers ring, when the test says so."""

    def __init__(self, context: Any, fleet: Any, house: House) -> None:
        super().__init__(SimpleNamespace(**house.given(context)), fleet)
        self._house = house

    def watch(self, process: Any, *, own: bool = False) -> None:
        self._house.watched.append(process)

    def send_after(self, seconds: float, method: Any, *args: Any, **_named: Any) -> Any:
        self._house.timers.append((seconds, method, args))

    def do(self, method: Any, *args: Any) -> Any:
        """In the actor's thread."""
        return method(*args)


class House:
    """The actor over one job, ``a``."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stage = Stage(place)
        self.stage.insert("a", status=JobStatus.RUNNING)
        self.fleet = self.stage.executor.fleet
        self.children = Processes()
        self.watched: list[Process] = []
        self.timers: list[tuple[float, Any, Any]] = []
        self.swept: list[str] = []
        monkeypatch.setattr(module, "sweep_job", lambda fleet, owner, job: self.swept.append(job))
        self.begin()

    def begin(self) -> None:
        given = self.stage.context, self.fleet, self
        self.actor = self.stage.system.spawn(Beneath, *given, name="beside")

    def given(self, context: Any) -> dict[str, Any]:
        system = SimpleNamespace(processes=self.children)
        return {"system": system} | {
            name: getattr(context, name) for name in ("home", "config", "owner", "stop")
        }

    def command(self) -> Future[CommandEnd]:
        asked: Future[Any] = self.stage.executor.command(COMMAND)
        until(lambda: asked.done or self.watched)
        return asked

    def recheck(self) -> Future[Any]:
        asked = self.stage.executor.recheck("a", [Again(2, 1, 0, 1.0)])
        until(lambda: asked.done or self.watched)
        return asked

    def answers(self, found: Any) -> None:
        """The process leaves this."""
        Path(self.watched[0].started[1][1]).write_bytes(codec.pack(found))

    def ends(self, ending: ProcessExit = ProcessExit(0)) -> None:  # noqa: B008
        self.actor.ask(Beneath.on_process_exit, self.watched[0], ending)

    def ring(self) -> list[float]:
        rung, self.timers = self.timers, []
        for _seconds, method, args in rung:
            self.actor.ask(Beneath.do, method, *args)
        return [seconds for seconds, _method, _args in rung]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    house = House(tmp_path, monkeypatch)
    yield house
    house.stage.close()


FOUND = {"ok": False, "exit_code": None, "signal": None, "why": None, "output": "said"}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"ok": True, "exit_code": 0}, "exit code 0"),
        ({"exit_code": 3}, "exit code 3"),
        ({"signal": 9}, "killed by signal 9"),
        ({"why": "it took longer than 5 s", "signal": 9}, "it took longer than 5 s"),
    ],
)
def test_how_a_command_ended_is_told_in_words(
    house: House, answer: dict[str, Any], words: str
) -> None:
    asked = house.command()
    assert list(house.fleet.workers.values()) == house.watched, "no sweep may touch it"
    house.answers({**FOUND, **answer})
    house.ends()
    assert asked.get(5.0) == CommandEnd(answer.get("ok", False), words, "said")
    assert (house.fleet.workers, house.swept) == ({}, [])


@pytest.mark.parametrize(
    ("ending", "how", "by_us"),
    [
        (KILLED, "it was killed by SIGKILL", False),
        (ProcessExit(1), "it ended with exit code 1", True),
        (ProcessExit(), "it ended, nobody saw how", True),
    ],
)
def test_of_a_command_that_was_lost_nothing_is_left(
    house: House, ending: ProcessExit, how: str, by_us: bool
) -> None:
    asked = house.command()
    house.ends(ending)
    end = asked.get(5.0)
    assert (end.ok, end.lost, end.by_us) == (False, True, by_us)
    assert end.words == f"its process was lost: {how}"
    assert (house.fleet.workers, house.swept) == ({}, ["a"])


@pytest.mark.parametrize("error", [OSError(errno.EAGAIN, "fork"), EOFError("the forkserver")])
def test_what_cannot_be_started_is_said_to_whoever_asked(house: House, error: Exception) -> None:
    house.children.error = error
    for asked in (house.command(), house.recheck()):
        assert asked.outcome().error is error
    house.children.error = None
    assert not house.command().done


def test_a_command_of_a_job_that_is_gone_ends_nobody(house: House) -> None:
    asked = house.stage.executor.command(SideCommand("b", "hook", ["true"], "/"))
    with pytest.raises(NoSuchJob):
        asked.get(5.0)
    assert not house.command().done


def test_what_runs_alone_ends_an_earlier_one_of_its_job_and_kind(house: House) -> None:
    house.stage.insert("b")
    others = [replace(COMMAND, job_id="b"), replace(COMMAND, kind="notice"), COMMAND]
    for number, command in enumerate(others, 1):
        house.stage.executor.command(command)
        until(lambda number=number: len(house.watched) == number)
    house.stage.executor.command(replace(COMMAND, alone=True))
    until(lambda: len(house.watched) == 4)
    ended = [process.signals for process in house.watched]
    assert (ended, house.swept) == ([[], [], [signal.SIGKILL], []], ["a"])


def test_checks_of_a_job_are_made_by_one_at_a_time(house: House) -> None:
    house.recheck()
    house.stage.executor.recheck("a", [Again(2, 1, 0, 1.0)])
    until(lambda: len(house.watched) == 2)
    assert [process.signals for process in house.watched] == [[signal.SIGKILL], []]


def test_each_process_writes_into_a_file_of_its_own(house: House) -> None:
    house.command()
    house.recheck()
    house.stage.executor.command(COMMAND)
    until(lambda: len(house.children.started) == 3)
    assert len({process.started[1][1] for process in house.children.started}) == 3


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO])
def test_what_cannot_be_read_just_now_is_read_later(
    house: House, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: Path) -> bytes:
        raise OSError(number, "no", str(path))

    asked = house.command()
    house.answers({**FOUND, "ok": True})
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", fails)
        house.ends()
    assert not asked.done
    assert house.ring() == [module.READ_AGAIN]
    assert asked.get(5.0).ok


def test_an_answer_that_makes_no_sense_is_none(house: House) -> None:
    asked = house.command()
    Path(house.watched[0].started[1][1]).write_bytes(b"\xc1")
    house.ends()
    assert asked.get(5.0).lost


def test_what_checks_found_is_told_as_it_is(house: House) -> None:
    asked = house.recheck()
    (settings, _answer) = house.watched[0].started[1]
    assert (settings["job_id"], settings["sheets"]) == ("a", [(2, 1, 0, 1.0)])
    house.answers([{"num": 2}])
    house.ends()
    assert asked.get(5.0) == [{"num": 2}]


def test_checks_that_were_lost_may_be_asked_for_again(house: House) -> None:
    asked = house.recheck()
    house.ends(KILLED)
    with pytest.raises(LostError, match="SIGKILL"):
        asked.get(5.0)
    assert house.swept == ["a"]


def test_checks_that_do_not_end_are_ended(house: House) -> None:
    house.recheck()
    (process,) = house.watched
    assert house.ring() == [LONGEST]
    assert process.signals == [signal.SIGKILL]
    house.ends(KILLED)
    house.actor.ask(Beneath.overdue, process)
    assert process.signals == [signal.SIGKILL]


# -- workers that no actor owns ------------------------------------------------------------------


def record(house: House, **fields: Any) -> Future[None]:
    known = {"worker_pid": 77, "worker_start_time": 1, "worker_boot_id": boot_id(), **fields}
    house.stage.write(UpdateJob("a", known))
    house.children.found[77, 1] = Process(77)
    return house.stage.executor.end(house.stage.job("a"))


def test_a_worker_is_gone_and_swept_before_it_counts_as_ended(house: House) -> None:
    asked = record(house)
    until(lambda: house.watched)
    assert house.watched[0].signals == [signal.SIGKILL]
    assert (asked.done, house.swept) == (False, [])
    house.ends(KILLED)
    assert (asked.get(5.0), house.swept) == (None, ["a"])


@pytest.mark.parametrize("fields", [{"worker_boot_id": "another"}, {"worker_start_time": 2}])
def test_a_record_of_nobody_leads_to_a_sweep_alone(house: House, fields: dict[str, Any]) -> None:
    asked = record(house, **fields)
    assert (asked.get(5.0), house.swept) == (None, ["a"])
    assert house.children.found[77, 1].signals == []


def test_a_worker_that_nobody_can_look_for_just_now_is_not_said_to_have_ended(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_pid: int, _start: int) -> None:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(house.children, "adopt", fails)
    with pytest.raises(OSError, match="too many"):
        record(house).get(5.0)
    assert house.swept == []


# -- its own end ---------------------------------------------------------------------------------


def test_what_runs_ends_with_the_actor_and_who_asked_hears_of_it(house: House) -> None:
    asked = house.command()
    (process,) = house.watched
    house.stage.system.stop(house.actor)
    with pytest.raises(ActorDied):
        asked.get(5.0)
    until(lambda: house.swept)
    assert process.signals == [signal.SIGKILL]
    assert (house.fleet.workers, house.swept) == ({}, ["a"])
