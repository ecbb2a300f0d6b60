"""What walls cost a sheet: control groups, by a conductor that has them beside one that has none; a
sandbox, by sheets that have one beside sheets that have none, as root and as another user."""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

from conductor import Conductor
from table import Row, compared

ROUNDS = 9
SHEETS = 500

SANDBOX_ROUNDS = 5
SANDBOX_SHEETS = 200
ALL = "write: [workspace], network: false, isolate: true"
SANDBOXES = {"all walls": ALL, "all walls, /tmp of its own": f"{ALL}, tmp: private"}
UNPRIVILEGED = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
"""What starts a program as a user without privilege, who has our files."""


def without_groups() -> list[str]:
    """What starts a program where no control groups are mounted; needs root."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    away = "; ".join(f"umount {words[1]}" for words in mounts if words[2] == "cgroup2")
    return ["unshare", "--mount", "sh", "-c", f'{away}; exec "$0" "$@"']


def measure() -> list[Row]:
    """Each by one job of short sheets, in turns; which goes first changes each time."""
    rows = _groups()
    users: dict[str, tuple[str, ...]] = {"root": (), "a user": UNPRIVILEGED}
    if os.geteuid():
        users = {"a user": ()}
    for user, before in users.items():
        rows += _sandboxes(user, before)
    return rows


def _groups() -> list[Row]:
    """Two sheets at a time."""
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


def _sandboxes(user: str, before: tuple[str, ...]) -> Iterator[Row]:
    """One sheet at a time: all that walls take is waited for."""
    with Conductor(before=before) as conductor:
        for name, sandbox in SANDBOXES.items():
            more: list[float] = []
            for number in range(SANDBOX_ROUNDS):
                took = {}
                for walls in (sandbox, "") if number % 2 else ("", sandbox):
                    score = conductor.score(f"s{number}", SANDBOX_SHEETS, at_once=1)
                    if walls:
                        _wall(score, walls)
                    took[walls] = conductor.play(score) / SANDBOX_SHEETS
                more.append((took[sandbox] - took[""]) * 1000)
            low, _, high = statistics.quantiles(more, n=4)
            middle = statistics.median(more)
            title = f"a sheet behind {name}, as {user}: more than without"
            yield Row(title, middle, None, "ms", 2.0, spread=(low, high))


def _wall(score: str, walls: str) -> None:
    path = Path(score)
    path.write_text(f"sandbox: {{{walls}}}\n{path.read_text()}")
