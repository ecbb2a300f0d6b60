"""The packed sheets of a job that runs: as they are now, and only what changed packed again."""

from __future__ import annotations

import pytest
from ledger_stage import CHAIN, NOW, ledger_of

from ipc import codec
from marianne.daemon.job import status_bytes
from marianne.daemon.job.ledger import Ledger
from marianne.daemon.shared.effects import Step
from marianne.daemon.views import wire
from marianne.state.models import SheetStatus


def shown(ledger: Ledger, sheets: status_bytes.Sheets) -> list[str]:
    return [codec.unpack(packed)["status"] for packed in sheets.of(CHAIN)]


def test_a_sheet_is_packed_as_it_is_after_every_change_and_so_is_what_needs_it() -> None:
    ledger = ledger_of(CHAIN)
    sheets, step = status_bytes.Sheets(ledger), Step()
    assert shown(ledger, sheets) == ["ready", "pending", "pending"]
    ledger.start(step, ledger.row(1), NOW)
    assert shown(ledger, sheets) == ["running", "pending", "pending"]
    ledger.set_row(step, ledger.row(1), SheetStatus.COMPLETED)
    assert shown(ledger, sheets) == ["completed", "ready", "pending"]


def test_what_did_not_change_is_not_packed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = ledger_of(CHAIN)
    sheets = status_bytes.Sheets(ledger)
    sheets.of(CHAIN)
    packed: list[int] = []
    as_it_was = wire.sheet_map
    monkeypatch.setattr(wire, "sheet_map", lambda *args: packed.append(args[2]) or as_it_was(*args))
    ledger.start(Step(), ledger.row(2), NOW)
    sheets.of(CHAIN)
    assert packed == [2, 3]
