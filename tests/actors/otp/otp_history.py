"""Random histories of a supervision tree, as plain data that both sides play.

A tree is nested tuples, in the order of their fields:

    ("sup", name, strategy, intensity, auto_shutdown, restart, shutdown, significant, children)
    ("pool", name, intensity, restart, shutdown, significant, its children's restart and shutdown)
    ("worker", name, restart, shutdown, significant, manner)

`shutdown` is milliseconds, "infinity" or "brutal_kill"; `manner` is how a worker behaves when it is
told to stop: "obeys", "hangs" or "fails". A pool is a dynamic supervisor (simple_one_for_one).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

RESTARTS = ("permanent", "transient", "temporary")
STRATEGIES = ("one_for_one", "one_for_all", "rest_for_one")
AUTO_SHUTDOWNS = ("never", "any_significant", "all_significant")
DEATHS = ("crash", "crash", "kill", "kill", "normal", "shutdown", "detail")
OUTCOMES = ("ok", "fail", "fail", "ignore", "junk")

Spec = tuple[Any, ...]
Step = tuple[Any, ...]


@dataclass
class History:
    """One tree, what its workers' starts come to (else "ok"), and what happens to it."""

    number: int
    tree: Spec
    scripts: dict[str, list[str]]
    steps: list[Step]
    parents: dict[str, str]
    groups: dict[str, Spec]

    def erlang(self) -> str:
        scripts = [(name, outcomes) for name, outcomes in self.scripts.items()]
        return term(("history", self.number, self.tree, scripts, self.steps)) + ".\n"


def term(value: object) -> str:
    """As an Erlang term; texts are atoms."""
    match value:
        case bool():
            return "true" if value else "false"
        case tuple():
            return "{" + ",".join(map(term, value)) + "}"
        case list():
            return "[" + ",".join(map(term, value)) + "]"
    return str(value)


