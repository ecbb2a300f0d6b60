"""The wall clock is set while a sheet waits for its retry: it waits no longer for that."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest
from e2e_marianne import Marianne, until

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts" / "chaos_parts"))

from fault_shim import build

AGAIN = """
sheets:
  - name: again
    run: "test -e again || { touch again; exit 1; }"
    retry: {max_retries: 1, base_delay_seconds: 2, jitter: false}
"""


@pytest.mark.parametrize("seconds", [-3600, -1, 3600])
def test_a_retry_comes_though_the_clock_was_set(marianne: Marianne, seconds: int) -> None:
    shim = build(marianne.place)
    if shim is None:
        pytest.skip("no C compiler")
    control = marianne.place / "control"
    control.write_bytes(bytes(64))
    marianne.env |= {
        "LD_PRELOAD": str(shim),
        "FAULT_SHIM_CONTROL": str(control),
        "FAULT_SHIM_PLACE": str(marianne.place / "nowhere"),
    }
    job = marianne.submit("again", AGAIN)
    until(lambda: marianne.sheet(job, 1)["status"] == "waiting")
    with control.open("r+b") as file:
        file.seek(16)
        file.write(struct.pack("q", seconds * 10**9))
    assert marianne.wait(job)["status"] == "completed"
    assert marianne.sheet(job, 1)["attempt"] == 2
