"""The short form of ``scripts/chaos load``, and the proof that its witness is not blind."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts" / "chaos_parts"))

from load import run
from load_clients import Load, of_ledger

pytestmark = pytest.mark.slow


def test_more_clients_than_places_submit_and_wait_and_nothing_goes_wrong(tmp_path: Path) -> None:
    assert run(tmp_path, Load(jobs=60, clients=4, places=2)) == []


def test_the_witness_sees_what_ran_twice_and_what_did_not_run(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    ledger.write_text("a 1 1 begin\na 1 1 begin\na 1 1 end\nb 1 2 begin\n")
    assert of_ledger(ledger, ["a", "b"], 1) == [
        "a: attempt 1 of sheet 1 has 2 times begin",
        "b: attempt 1 of sheet 1 has 0 times begin",
        "b: attempt 1 of sheet 1 has 0 times end",
        "unexpected: b 1 2 begin times 1",
    ]
