"""Which faults come when. Pure: the same seed gives the same plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

# What is done and how often it is chosen.
KINDS = {"kill": 34, "freeze": 18, "several": 8, "disk": 14, "clock": 5, "limit": 6, "file": 7,
         "command": 14, "first start": 4}  # fmt: skip
VICTIMS = {"conductor": 30, "worker": 26, "forkserver": 12, "spare": 8, "parser": 6, "heart": 6,
           "client": 7}  # fmt: skip
DISKS = {
    "full": 18,
    "inodes": 9,
    "really full": 12,
    "really no inodes": 5,
    "broken": 18,
    "read only": 16,
    "slow": 16,
    "unreadable": 4,
}
LIMITS = {"files": 45, "file size": 35, "pids": 20}
PIDS_LONGEST = 3.0
"""Seconds without further processes: a shell that cannot fork tries for longer than that."""
FILES = {"conductor.sock": 14, "events.sock": 14, "workers2.sock": 14, "conductor.pid": 10,
         "parse": 10, "rehearsal": 6, "logs": 8, "spool deleted": 8, "spool mangled": 8,
         "config mangled": 8, "stale pid text": 6}  # fmt: skip
COMMANDS = {"restart": 30, "stop": 24, "stop --force": 14, "stop --drain 5": 16,
            "stop --cancel": 6, "kill all": 8, "kill both, then stop": 8, "end everything": 6,
            "kill everything": 6}  # fmt: skip
CLOCKS = (-3600.0, -60.0, -1.0, 1.0, 60.0, 3600.0)
LONGEST = 40.0
CALM = 25.0
"""Seconds between two long outages: their sum must stay below a client's patience."""


@dataclass(frozen=True)
class Fault:
    """One fault ``at`` so many seconds; ``seconds`` until it is undone (0: never), ``amount``
    what the kind makes of it, ``with_it`` faults that strike so many seconds after its begin."""

    at: float
    kind: str
    what: str
    seconds: float = 0.0
    amount: float = 0.0
    victims: tuple[str, ...] = ()
    with_it: tuple[Fault, ...] = field(default=())

    def text(self) -> str:
        more = f" for {self.seconds:.1f} s" if self.seconds else ""
        also = "".join(f", after {extra.at:.2f} s: {extra.text()}" for extra in self.with_it)
        return f"{self.kind} {self.what or '+'.join(self.victims)}{more}{also}"


def plan(seed: int, seconds: float, rate: float) -> list[Fault]:
    """Faults over so many seconds, on the average one every ``rate`` seconds."""
    random, faults = Random(seed), []
    at, calm_at = 0.0, 0.0
    while (at := at + random.expovariate(1 / rate) * 0.6 + rate * 0.4) < seconds:
        fault = _fault(random, at)
        long = fault.seconds > 5.0 and fault.kind in ("freeze", "disk", "limit")
        if long and at < calm_at:
            short = random.uniform(0.2, 2.0)
            fault = Fault(at, fault.kind, fault.what, short, fault.amount, fault.victims)
        elif long:
            calm_at = at + fault.seconds + CALM
        faults.append(fault)
    return faults


def counted(faults: list[Fault]) -> int:
    """How many strikes the plan has, those within a command too."""
    return sum(1 + len(fault.with_it) for fault in faults)


def _choose(random: Random, table: dict[str, int]) -> str:
    return random.choices(tuple(table), tuple(table.values()))[0]


def _fault(random: Random, at: float) -> Fault:
    kind = _choose(random, KINDS)
    if kind == "kill":
        return Fault(at, kind, _choose(random, VICTIMS))
    if kind == "freeze":
        return Fault(at, kind, _choose(random, VICTIMS), _span(random, 0.1, LONGEST))
    if kind == "several":
        return Fault(at, kind, "", victims=_several(random))
    if kind == "disk":
        what = _choose(random, DISKS)
        percent = random.choice((100, 100, 30))
        if what == "slow":
            return Fault(
                at, kind, what, _span(random, 3.0, 30.0), random.choice((10, 30, 100, 300))
            )
        return Fault(at, kind, what, _span(random, 0.3, 15.0), percent)
    if kind == "clock":
        step = random.choice(CLOCKS)
        return Fault(at, kind, f"{step:+g} s", _span(random, 2.0, 20.0), step)
    if kind == "limit":
        what = _choose(random, LIMITS)
        return Fault(at, kind, what, _span(random, 0.5, PIDS_LONGEST if what == "pids" else 10.0))
    if kind == "file":
        return Fault(at, kind, _choose(random, FILES))
    if kind == "command":
        what = _choose(random, COMMANDS)
        strikes = tuple(_strike(random) for _ in range(random.choice((0, 1, 1, 2))))
        return Fault(at, kind, what, random.choice((0.0, 0.0, 2.0)), with_it=strikes)
    return Fault(at, kind, "", with_it=(_strike(random),))


def _strike(random: Random) -> Fault:
    """Something that happens while a command is at work."""
    after, roll = round(random.uniform(0.0, 1.2), 3), random.random()
    if roll < 0.6:
        return Fault(
            after, "kill", random.choice(("conductor", "conductor", "heart", "forkserver"))
        )
    if roll < 0.8:
        victim = random.choice(("conductor", "heart", "worker"))
        return Fault(after, "freeze", victim, _span(random, 0.1, 10.0))
    what = random.choice(("full", "read only", "broken", "slow"))
    return Fault(after, "disk", what, _span(random, 0.2, 4.0), 100)


def _several(random: Random) -> tuple[str, ...]:
    pool = ["conductor", "worker", "worker", "forkserver", "spare", "heart"]
    return tuple(sorted(random.sample(pool, random.randint(2, 4))))


def _span(random: Random, least: float, most: float) -> float:
    """Short ones are as frequent as long ones: even on a logarithmic scale."""
    return float(round(least * (most / least) ** random.random(), 2))
