"""Every pair of statuses is either in the table or refused; final means final."""

import ast
from collections.abc import Iterator
from enum import StrEnum
from itertools import product
from pathlib import Path

import pytest

import marianne
from marianne.state.errors import IllegalTransition
from marianne.state.models import TERMINAL_JOB, TERMINAL_SHEET, JobStatus, SheetRow, SheetStatus
from marianne.state.transitions import (
    JOB,
    JOB_ASKED,
    SHEET,
    SHEET_ASKED,
    check,
    move,
)

KINDS = [JobStatus, SheetStatus]
# Written out again, by hand: a slip in the table shows here.
LEGAL = {
    "job": """
        queued > pending running paused failed cancelling cancelled
        pending > queued running paused failed cancelling cancelled
        running > queued pausing paused completed failed cancelling cancelled
        pausing > running paused completed failed cancelling cancelled
        paused > queued pending running completed failed cancelling cancelled
        cancelling > completed failed cancelled
        completed >
        failed >
        cancelled >
    """,
    "sheet": """
        pending > ready running waiting completed failed skipped cancelled
        ready > pending running waiting completed failed skipped cancelled
        running > pending ready waiting completed failed skipped cancelled
        waiting > pending ready running completed failed skipped cancelled
        completed >
        failed >
        skipped >
        cancelled >
    """,
}
ASKED = {
    "job": """
        completed > queued pending running paused failed
        failed > queued pending running paused completed
        cancelled > queued pending running paused
    """,
    "sheet": """
        completed > pending ready
        failed > pending ready completed
        skipped > pending ready
        cancelled > pending ready
    """,
}


def pairs(text: str) -> set[tuple[str, str]]:
    lines = (line.split(">") for line in text.splitlines() if line.strip())
    return {(old.strip(), new) for old, news in lines for new in news.split()}


def is_legal(old: StrEnum, new: StrEnum, asked: bool) -> bool:
    try:
        check(old, new, asked=asked)
    except IllegalTransition:
        return False
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_every_pair_is_as_written(kind: type[StrEnum]) -> None:
    name = kind.__name__.removesuffix("Status").lower()
    stay = {(str(s), str(s)) for s in kind}
    for asked, expected in ((False, LEGAL), (True, LEGAL | {name: LEGAL[name] + ASKED[name]})):
        found = {(str(a), str(b)) for a, b in product(kind, kind) if is_legal(a, b, asked)}
        assert found == pairs(expected[name]) | stay


def test_the_tables_know_every_status() -> None:
    assert set(JOB) == set(JobStatus)
    assert set(SHEET) == set(SheetStatus)


def test_only_final_states_need_a_person_and_nothing_leaves_them_alone() -> None:
    assert set(JOB_ASKED) == {s for s, to in JOB.items() if not to} == TERMINAL_JOB
    assert set(SHEET_ASKED) == {s for s, to in SHEET.items() if not to} == TERMINAL_SHEET


def test_every_live_state_can_reach_an_end() -> None:
    for status, to in JOB.items():
        assert status.terminal or to & TERMINAL_JOB
    for sheet, sheet_to in SHEET.items():
        assert sheet.terminal or sheet_to & TERMINAL_SHEET


def test_the_error_names_what_was_tried() -> None:
    with pytest.raises(IllegalTransition, match="a sheet cannot go from completed to running") as e:
        check(SheetStatus.COMPLETED, SheetStatus.RUNNING)
    assert (e.value.kind, e.value.old, e.value.new) == ("sheet", "completed", "running")


def test_statuses_of_two_kinds_never_mix() -> None:
    with pytest.raises(IllegalTransition):
        check(JobStatus.QUEUED, SheetStatus.READY)


def test_a_move_that_is_not_in_the_table_changes_nothing() -> None:
    row = SheetRow(1, SheetStatus.COMPLETED)
    with pytest.raises(IllegalTransition):
        move(row, SheetStatus.PENDING)
    assert row.status is SheetStatus.COMPLETED
    move(row, SheetStatus.PENDING, asked=True)
    assert row.status is SheetStatus.PENDING


PRODUCT = Path(marianne.__file__).parent
ASSIGN = {
    "state/transitions.py",
    "state/rows.py",  # makes rows of what was read
    "run/child.py",
    "run/nursery.py",  # what wait(2) said of a process
    "cli/render/live.py",  # a client's picture, by the events that it is told
}


def assigned(tree: ast.AST) -> Iterator[int]:
    """The lines in which something is given a ``status``."""
    for node in ast.walk(tree):
        stored = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        if stored and node.attr == "status":
            yield node.lineno


@pytest.mark.slow
def test_no_other_code_assigns_a_status() -> None:
    found = {
        f"{path.relative_to(PRODUCT)}:{line}"
        for path in PRODUCT.rglob("*.py")
        if str(path.relative_to(PRODUCT)) not in ASSIGN
        for line in assigned(ast.parse(path.read_text()))
    }
    assert not found, "use marianne.state.transitions.move"
