"""A chain of sheets, each of which waits until the one before is on disk."""

from __future__ import annotations

import bare
from conductor import Conductor
from table import Row, compared

ROUNDS = 7
STEPS = 200


def measure() -> list[Row]:
    """Milliseconds a step in a chain of 200, against a shell that runs the same."""
    ours, base = [], []
    with Conductor() as conductor:
        for number in range(ROUNDS):
            chain = conductor.score(f"chain{number}", STEPS, chain=True)
            base.append(bare.shell_loop(STEPS))
            ours.append(conductor.play(chain))
    name = "a step in a chain of 200 / shell loop"
    return [compared(name, ours, base, "ms", 4, best=2.5, per=STEPS, scale=1e3)]
