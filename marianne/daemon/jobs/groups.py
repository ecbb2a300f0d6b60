"""Groups: so many of their jobs run at once, beside the limit of all jobs.

A group is kept as a value in the database; a job's is in its row. What a restart finds: the groups
as they were, and in the roster who runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from actors import Outcome
from ipc import codec
from marianne.daemon.jobs.desk import Desk
from marianne.daemon.shared.idempotency import Answer
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.views.groups import KEPT, OPTION, limits
from marianne.state.changes import SetMeta
from marianne.state.models import JobRow

if TYPE_CHECKING:
    from marianne.replies.groups import Group
    from marianne.replies.reports import Reason

MOST = 1_000
"""Groups there are at most."""


class Groups:
    """``admit`` looks whom a change lets in."""

    def __init__(self, desk: Desk, admit: Callable[[], None]) -> None:
        self._desk = desk
        self._admit = admit
        self._limits = limits(desk.reader)
        self._going: set[str] = set()
        """Groups whose removal is on its way to the disk."""

    # -- asked ----------------------------------------------------------------------------------

    def check(self, name: str | None) -> None:
        """Refuses a group that there is not, and with ``unavailable`` one that is being removed: a
        job taken in meanwhile would be of a group without a limit."""
        if name in self._going:
            raise Refused("unavailable", f"the group {name} is just being removed")
        if name is not None and name not in self._limits:
            raise Refused(
                "not_found",
                f"there is no group {name!r}",
                hint=f"`marianne group add {name} --parallel N`, or `marianne group list`",
            )

    def open(self, line: Iterable[JobRow]) -> Iterator[JobRow]:
        """Those of the line whose groups have room, counting on those before them."""
        if not self._limits:
            yield from line
            return
        taken = self._running()
        for row in line:
            name = row.options.get(OPTION)
            limit = self._limits.get(name) if name is not None else None
            if limit is None:
                yield row
            elif taken[name] < limit:
                taken[name] += 1
                yield row

    def why(self, row: JobRow) -> Reason | None:
        """Why a job waits for its group; None where it does not."""
        if next(self.open([row]), None) is not None:
            return None
        name = row.options[OPTION]
        limit = self._limits[name]
        jobs = "1 job runs" if limit == 1 else f"{limit} jobs run"
        text = f"of its group {name} {jobs}, as many as may"
        return {"code": "group", "text": text, "data": {"group": name, "parallel": limit}}

    def _running(self) -> Counter[Any]:
        return Counter(live.row.options.get(OPTION) for live in self._desk.live.running())

    def _waiting(self) -> Counter[Any]:
        return Counter(
            live.row.options.get(OPTION)
            for live in self._desk.live.values()
            if not live.admitted and not live.row.status.terminal
        )

    # -- changed --------------------------------------------------------------------------------

    def change(self, answer: Answer[Group], name: str, parallel: int | None) -> None:
        """Adds a group or gives it another limit; without one removes it.

        Refuses with ``conflict`` to remove one that has jobs which are not over.
        """
        running, waiting = self._running()[name], self._waiting()[name]
        if parallel is None:
            self.check(name)
            if running or waiting:
                raise Refused(
                    "conflict",
                    f"jobs of the group {name} are not over: {running + waiting}",
                    hint="wait for them, cancel them, or give it another limit: "
                    f"`marianne group add {name} --parallel N`",
                )
        elif name not in self._limits and len(self._limits) >= MOST:
            raise Refused("conflict", f"there are {MOST:,} groups", hint="remove one")
        reply: Group = {"name": name, "parallel": parallel, "running": running, "waiting": waiting}
        kept = None if parallel is None else codec.pack(parallel)
        if parallel is None:
            self._going.add(name)
        changes = [SetMeta(KEPT + name, kept), *answer.remember(reply)]
        written = self._desk.ask_to_write(changes)
        self._desk.turns.pipe(written, self.changed, reply, answer)

    def changed(self, outcome: Outcome[Any], reply: Group, answer: Answer[Group]) -> None:
        """It is on disk."""
        self._going.discard(reply["name"])
        if outcome.error is not None:
            answer.fail(outcome.error)
            return
        name, parallel = reply["name"], reply["parallel"]
        if parallel is None:
            self._limits.pop(name, None)
        else:
            self._limits[name] = parallel
        answer.set(reply)
        self._admit()
