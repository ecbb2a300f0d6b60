"""The sheets of a job that runs: as they are on disk, and only what changed packed again."""

from __future__ import annotations

import pytest
from ledger_stage import CHAIN, NOW, ledger_of

from ipc import codec
from marianne.daemon.job import status_bytes
from marianne.daemon.shared.effects import Step
from marianne.daemon.views import wire
from marianne.state.changes import GrowPlan
from marianne.state.models import SheetStatus


def shown(sheets: status_bytes.Sheets) -> list[str]:
    return [codec.unpack(packed)["status"] for packed in sheets.of(CHAIN)]


def test_a_sheet_is_packed_as_it_is_on_disk_after_every_change_and_so_is_what_needs_it() -> None:
    ledger = ledger_of(CHAIN)
    sheets, begun, ended = status_bytes.Sheets(ledger), Step(), Step()
    assert shown(sheets) == ["ready", "pending", "pending"]
    ledger.start(begun, ledger.row(1), NOW)
    assert shown(sheets) == ["ready", "pending", "pending"]
    sheets.committed(begun.changes)
    assert shown(sheets) == ["running", "pending", "pending"]
    ledger.set_row(ended, ledger.row(1), SheetStatus.COMPLETED)
    assert shown(sheets) == ["running", "pending", "pending"]
    sheets.committed(ended.changes)
    assert shown(sheets) == ["completed", "ready", "pending"]
    assert sheets.progress() == ledger.progress()


def test_what_did_not_change_is_not_packed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, step = ledger_of(CHAIN), Step()
    sheets = status_bytes.Sheets(ledger)
    sheets.of(CHAIN)
    packed: list[int] = []
    as_it_was = wire.sheet_map
    monkeypatch.setattr(wire, "sheet_map", lambda *args: packed.append(args[2]) or as_it_was(*args))
    ledger.start(step, ledger.row(2), NOW)
    sheets.committed(step.changes)
    sheets.of(CHAIN)
    assert packed == [2, 3]


def test_a_letter_is_kept_of_each_sheet_and_of_each_that_a_list_adds() -> None:
    ledger, begun, ended = ledger_of(CHAIN), Step(), Step()
    sheets = status_bytes.Sheets(ledger)
    assert sheets.states() == b"ppp"
    ledger.start(begun, ledger.row(1), NOW)
    sheets.committed(begun.changes)
    assert sheets.states() == b"rpp"
    ledger.set_row(ended, ledger.row(1), SheetStatus.FAILED)
    sheets.committed([*ended.changes, GrowPlan("a", b"", 5)])
    assert sheets.states() == b"fpppp"
    assert status_bytes.Sheets(ledger).states() == b"fpp"


@pytest.mark.parametrize("first", ["the commit", "the news"])
def test_an_attempts_true_start_and_its_walls_are_shown_whichever_is_known_first(
    first: str,
) -> None:
    ledger, step = ledger_of(CHAIN), Step()
    sheets = status_bytes.Sheets(ledger)
    ledger.start(step, ledger.row(1), NOW)
    if first == "the commit":
        sheets.committed(step.changes)
        sheets.of(CHAIN)
    ledger.show_start(Step(), ledger.row(1), NOW + 5, ["write"])
    sheets.began(1)
    sheets.committed(step.changes)
    shown = codec.unpack(sheets.of(CHAIN)[0])
    assert (shown["started_at"], shown["walls"]) == (wire.timestamp(NOW + 5), ["write"])


def test_the_sheets_of_a_list_are_counted_when_they_are_on_disk() -> None:
    ledger = ledger_of(CHAIN, {1: "completed"})
    sheets = status_bytes.Sheets(ledger)
    sheets.committed([GrowPlan("job", b"", 5)])
    told = sheets.progress()
    assert (told["completed"], told["pending"], told["total"]) == (1, 4, 5)
