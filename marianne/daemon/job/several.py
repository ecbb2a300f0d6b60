"""The sheets of one job on several executors: who has which, and what their runners say together.

Each executor's runner knows its own sheets alone, and its results have numbers of its own. Here
what they say becomes what one runner would say: one hello when each has said what runs, numbers of
which no two are the same. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from marianne.executors.protocol import Run

Hello = dict[str, Any]
_PAIRS = ("running", "queued", "ended")


class Several:
    """``names`` are the executors, in an order that stays over a restart."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._with: dict[int, str] = {}  # by sheet: who has it, or had it last
        self._said: dict[str, Hello] | None = None  # until all have said what runs
        self._returned: dict[str, list[list[int]]] | None = None  # until all have given back

    def heard(
        self, name: str, said: str, args: Sequence[Any], asker: int
    ) -> tuple[str, Sequence[Any]] | None:
        """What the job's actor is told when this runner tells it ``said``: the method of Hearer and
        its arguments, None where others have to say theirs first. ``asker`` is the incarnation that
        listens."""
        if said == "withdrawn":
            returned = self.withdrawn(name, args[0])
            return None if returned is None else ("withdrawn", (returned,))
        if said == "results":
            self.told(name, *args)
            return "results", (self.above(name, args[0]), *args[1:])
        hello, asked_by = args
        whole = self.up(name, hello) if asked_by == asker else None
        if whole is not None:
            return "worker_up", (whole, asker)
        return "results", (self.above(name, hello["unacked"]),)

    # -- numbers of results ---------------------------------------------------------------------

    def above(self, name: str, results: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Results of this runner with the numbers that they have above it."""
        index, count = self.names.index(name), len(self.names)
        return [{**one, "serial": one["serial"] * count + index} for one in results]

    def below(self, serials: Iterable[int]) -> dict[str, list[int]]:
        """The numbers that each runner knows these results by."""
        found: dict[str, list[int]] = {}
        for serial in serials:
            number, index = divmod(serial, len(self.names))
            found.setdefault(self.names[index], []).append(number)
        return found

    # -- what runs ------------------------------------------------------------------------------

    def ask(self) -> None:
        """All are asked what runs."""
        self._said = {}

    def up(self, name: str, hello: Mapping[str, Any]) -> Hello | None:
        """One has said it; returns what all have, once they have."""
        if self._said is None:
            return None
        own = {kind: [list(pair) for pair in hello.get(kind, ())] for kind in _PAIRS}
        said = {"unacked": self.above(name, hello["unacked"]), "held": bool(hello.get("held"))}
        self._said[name] = {**own, **said}
        for kind in _PAIRS:
            self._with.update((num, name) for num, _ in own[kind])
        if len(self._said) < len(self.names):
            return None
        all_said, self._said = self._said, None
        whole: Hello = {
            kind: [one for name in self.names for one in all_said[name][kind]]
            for kind in (*_PAIRS, "unacked")
        }
        return {**whole, "held": any(one["held"] for one in all_said.values())}

    def told(
        self,
        name: str,
        results: Iterable[Mapping[str, Any]],
        started: Iterable[Sequence[Any]] = (),
    ) -> None:
        """What one tells while others have not said yet what runs: its own word is older by it."""
        hello = (self._said or {}).get(name)
        if hello is None:
            return
        begun = {(num, attempt) for num, attempt, *_ in started}
        over = {(one["num"], one["attempt"]) for one in results}
        running = {tuple(pair) for pair in hello["running"]} | begun
        hello["running"] = [list(pair) for pair in sorted(running - over)]
        gone = begun | over
        hello["queued"] = [pair for pair in hello["queued"] if tuple(pair) not in gone]
        hello["ended"] = [pair for pair in hello["ended"] if tuple(pair) not in over]

    # -- who gets what --------------------------------------------------------------------------

    def place(self, runs: Iterable[Run]) -> dict[str, list[Run]]:
        """Each to the executor that it is for."""
        found: dict[str, list[Run]] = {}
        for run in runs:
            found.setdefault(run.executor, []).append(run)
            self._with[run.num] = run.executor
        return found

    def having(self, nums: Iterable[int]) -> dict[str, list[int]]:
        """Who has these sheets. All are told of one of which it is not known who has it, and of
        any while it is not known what runs."""
        found: dict[str, list[int]] = {}
        for num in nums:
            known = self._with.get(num) if self._said is None else None
            for name in self.names if known is None else (known,):
                found.setdefault(name, []).append(num)
        return found

    # -- what is given back ---------------------------------------------------------------------

    def withdraw(self) -> None:
        """All are asked for what they were granted ahead."""
        self._returned = {}

    def withdrawn(self, name: str, sheets: Sequence[Sequence[int]]) -> list[list[int]] | None:
        """One has given it back; returns what all have, once they have."""
        if self._returned is None:
            return None
        self._returned[name] = [list(pair) for pair in sheets]
        if len(self._returned) < len(self.names):
            return None
        returned, self._returned = self._returned, None
        return [pair for name in self.names for pair in returned[name]]
