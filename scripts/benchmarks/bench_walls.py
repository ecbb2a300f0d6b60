"""What walls cost a sheet: a conductor whose sheets have them beside one whose sheets have none."""

from __future__ import annotations

import sys
from pathlib import Path

from conductor import Conductor
from table import Row, compared

ROUNDS = 9
SHEETS = 500


def without_groups() -> list[str]:
    """What starts a program where no control groups are mounted; needs root."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    away = "; ".join(f"umount {words[1]}" for words in mounts if words[2] == "cgroup2")
    return ["unshare", "--mount", "sh", "-c", f'{away}; exec "$0" "$@"']


def measure() -> list[Row]:
    """One job of 500 short sheets, two at a time, in turns; which goes first changes each time."""
    walled: list[float] = []
    bare: list[float] = []
    with Conductor() as inside, Conductor(before=without_groups()) as outside:
        if not (inside.home / "cgroup").exists() or (outside.home / "cgroup").exists():
            print("no control groups here, or no way to do without them", file=sys.stderr)
            return []
        for number in range(ROUNDS):
            pair = [(inside, walled), (outside, bare)]
            for conductor, seconds in pair if number % 2 else reversed(pair):
                score = conductor.score(f"one{number}", SHEETS)
                seconds.append(conductor.play(score) / SHEETS)
    name = "a sheet in a control group of its own / without"
    return [compared(name, walled, bare, "us", 1.05, best=1.02, scale=1e6)]
