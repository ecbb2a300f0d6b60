"""The short form of ``scripts/chaos soak``: some of each kind of fault, and nothing is wrong."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts" / "chaos_parts"))

from soak_plan import Fault
from soak_run import Shape, Soak, one_line

FAULTS = (
    Fault(2.0, "kill", "worker"),
    Fault(2.5, "kill", "conductor"),
    Fault(4.0, "freeze", "worker", 0.5),
    Fault(4.5, "kill", "forkserver"),
    Fault(5.5, "disk", "full", 1.0, 100),
    Fault(7.5, "clock", "-60 s", 2.0, -60.0),
    Fault(8.0, "command", "restart", with_it=(Fault(0.2, "kill", "conductor"),)),
    Fault(10.0, "command", "stop"),
)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="the witness needs a C compiler")
def test_a_short_soak_finds_nothing_wrong(tmp_path: Path) -> None:
    shape = Shape(seed=3, customers=3, callers=1, live=2, sheets=4, longest=0.5)
    report = Soak(tmp_path, shape, FAULTS, lambda _: None).run()
    assert [one_line(found) for found in report.violations] == []
    assert report.planned == len(FAULTS)
    assert report.book.counts["jobs"] > 2
    assert len(report.ledger.all()) > 4
    assert report.events > 20
