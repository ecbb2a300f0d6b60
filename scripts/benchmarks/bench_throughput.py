"""How many sheets a second, beside what the machine can start, and beside other tools.

The machine is another one from minute to minute, so each run of ours lies between two of the bare
loop, and is compared with the mean of these two.
"""

from __future__ import annotations

from collections.abc import Callable

import bare
import peers
from conductor import Conductor
from table import Row, compared

ROUNDS = 7
SHEETS = 1000
JOBS = 20
SINGLE = 200
SLICE = 500
"""Processes of the bare loop on either side of a run: a sixth of a second."""


class Series:
    """Seconds a sheet of one kind of work, and of the bare loop around it, round by round."""

    def __init__(self) -> None:
        self.ours: list[float] = []
        self.bare: list[float] = []

    def run(self, count: int, play: Callable[[], float]) -> None:
        before = bare.spawn_seconds(SLICE)
        self.ours.append(play() / count)
        self.bare.append((before + bare.spawn_seconds(SLICE)) / (2 * SLICE))

    def row(self, name: str, bar: float | None, best: float) -> Row:
        name = f"{name} / spawn and wait"
        options = {"best": best, "scale": 1e6, "at_least": True}
        return compared(name, self.ours, self.bare, "us", bar, **options)


def measure() -> list[Row]:
    """One job of 1,000 sheets, two at a time; 20 jobs of 50 and 200 of one, four at a time."""
    others = {peer: [0.0] * 0 for peer in peers.installed()}
    one, many, single = Series(), Series(), Series()
    with Conductor() as conductor, Conductor(max_concurrent_sheets=4) as four:
        alone = four.score("single", 1)
        for number in range(ROUNDS):
            score = conductor.score(f"one{number}", SHEETS)
            several = [four.score(f"n{number}j{job}", SHEETS // JOBS) for job in range(JOBS)]
            one.run(SHEETS, lambda score=score: conductor.play(score))  # type: ignore[misc]
            many.run(SHEETS, lambda several=several: four.play(*several))  # type: ignore[misc]
            ids = [f"r{number}-{job}" for job in range(SINGLE)]
            single.run(SINGLE, lambda ids=ids: four.play_each(alone, ids))  # type: ignore[misc]
            for peer, seconds in others.items():
                seconds.append(peer.run(SHEETS) / SHEETS)
    return [
        one.row("a sheet of one job of 1,000", 0.5, 0.65),
        many.row("a sheet of 20 jobs of 50", 0.45, 0.55),
        single.row("a sheet of 200 jobs of one", None, 0.25),
        *(
            compared(
                f"{peer.name} / a sheet of one job",
                one.ours,
                seconds,
                "us",
                2 if peer.judged else None,
                best=3,
                scale=1e6,
                at_least=True,
            )
            for peer, seconds in others.items()
        ),
    ]
