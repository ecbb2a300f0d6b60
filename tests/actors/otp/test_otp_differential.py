"""The same histories, played on a real Erlang/OTP and on ours, come to the same.

`pytest tests/actors/otp --histories 2000` plays more of them, `--seed N` only the Nth. What may
differ is the table in docs/actors.md and nothing else.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from otp_compare import comparable, difference, listed_deviations
from otp_history import DEVIATING, History, histories
from otp_ours import Ours, quiet

from actors import System
from actors.testing import Simulation

DRIVER = Path(__file__).with_name("otp_driver.erl")
DEFAULT_HISTORIES = 60
WORLDS = ("simulated", "threads")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),  # for --histories 10000 on a busy machine
    pytest.mark.skipif(
        shutil.which("escript") is None,
        reason="no Erlang/OTP to compare with: as root, `apt-get install erlang-base`",
    ),
]


class Simulated:
    def __init__(self, sim: Simulation) -> None:
        self.system = sim.system
        self._sim = sim

    def settle(self, ours: Ours) -> None:
        self._sim.quiet()
        while not quiet(ours):
            self._sim.quiet()


class Threads:
    def __init__(self, system: System) -> None:
        self.system = system

    def settle(self, ours: Ours) -> None:
        deadline = time.monotonic() + 60
        while not quiet(ours):
            assert time.monotonic() < deadline, ours.lines


@contextmanager
def world(kind: str, seed: int) -> Iterator[Simulated | Threads]:
    if kind == "simulated":
        with Simulation(seed) as sim:
            yield Simulated(sim)
    else:
        system = System("otp")
        yield Threads(system)
        system.shutdown()


def theirs(chosen: list[History], directory: Path) -> list[list[str]]:
    """What OTP makes of them: one trace each."""
    file = directory / "histories"
    file.write_text("".join(history.erlang() for history in chosen))
    played = subprocess.run(
        ["escript", DRIVER, file], capture_output=True, text=True, timeout=1500, check=False
    )
    assert played.returncode == 0, played.stdout[-2000:] + played.stderr[-2000:]
    traces: list[list[str]] = []
    for line in played.stdout.splitlines():
        if line.startswith("history "):
            traces.append([])
        traces[-1].append(line)
    return traces


def ours(history: History, kind: str) -> tuple[list[str], dict[str, int]]:
    """What we make of it: the trace, and from which step on which deviations matter."""
    with world(kind, history.number) as here:
        player = Ours(here, history)
        try:
            lines = player.play()
        finally:
            player.close()
    return lines, player.deviations


def said_for_certain(history: History, kind: str, lines: list[str]) -> list[str]:
    """All lines; of real threads not what a worker says in the 20 ms between its stop and its kill.

    On a busy machine a thread may get no turn in that time. The simulation compares those, too.
    """
    if kind == "simulated":
        return lines
    mute = {f"stop {name} " for name in hanging([history.tree, history.steps])}
    return [line for line in lines if not line.startswith(tuple(mute))]


def hanging(part: object) -> Iterator[str]:
    """The names of the workers in a tree or in steps that hang when they are told to stop."""
    if isinstance(part, list | tuple):
        if len(part) > 1 and part[0] == "worker" and part[-1] == "hangs":
            yield str(part[1])
        for inner in part:
            yield from hanging(inner)


def allowed(deviations: dict[str, int]) -> dict[str, int]:
    listed = listed_deviations()
    return {name: step for name, step in deviations.items() if name in listed}


def chosen(config: pytest.Config) -> list[History]:
    one = config.getoption("--seed", None)
    count = config.getoption("--histories", DEFAULT_HISTORIES)
    return list(histories(0, count) if one is None else histories(one, 1))


def test_random_histories_come_to_the_same_as_on_otp(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    played = chosen(request.config)
    cut = 0
    for history, trace in zip(played, theirs(played, tmp_path), strict=True):
        for kind in WORLDS:
            lines, deviations = ours(history, kind)
            mine, others = (said_for_certain(history, kind, each) for each in (lines, trace))
            found = difference(history, mine, others, allowed(deviations))
            assert not found, (
                f"{kind}: {found}\n"
                f"play it again: pytest tests/actors/otp -k random --seed {history.number}"
            )
        cut += bool(deviations)
    assert cut <= max(1, len(played) // 5), "too many histories deviate to show anything"


def test_every_deviation_that_the_page_lists_is_one_and_no_other_is_known(tmp_path: Path) -> None:
    assert sorted(DEVIATING) == sorted(listed_deviations())
    for name, trace in zip(DEVIATING, theirs(list(DEVIATING.values()), tmp_path), strict=True):
        history = DEVIATING[name]
        for kind in WORLDS:
            lines, deviations = ours(history, kind)
            assert comparable(history, lines, None) != comparable(history, trace, None), name
            assert not difference(history, lines, trace, deviations), name
            assert list(deviations) == [name]
