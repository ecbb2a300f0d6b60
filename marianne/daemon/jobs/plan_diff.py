"""Another plan for a job that has run: what stays, what runs again, what differs. Pure.

A sheet is the same sheet when it has the same number. What is completed stays completed, so the
new plan must have it under the same name; every other sheet begins anew, with all its retries. What
was not asked for stays left out under its name, wherever the new plan has it.

The steps of a job's worktree stand behind the score's own sheets, so their numbers move with it.
They find what they have done, and are done again under whichever number they have.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Set
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from marianne.daemon.job.asked_for import CATEGORY, NOT_ASKED_FOR, left_out
from marianne.daemon.shared.refusal import Refused
from marianne.model.placement import LOCAL, executors_of
from marianne.model.plan import Plan, SheetPlan
from marianne.records import dataclass
from marianne.schedule.graph import depths
from marianne.score.redact import redact
from marianne.state.models import SheetRow, SheetStatus

if TYPE_CHECKING:
    from marianne.replies.changes import Change, ScoreChange

DIFF_LINES = 400
"""Lines of a difference at most; what is cut off is said."""

_MOVES = ("num", "stage", "start_item", "end_item", "needs")
"""What is another of a worktree's step wherever the score has another sheet."""

_KEEPS = (SheetStatus.COMPLETED, SheetStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class Replanned:
    """What becomes of the rows: ``saves`` are written, those from ``drop_from`` on go."""

    saves: tuple[SheetRow, ...]
    drop_from: int | None
    left: int
    """Sheets that are still to run."""


def check_kept(old: Plan, new: Plan, rows: Mapping[int, SheetRow], job_id: str) -> None:
    """Refuses a plan that has another sheet in the place of one that is completed or runs."""
    for num, row in sorted(rows.items()):
        if row.status not in _KEEPS or num > min(len(old.sheets), len(new.sheets)):
            continue
        if old.sheets[num - 1].workspace_step or _gone(old, new, num):
            continue
        was, now = _what_it_is(old, num), _what_it_is(new, num)
        if was != now:
            hint = "add new sheets after the completed ones, or run the score as a new job"
            if old.grown:
                hint = "once a list has made its sheets no other can be added: run it as a new job"
            raise Refused(
                "conflict",
                f"sheet {num} ({was}) of {job_id} is {row.status}; the new score has {now} there",
                hint=hint,
            )


def check_cluster(options: Mapping[str, Any], new: Plan, job_id: str) -> None:
    """Refuses a plan for another cluster than the job has been on: its files lie there."""
    before = {name for name in options.get("executors") or () if name != LOCAL}
    after = {name for name in executors_of(new) if name != LOCAL}
    if before and after - before:
        raise Refused(
            "conflict",
            f"{job_id} has sheets on {min(before)}, by the new score on {min(after - before)}",
            hint="a job is on one cluster beside the conductor's machine: run it as a new job",
        )


def _gone(old: Plan, new: Plan, num: int) -> bool:
    """Whether a step of the worktree stands where a sheet was that the new plan has no more."""
    name = old.sheets[num - 1].name
    return bool(new.sheets[num - 1].workspace_step) and all(s.name != name for s in new.sheets)


def _what_it_is(plan: Plan, num: int) -> str:
    """A sheet that makes a list is another one than a sheet of its name that does its work itself:
    done as one it has not been done as the other."""
    return plan.sheets[num - 1].name + (", which makes a list" if num in plan.lists else "")


def still_left_out(old: Plan, new: Plan, options: Mapping[str, Any]) -> set[int]:
    """The sheets of the new plan that nobody has asked for, by the options of the old one's job.
    Where others have the same name it is by name and number."""
    out = left_out(options, len(old.sheets))
    names = {sheet.num: sheet.name for sheet in old.sheets}
    asked = {name for num, name in names.items() if num not in out}
    alone = {names[num] for num in out} - asked
    same = {num for num in out if names[num] not in alone}
    return {s.num for s in new.sheets if s.name in alone} | {
        s.num for s in new.sheets if s.num in same and s.name == names[s.num]
    }


def replan(
    old: Plan,
    new: Plan,
    rows: Mapping[int, SheetRow],
    attempts: Mapping[int, int],
    out: Set[int] = frozenset(),
) -> Replanned:
    """The rows of a job that goes on by ``new``, of which ``out`` is left out.

    ``attempts`` are the numbers of the last attempts of sheets that an earlier plan had and this
    one has again: numbers are never used twice.
    """
    count = len(new.sheets)
    again = _steps_again(old, new, rows, out)
    again |= _for_their_ends(old, new, rows, out, again)
    saves = []
    done = 0
    for num, row in sorted(rows.items()):
        if num > count:
            continue
        if num in out and row.status is SheetStatus.SKIPPED:
            continue
        if num not in again and _stays(old, new, row):
            done += num not in out
        elif row != (fresh := SheetRow(num, attempt=row.attempt)):
            saves.append(fresh)
    for num, attempt in sorted(attempts.items()):
        if num <= count and num not in rows:
            saves.append(SheetRow(num, attempt=attempt))
    saves += [_left_out(num, rows, attempts) for num in sorted(out) if not _is_out(num, rows)]
    left = count - done - len(out)
    return Replanned(tuple(saves), count + 1 if len(old.sheets) > count else None, left)


def _is_out(num: int, rows: Mapping[int, SheetRow]) -> bool:
    """Whether it is left out already, or is past that."""
    return num in rows and rows[num].status in (SheetStatus.SKIPPED, SheetStatus.COMPLETED)


def _left_out(num: int, rows: Mapping[int, SheetRow], attempts: Mapping[int, int]) -> SheetRow:
    attempt = rows[num].attempt if num in rows else attempts.get(num, 0)
    return SheetRow(
        num, SheetStatus.SKIPPED, attempt=attempt, category=CATEGORY, message=NOT_ASKED_FOR
    )


def _steps_again(old: Plan, new: Plan, rows: Mapping[int, SheetRow], out: Set[int]) -> set[int]:
    """The rows of the steps of a worktree, before and now, if any of the score's sheets is still to
    run or another sheet has their number: what works there needs the one, what is made there the
    other."""
    was, now = ({s.num: s.workspace_step for s in p.sheets if s.workspace_step} for p in (old, new))
    own = {sheet.num for sheet in new.sheets} - now.keys() - out
    left = any(n in was or n not in rows or not _stays(old, new, rows[n]) for n in own)
    return {num for num in was.keys() | now.keys() if left or was.get(num) != now.get(num)}


def _stays(old: Plan, new: Plan, row: SheetRow) -> bool:
    return row.status is SheetStatus.COMPLETED or _still_skipped(old, new, row)


def _for_their_ends(
    old: Plan, new: Plan, rows: Mapping[int, SheetRow], out: Set[int], steps: Set[int]
) -> set[int]:
    """Sheets that run again though they completed: they ran for the end of others, of which some
    run again (``steps`` do), or depend on such a sheet."""
    if all(sheet.when == "succeeded" for sheet in new.sheets):
        return set()
    again: set[int] = set()
    runs = {s.num for s in new.sheets if s.num not in rows or not _stays(old, new, rows[s.num])}
    runs = (runs | steps) - out
    needs = {sheet.num: sheet.needs for sheet in new.sheets if sheet.num not in out}
    for num in sorted(needs, key=depths(needs).__getitem__):
        ends = new.sheets[num - 1].when != "succeeded"
        if any(n in again or (ends and n in runs) for n in needs[num]):
            again.add(num)
            runs.add(num)
    return again


def _still_skipped(old: Plan, new: Plan, row: SheetRow) -> bool:
    return (
        row.status is SheetStatus.SKIPPED
        and row.category == "skip_condition"
        and row.num <= len(old.sheets)
        and old.sheets[row.num - 1] == new.sheets[row.num - 1]
    )


def changes_of(old: Plan, new: Plan, rows: Mapping[int, SheetRow]) -> list[ScoreChange]:
    """What differs, for a person: one entry a sheet, and one (``sheet`` None) for the rest.

    ``change`` is changed, added or removed; ``fields`` says what changed; ``kept`` that the sheet
    is completed and does not run again.
    """
    found: list[ScoreChange] = []
    top = [n for n in _TOP if getattr(old, n) != getattr(new, n)]
    if top:
        found.append(_entry(None, None, "changed", top, False))
    before, after = ({s.workspace_step or s.num: s for s in p.sheets} for p in (old, new))
    steps = {sheet.num for sheet in old.sheets if sheet.workspace_step}
    for key, now in after.items():
        row, was = rows.get(now.num), before.get(key)
        done = row is not None and row.status is SheetStatus.COMPLETED
        kept = done and not now.workspace_step and now.num not in steps
        if was is None:
            found.append(_entry(now.num, now.name, "added", [], kept))
            continue
        names = _differing(was, now)
        if "needs" in names and _named_needs(old, was) == _named_needs(new, now):
            names.remove("needs")
        names += ["each"] if old.lists.get(was.num) != new.lists.get(now.num) else []
        if names:
            found.append(_entry(now.num, now.name, "changed", names, kept))
    gone = (sheet for key, sheet in before.items() if key not in after)
    found += [_entry(sheet.num, sheet.name, "removed", [], False) for sheet in gone]
    return found


def text_diff(old: str, new: str) -> str:
    """The difference of two scores as ``diff -u`` writes it, without credentials."""
    lines = list(
        difflib.unified_diff(
            redact(old).splitlines(), redact(new).splitlines(), "before", "after", lineterm=""
        )
    )
    more = len(lines) - DIFF_LINES
    return "\n".join([*lines[:DIFF_LINES], *([f"({more} more lines)"] if more > 0 else [])])


_TOP = (
    "name",
    "max_concurrent",
    "stagger_seconds",
    "pause_between_sheets_seconds",
    "extras",
)


def _differing(old: SheetPlan, new: SheetPlan) -> list[str]:
    if old == new:
        return []
    moved = _MOVES if new.workspace_step else ()
    names = (field.name for field in fields(SheetPlan) if field.name not in moved)
    return [name for name in names if getattr(old, name) != getattr(new, name)]


def _named_needs(plan: Plan, sheet: SheetPlan) -> list[str | int]:
    """What the sheet needs, the steps of its worktree not by their numbers, which move."""
    return [plan.sheets[num - 1].workspace_step or num for num in sheet.needs]


def _entry(
    num: int | None, name: str | None, change: Change, names: list[str], kept: bool
) -> ScoreChange:
    return {"sheet": num, "name": name, "change": change, "fields": names, "kept": kept}
