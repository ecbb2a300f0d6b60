"""How many sheets a second, beside what the machine can start, and beside other tools."""

from __future__ import annotations

import bare
import peers
from conductor import Conductor
from table import Row, compared

ROUNDS = 5
SHEETS = 1000
JOBS = 20


def measure() -> list[Row]:
    """One job of 1,000 sheets, two at a time; then 20 jobs of 50, four at a time."""
    others = {peer: [0.0] * 0 for peer in peers.installed()}
    base: list[float] = []
    one: list[float] = []
    many: list[float] = []
    with Conductor() as conductor, Conductor(max_concurrent_sheets=4) as four:
        for number in range(ROUNDS):
            single = conductor.score(f"one{number}", SHEETS)
            several = [four.score(f"n{number}j{job}", SHEETS // JOBS) for job in range(JOBS)]
            base.append(bare.spawn_seconds(SHEETS))
            one.append(conductor.play(single))
            many.append(four.play(*several))
            for peer, seconds in others.items():
                seconds.append(peer.run(SHEETS))

    def row(name: str, ours: list[float], base: list[float], bar: float | None, best: float) -> Row:
        return compared(
            name, ours, base, "us", bar, best=best, per=SHEETS, scale=1e6, at_least=True
        )

    return [
        row("a sheet of one job of 1,000 / spawn and wait", one, base, 0.5, 0.65),
        row("a sheet of 20 jobs of 50 / spawn and wait", many, base, 0.45, 0.55),
        *(
            row(f"{peer.name} / a sheet of one job", one, seconds, 2 if peer.judged else None, 3)
            for peer, seconds in others.items()
        ),
    ]
