"""Which hook follows a job's end: what is written in its row, and nothing else. Pure.

A completed job is followed by ``on_success``, a failed one by ``on_failure``, both by ``on_exit``;
a cancelled one by what of ``on_exit`` says so. How far each list is stands in the row's options.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from marianne.records import dataclass
from marianne.state.models import JobRow, JobStatus

SUCCESS, FAILURE, EXIT = "on_success", "on_failure", "on_exit"

_DONE = "hooks_done"
_FOLLOWED = "followed"
_SCORE = "scores_replaced"
LOG_DUE = "log_due"
"""In a job's options: the line of the concert's log that is still to be written."""

KEPT = 20
"""So many results of hooks are kept in the row."""

ANEW: Mapping[str, Any] = {_FOLLOWED: {}}
"""The options of a job that runs again: its next end is another one. What followed its success is
done once."""


def anew_after_success(row: JobRow) -> dict[str, Any]:
    """The options of a job that goes on by another score: what that wants to follow its success has
    not been done, whatever the score before it wanted."""
    return {_DONE: 0, _SCORE: int(row.options.get(_SCORE) or 0) + 1}


_OF_STATUS = {
    JobStatus.COMPLETED: (SUCCESS, EXIT),
    JobStatus.FAILED: (FAILURE, EXIT),
    JobStatus.CANCELLED: (EXIT,),
}


@dataclass(frozen=True, slots=True)
class Place:
    """A hook: its list, its index there, and what the score says of it."""

    list: str
    index: int
    hook: dict[str, Any]

    @property
    def name(self) -> str:
        """What messages call it."""
        before = "" if self.list == SUCCESS else f"{self.list} "
        said = self.hook["type"]
        if self.hook["description"]:
            said += f": {self.hook['description']}"
        return f"{before}hook {self.index + 1} ({said})"

    def request_id(self, row: JobRow) -> str:
        """Under which the job that it starts is submitted: once for each end that it follows."""
        if self.list == SUCCESS:
            score = row.options.get(_SCORE)
            return f"chain/{row.job_id}/{self.index}" + (f"/{score}" if score else "")
        return f"chain/{row.job_id}/{self.list}/{self.index}/{row.finished_at}"


def next_hook(row: JobRow, has_new_work: Callable[[], bool]) -> Place | None:
    """The first hook that has not ended; None when nothing follows (any more).

    Without new work nothing follows a success: a job that chains to itself would go round for ever.
    """
    for name in _OF_STATUS.get(row.status, ()):
        hooks, done = _hooks(row, name), _done(row, name)
        if done >= len(hooks) or (name == SUCCESS and not has_new_work()):
            continue
        if name == FAILURE and _done(row, EXIT):
            continue  # it failed by what followed it
        for index in range(done, len(hooks)):
            hook = hooks[index]
            if row.status is not JobStatus.CANCELLED or hook.get("after_cancel"):
                return Place(name, index, hook)
    return None


def options_after(
    row: JobRow, place: Place, ok: bool, words: str, *, stops: bool
) -> dict[str, Any]:
    """The job's options when this hook has ended; ``stops`` leaves out the rest of its list."""
    done = len(_hooks(row, place.list)) if stops else place.index + 1
    results = [*(row.options.get("hook_results") or []), {"ok": ok, "words": words}]
    options = {**row.options, "hook_results": results[-KEPT:]}
    if place.list == SUCCESS:
        return {**options, _DONE: done}
    return {**options, _FOLLOWED: {**(row.options.get(_FOLLOWED) or {}), place.list: done}}


def _hooks(row: JobRow, name: str) -> list[dict[str, Any]]:
    return (row.options.get("after") or {}).get(name) or []


def _done(row: JobRow, name: str) -> int:
    if name == SUCCESS:
        return int(row.options.get(_DONE) or 0)
    return int((row.options.get(_FOLLOWED) or {}).get(name) or 0)
