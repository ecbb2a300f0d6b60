"""Running one scenario under many schedules, and saying how to see a failure again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from actors.testing.policies import PriorityChanges, RandomWalk
from actors.testing.simulation import Simulation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class ScheduleFailed(AssertionError):  # noqa: N818  # says what happened
    """A scenario failed under one seed. The message says the command that replays it."""

    def __init__(self, seed: int, cause: BaseException) -> None:
        test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
        command = f"pytest {test!r} --seed {seed}" if test else f"explore(scenario, [{seed}])"
        super().__init__(
            f"seed {seed} failed: {type(cause).__name__}: {cause}\nreplay it with: {command}"
        )
        self.seed = seed


def explore(scenario: Callable[[Simulation], object], seeds: Iterable[int], **options: Any) -> int:
    """Runs the scenario once for each seed; returns how many runs that were.

    Even seeds walk at random, odd ones change priorities at few steps: the two find different
    bugs. `options` go to `Simulation`. Raises `ScheduleFailed` for the first seed that fails.
    """
    runs = 0
    for seed in seeds:
        policy = PriorityChanges(seed) if seed % 2 else RandomWalk(seed)
        try:
            with Simulation(seed, policy, **options) as sim:
                scenario(sim)
        except Exception as error:
            raise ScheduleFailed(seed, error) from error
        runs += 1
    return runs


def first_failure(
    scenario: Callable[[Simulation], object], seeds: Iterable[int], **options: Any
) -> int | None:
    """The first seed under which the scenario fails; None if it never does."""
    try:
        explore(scenario, seeds, **options)
    except ScheduleFailed as failed:
        return failed.seed
    return None