class Writer:
    """Draws one history. The same number always gives the same one."""

    def __init__(self, number: int) -> None:
        self._random = random.Random(number)
        self._number = number
        self._serial = 0
        self._parents: dict[str, str] = {}
        self._groups: dict[str, Spec] = {}
        self._hanging: set[str] = set()
        # A supervisor that is killed leaves orphans, and one that hangs would never end. (What one
        # does in its `terminate` is no matter here, where it is not run: see `orphans`.)
        self._kills_supervisors = self._chance(0.15)

    def history(self) -> History:
        tree = self._sup("top", 0, "permanent", "infinity", False)
        scripts = {name: self._script() for name in self._workers() if self._chance(0.15)}
        steps = [self._step() for _ in range(self._random.randint(3, 12))]
        return History(self._number, tree, scripts, steps, self._parents, self._groups)

    # -- trees -------------------------------------------------------------------------------

    def _sup(self, name: str, depth: int, *place: Any) -> Spec:
        auto = self._pick(AUTO_SHUTDOWNS) if self._chance(0.4) else "never"
        children = [self._child(name, depth + 1, auto) for _ in range(self._random.randint(1, 4))]
        strategy = self._pick(STRATEGIES)
        spec = ("sup", name, strategy, self._intensity(), auto, *place, children)
        self._groups[name] = spec
        return spec

    def _child(self, parent: str, depth: int, auto: str) -> Spec:
        chance = self._random.random()
        if depth < 3 and chance < 0.3:
            name = self._name("s", parent)
            restart, significant = self._restart(auto)
            return self._sup(name, depth, restart, self._group_shutdown(), significant)
        if depth < 3 and chance < 0.4:
            name = self._name("p", parent)
            restart, significant = self._restart(auto)
            place = (restart, self._group_shutdown(), significant)
            spec: Spec = ("pool", name, self._intensity(), *place, self._pick(RESTARTS), 5000)
            self._groups[name] = spec
            return spec
        return self._worker(parent, auto)

    def _worker(self, parent: str, auto: str = "never", name: str = "") -> Spec:
        name = name or self._name("w", parent)
        restart, significant = self._restart(auto)
        shutdown: Any = "brutal_kill" if self._chance(0.1) else 5000
        manner = "obeys"
        if not self._kills_supervisors:
            manner = self._pick(("obeys",) * 10 + ("fails", "hangs"))
        if manner == "hangs":
            shutdown = 20
            self._hanging.add(name)
        return ("worker", name, restart, shutdown, significant, manner)

    def _restart(self, auto: str) -> tuple[str, bool]:
        restart = self._pick(RESTARTS)
        return restart, auto != "never" and restart != "permanent" and self._chance(0.6)

    def _group_shutdown(self) -> str:
        return "brutal_kill" if self._kills_supervisors and self._chance(0.3) else "infinity"

    def _intensity(self) -> int:
        return self._pick((0, 1, 2, 3, 5))

    # -- steps -------------------------------------------------------------------------------

    def _step(self) -> Step:
        chance = self._random.random()
        if chance < 0.35:
            return self._death(self._pick(self._workers()))
        if chance < 0.4 and self._kills_supervisors:
            return ("die", self._pick(self._sups()), "kill")
        if chance < 0.6:
            name = self._pick(self._sups())
            return ("ask", name, self._request(name))
        if chance < 0.7:
            return ("script", self._pick(self._workers()), self._script())
        if chance < 0.85:
            return self._gate()
        return self._talk()

    def _death(self, name: str) -> Step:
        return ("die", name, "kill" if name in self._hanging else self._pick(DEATHS))

    def _gate(self) -> Step:
        name = self._pick(self._sups())
        mine = [child for child in self._workers() if self._parents.get(child) == name]
        subs = [
            self._death(self._pick(mine))
            if mine and self._chance(0.5)
            else ("ask", name, self._request(name))
            for _ in range(self._random.randint(2, 5))
        ]
        return ("gate", name, subs)

    def _talk(self) -> Step:
        cast = self._random.sample(self._workers(), min(2, len(self._workers())))
        subs: list[Step] = []
        for word in range(self._random.randint(2, 6)):
            name = self._pick(cast)
            subs.append(self._death(name) if self._chance(0.3) else ("say", name, word))
        return ("talk", cast, subs)

    def _request(self, name: str) -> Step:
        children = [child for child, parent in self._parents.items() if parent == name]
        pooled = name.startswith("p")
        verb = self._pick(("which", "count", "start", "terminate", "restart", "delete"))
        if verb in {"which", "count"}:
            return (verb,)
        if verb == "start":
            if pooled:
                return ("start", self._name("w", name))
            old = [child for child in children if child.startswith("w")]
            again = self._pick(old) if old and self._chance(0.4) else ""
            return ("start", self._worker(name, name=again))
        if pooled and (verb != "terminate" or not children):
            return ("which",)
        target = self._pick(children) if children and not self._chance(0.05) else "nobody"
        return (verb, target)

    # -- names -------------------------------------------------------------------------------

    def _name(self, kind: str, parent: str) -> str:
        self._serial += 1
        name = f"{kind}{self._serial}"
        self._parents[name] = parent
        return name

    def _workers(self) -> list[str]:
        return [name for name in self._parents if name.startswith("w")] or ["nobody"]

    def _sups(self) -> list[str]:
        return ["top", *(name for name in self._parents if not name.startswith("w"))]

    def _script(self) -> list[str]:
        return [self._pick(OUTCOMES) for _ in range(self._random.randint(1, 3))]

    def _chance(self, of: float) -> bool:
        return self._random.random() < of

    def _pick(self, among: Any) -> Any:
        return self._random.choice(among)


def histories(first: int, count: int) -> Iterator[History]:
    return (Writer(number).history() for number in range(first, first + count))


def _small(number: int, below: list[Spec], groups: list[Spec], steps: list[Step]) -> History:
    tree = ("sup", "top", "one_for_one", 3, "never", "permanent", "infinity", False, below)
    parents = {spec[1]: "top" for spec in below} | {"w2": "p1"}
    for group in groups:
        children = group[-1] if group[0] == "sup" else []
        parents |= {spec[1]: group[1] for spec in children}
    return History(number, tree, {}, steps, parents, {spec[1]: spec for spec in groups})


_WORKER = ("worker", "w1", "permanent", 5000, False, "obeys")
_TRANSIENT = ("sup", "s1", "one_for_one", 0, "never", "transient", "infinity", False, [_WORKER])
_PERMANENT = ("sup", "s1", "one_for_one", 0, "never", "permanent", "infinity", False, [_WORKER])
_POOL = ("pool", "p1", 3, "permanent", "infinity", False, "temporary", 5000)

DEVIATING = {
    "gave-up-is-abnormal": _small(1, [_TRANSIENT], [_TRANSIENT], [("die", "w1", "crash")]),
    "pool-knows-no-dead": _small(2, [_POOL], [_POOL], [("ask", "p1", ("terminate", "nobody"))]),
    "pool-counts-the-living": _small(
        4,
        [_POOL],
        [_POOL],
        [
            ("ask", "p1", ("start", "w2")),
            ("gate", "p1", [("ask", "p1", ("count",)), ("die", "w2", "kill")]),
        ],
    ),
    "orphans": _small(3, [_PERMANENT], [_PERMANENT], [("die", "s1", "kill")]),
}
"""One history for each deviation that docs/actors.md lists, in which it is seen."""
