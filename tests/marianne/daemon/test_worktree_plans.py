"""Another plan for a job in a worktree: its steps stand behind the score's own sheets."""

from __future__ import annotations

from dataclasses import replace

import pytest
from manager_parts import plan_of

from marianne.daemon.jobs import plan_diff
from marianne.daemon.shared.refusal import Refused
from marianne.model.plan import Plan
from marianne.state.models import SheetRow, SheetStatus


def rows(*found: SheetRow) -> dict[int, SheetRow]:
    return {row.num: row for row in found}


def in_a_worktree(*names: str) -> Plan:
    whole = plan_of(*names, "worktree", "worktree-end")
    *own, begin, end = whole.sheets
    needs = tuple(range(1, begin.num))
    own = [replace(sheet, needs=(begin.num,)) for sheet in own]
    begin = replace(begin, workspace_step="begin", stage=begin.num, start_item=begin.num)
    return replace(whole, sheets=(*own, begin, replace(end, workspace_step="end", needs=needs)))


def test_a_job_in_a_worktree_goes_on_with_more_sheets_and_with_fewer() -> None:
    """The number of its steps moves: it was refused, sheet 2 (worktree) had been completed."""
    one, two, other = in_a_worktree("a"), in_a_worktree("a", "b"), in_a_worktree("a", "c")
    done = [SheetRow(num, SheetStatus.COMPLETED, attempt=1) for num in (1, 2, 3)]
    plan_diff.check_kept(one, two, rows(*done), "job")
    found = plan_diff.replan(one, two, rows(*done), {})
    assert [(row.num, row.attempt) for row in found.saves] == [(2, 1), (3, 1)]
    assert found.left == 3, "b, in a worktree that is made again where it was merged"
    (told,) = plan_diff.changes_of(one, two, rows(*done))
    assert (told["sheet"], told["name"], told["change"], told["kept"]) == (2, "b", "added", False)
    plan_diff.check_kept(two, one, rows(*done), "job")
    found = plan_diff.replan(two, one, rows(*done), {})
    assert [row.num for row in found.saves] == [2, 3]
    (told,) = plan_diff.changes_of(two, one, rows(*done))
    assert (told["name"], told["change"]) == ("b", "removed")
    with pytest.raises(Refused, match=r"sheet 2 .b. of job is completed"):
        plan_diff.check_kept(two, other, rows(*done), "job")


def test_the_steps_of_a_worktree_stay_done_where_nothing_of_the_score_is_left() -> None:
    one = in_a_worktree("a")
    done = rows(*(SheetRow(num, SheetStatus.COMPLETED, attempt=1) for num in (1, 2, 3)))
    assert plan_diff.replan(one, one, done, {}) == plan_diff.Replanned((), None, 0)
    conflict = done | rows(SheetRow(3, SheetStatus.FAILED, attempt=1))
    assert [row.num for row in plan_diff.replan(one, one, conflict, {}).saves] == [3]
