"""What of two traces has to be equal."""

from __future__ import annotations

import re
from functools import cache
from itertools import groupby
from pathlib import Path

from otp_history import History

PAGE = Path(__file__).parents[3] / "docs" / "actors.md"
SECTION = "### Deviations from OTP"
ORPHAN = re.compile(r"stop \S+ killed")
"""A worker whose supervisor was killed runs its `terminate`."""


@cache
def listed_deviations() -> list[str]:
    """The names in the page's table: the only place that has them."""
    section = PAGE.read_text().partition(SECTION)[2].partition("\n#")[0]
    return re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE)


def difference(
    history: History, ours: list[str], theirs: list[str], deviations: dict[str, int]
) -> str:
    """Where the two part, with what led there; empty if they are equal.

    From the first step on in which one of `deviations` has begun to matter, nothing is compared.
    Those that are seen in a line are added.
    """
    until = min(deviations.values(), default=None)
    mine, others = comparable(history, ours, until), comparable(history, theirs, until)
    if "orphans" in listed_deviations() and any(map(ORPHAN.fullmatch, others)):
        deviations.setdefault("orphans", 0)
        others = [line for line in others if not ORPHAN.fullmatch(line)]
    at = 0
    for one, other in zip(mine, others, strict=False):
        if one != other:
            named = deviation(one, other)
            if named not in listed_deviations():
                break
            deviations.setdefault(named, 0)
        at += 1
    if at == len(mine) == len(others):
        return ""
    return "\n".join(
        [
            f"history {history.number} differs",
            *(f"    {line}" for line in others[max(0, at - 12) : at]),
            *(f"OTP {line}" for line in others[at : at + 6]),
            *(f"we  {line}" for line in mine[at : at + 6]),
            f"tree {history.tree}",
            *(f"step {number} {step}" for number, step in enumerate(history.steps, 1)),
        ]
    )


def deviation(ours: str, theirs: str) -> str:
    """The deviation that makes these two lines differ, if it is a known one."""
    if re.fullmatch(r"answer p\d+ terminate not_found", ours) and theirs.endswith(" ok"):
        return "pool-knows-no-dead"
    counts = [re.fullmatch(r"answer (p\d+) count (\d+) (\d+)", line) for line in (ours, theirs)]
    if all(counts):
        (pool, active, known), other = (found.groups() for found in counts if found)
        if (pool, known) == (other[0], other[2]) and int(active) < int(other[1]):
            return "pool-counts-the-living"
    return ""


def comparable(history: History, lines: list[str], until: int | None) -> list[str]:
    """The lines before that step, in which what OTP leaves open is put in order."""
    steps: list[list[str]] = []
    for line in lines:
        if line.startswith("step"):
            steps.append([])
        if steps:
            steps[-1].append(line)
    return [line for step in steps[:until] for line in in_order(history, step)]


def in_order(history: History, step: list[str]) -> list[str]:
    """One step's lines, without the order that OTP leaves open.

    The notice of an end may come before or after what the parent does about that end; a pool tells
    all its children at once; the orphans of a supervisor that was killed end beside its successor.
    """
    downs = sorted(line for line in step if line.startswith("down "))
    others = [line for line in step if not line.startswith("down ")]
    if any(re.fullmatch(r"down ([sp]\d+|top) killed", line) for line in downs):
        return others[:1] + sorted(others[1:]) + downs

    def pool(line: str) -> str:
        verb, name, *_ = [*line.split(), ""]
        parent = history.parents.get(name, "")
        return parent if verb == "stop" and parent.startswith("p") else ""

    found = []
    for name, lines in groupby(others, pool):
        run = list(lines)
        found += sorted(run) if name else run
    return found + downs
