"""A conductor whose program was replaced is replaced, too, once the new files are of use."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from admission_stage import until
from handler_stage import Desk, services_desk

from actors.process import start_time_of
from marianne import as_started
from marianne.daemon.services import renewal
from marianne.daemon.services.renewal import Renewal, told_of


class House:
    """A conductor's context; ``files`` are what the next looks at the program find, the last one
    again and again. A trial ends when a test says how."""

    def __init__(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        self.system = desk.system
        self.trials: list[subprocess.Popen[bytes]] = []
        self.asked: list[tuple[str, str]] = []
        self.files: list[dict[str, tuple[int, int]]] = [{"a.py": (1, 1)}]
        self.looks = 0
        stop = SimpleNamespace(ask=lambda mode, why: self.asked.append((mode, why)))
        self.context: Any = SimpleNamespace(
            system=SimpleNamespace(
                processes=SimpleNamespace(start=self._start), handle=desk.system.handle
            ),
            home=desk.home, config_path=None, stop=stop, renews=True,
            heart_pid=1, heart_lost=False, client=None,
        )  # fmt: skip
        monkeypatch.setattr(renewal, "LOOK_EVERY", 0.001)
        monkeypatch.setattr(renewal, "AGAIN_AFTER", 0.001)
        monkeypatch.setattr(as_started, "signatures", self._look)
        desk.system.spawn(Renewal, self.context, name="renewal")
        self.told = told_of(self.context)

    def _look(self) -> dict[str, tuple[int, int]]:
        self.looks += 1
        return self.files.pop(0) if len(self.files) > 1 else self.files[0]

    def _start(self, target: str, args: tuple[list[str]], name: str) -> Any:
        module, _, function = target.partition(":")
        assert callable(getattr(__import__(module, fromlist=[function]), function))
        compile(args[0][2], "trial", "exec")
        process = subprocess.Popen(["sh", "-c", "read code; exit $code"], stdin=subprocess.PIPE)
        self.trials.append(process)
        start_time = start_time_of(process.pid)
        assert start_time is not None
        return self.system.processes.adopt(process.pid, start_time)

    def end(self, number: int, code: int) -> None:
        until(lambda: len(self.trials) > number)
        stdin = self.trials[number].stdin
        assert stdin is not None
        stdin.write(f"{code}\n".encode())
        stdin.close()


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with services_desk(tmp_path) as desk:
        house = House(desk, monkeypatch)
        yield house
    for trial in house.trials:  # our conductor is not what waits for it
        trial.kill()
        trial.wait()


def test_one_trial_at_a_time_and_then_another_conductor(house: House) -> None:
    assert house.told("a.py")
    assert house.told("b.py")
    house.end(0, 0)
    until(lambda: house.asked)
    assert house.asked == [("restart", "its files were replaced")]
    assert len(house.trials) == 1


def test_files_that_still_change_are_not_tried(house: House) -> None:
    house.files = [{"a.py": (number, 1)} for number in range(20)]
    assert house.told("a.py")
    house.end(0, 0)
    until(lambda: house.asked)
    assert house.looks > 20


def test_files_that_are_of_no_use_are_tried_again_and_nobody_is_told_to_wait(house: House) -> None:
    assert house.told("a.py")
    house.end(0, 1)
    until(lambda: len(house.trials) == 2)
    assert not house.told("a.py"), "it needs a person"
    assert house.asked == []
    house.end(1, 0)
    until(lambda: house.asked)


@pytest.mark.parametrize(
    "how", [{"heart_pid": None}, {"heart_lost": True}, {"client": (1, 1)}], ids=str
)
def test_nobody_is_told_to_wait_where_no_other_conductor_would_come(
    house: House, how: dict[str, Any]
) -> None:
    vars(house.context).update(how)
    assert not house.told("a.py")
    assert house.looks == 0
