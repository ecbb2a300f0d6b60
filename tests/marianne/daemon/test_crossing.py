"""Whatever crosses between the actors of a job, it comes to an end and holds nothing then.

``MARIANNE_WALKS=N`` walks N seeds instead of the few that each run of the tests does;
``MARIANNE_WALK=SEED`` walks that one alone and prints each message as it is taken.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import pytest
from crossing_job import Job
from crossing_mail import Clock
from crossing_walk import Walk

from marianne import clock as clock_module
from marianne.daemon import scheduler as decisions
from marianne.daemon.job import dispatch, execution
from marianne.daemon.job.dispatch import Dispatch
from marianne.daemon.services import scheduler as scheduler_actor
from marianne.executors.protocol import Runner

AT_ONCE = 100
"""Seeds of one test."""

BOUND = 1_500
"""Seeds within which a walk finds one of the mends undone."""

WALKS = int(os.environ.get("MARIANNE_WALKS", "400"))
ALONE = os.environ.get("MARIANNE_WALK")
SEEDS = (
    [range(first, min(first + AT_ONCE, WALKS)) for first in range(0, WALKS, AT_ONCE)]
    if not ALONE
    else [range(int(ALONE), int(ALONE) + 1)]
)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What the real parts of a walk read instead of the machine's clocks."""
    clock = Clock()
    for module in (execution, dispatch, scheduler_actor, decisions):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(clock_module, "steady", clock.time)
    monkeypatch.setattr(clock_module.Watch, "moved", lambda _: 0.0)
    return clock


def _walk(
    seeds: Iterable[int],
    clock: Clock,
    trace: Callable[[str], None] | None = None,
    only: Collection[str] = (),
) -> None:
    for seed in seeds:
        try:
            Walk(seed, clock, trace, only).run()
        except Exception as error:
            alone = (
                f"MARIANNE_WALK={seed} pytest -s tests/marianne/daemon/test_crossing.py -k comes"
            )
            text = f"seed {seed}: {error!r}; again, with its messages: {alone}"
            raise AssertionError(text) from error


@pytest.mark.slow
@pytest.mark.parametrize("seeds", SEEDS, ids=str)
def test_every_job_comes_to_its_end_and_holds_no_slot_then(seeds: range, clock: Clock) -> None:
    _walk(seeds, clock, print if ALONE else None)


# -- that a walk sees what it is for: each of these was once so ----------------------------------


def _slots_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slot ends with the process that it is for."""
    monkeypatch.setattr(Dispatch, "forget", lambda _: None)


def _ends_overtake_grants(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told at once does not overtake what was collected before."""

    def end_sheets(self: Dispatch, nums: Sequence[int], category: str) -> None:
        self._worker.tell(Runner.end_sheets, nums, category)

    monkeypatch.setattr(Dispatch, "end_sheets", end_sheets)
    monkeypatch.setattr(Dispatch, "withdraw", lambda self: self._worker.tell(Runner.withdraw))


def _any_answer_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer belongs to the incarnation that asked."""

    def worker_up(self: Job, hello: dict[str, Any], asker: int) -> None:
        self._go_on_from(hello)

    monkeypatch.setattr(Job, "worker_up", worker_up)


UNDONE = (
    (_slots_are_kept, (), 0),
    (_ends_overtake_grants, ("pause", "resume", "cancel", "go on"), 0),
    (_any_answer_counts, ("lose actor", "lose scheduler"), 400),
)
"""With what the storms bring then (all of it together finds the last two too, but later), and the
seed to begin at: the nearer it is to one that finds it, the sooner the test ends."""


@pytest.mark.slow
@pytest.mark.parametrize(("undo", "only", "first"), UNDONE)
def test_a_walk_finds_what_is_not_so(
    undo: Callable[[pytest.MonkeyPatch], None],
    only: Collection[str],
    first: int,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    undo(monkeypatch)
    with pytest.raises(AssertionError, match="again, with its messages"):
        _walk(range(first, first + BOUND), clock, only=only)
