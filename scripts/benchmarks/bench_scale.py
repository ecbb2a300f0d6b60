"""Whether a sheet costs the same in a large job and after a long history."""

from __future__ import annotations

from conductor import Conductor
from table import Row, compared

ROUNDS = 3
MANY = 10_000
FEW = 200
HISTORY = 300
SMALL = 15


def size() -> list[Row]:
    """10,000 sheets in one job against 200, in turns."""
    many, few = [], []
    with Conductor() as conductor:
        for number in range(ROUNDS):
            short = [conductor.score(f"few{number}x{i}", FEW) for i in range(5)]
            long = conductor.score(f"many{number}", MANY)
            few.append(sorted(conductor.play(score) / FEW for score in short)[2])
            many.append(conductor.play(long) / MANY)
        memory = conductor.memory()
    return [
        compared("a sheet of 10,000 / of 200", many, few, "ms", 1.3, best=1.1, scale=1e3),
        Row("conductor after 10,000 sheets", memory, None, "MB", 300),
    ]


def history() -> Row:
    """A job of ten sheets after 300 that are over, against the same after none."""
    after, before = [], []
    with Conductor() as old, Conductor() as new:
        old.play(*(old.score(f"past{number}", 1) for number in range(HISTORY)))
        for number in range(SMALL):
            after.append(old.play(old.score(f"small{number}", 10)))
            before.append(new.play(new.score(f"small{number}", 10)))
    name = "10 sheets after 300 jobs / after none"
    return compared(name, after, before, "ms", 1.2, scale=1e3)


def measure() -> list[Row]:
    """All rows."""
    return [*size(), history()]
