"""The conductor's threads stay on one core; its sheets do not. It loads no more than it needs."""

from __future__ import annotations

import os
from pathlib import Path

from e2e_marianne import Marianne

from marianne.daemon.processes import hashes

ALLOWED = "Cpus_allowed_list:"


def allowed(status: str) -> str:
    return status.partition(ALLOWED)[2].split()[0]


def test_the_conductor_stays_on_one_core_and_sheets_may_use_all(marianne: Marianne) -> None:
    marianne("start")
    look = f"sheets:\n  - {{name: look, run: 'grep {ALLOWED} /proc/self/status > allowed'}}\n"
    marianne.wait(marianne.submit("look", look))
    marianne.wait(marianne.submit("again", look))  # by a spare worker, or by one of its own
    conductor = Path(f"/proc/{marianne.pids()['conductor']}")
    (core,) = {allowed((task / "status").read_text()) for task in (conductor / "task").iterdir()}
    assert int(core) in os.sched_getaffinity(0)
    ours = allowed(Path("/proc/self/status").read_text())
    for name in ("look", "again"):
        assert allowed((marianne.place / name / "allowed").read_text()) == ours
    loaded = (conductor / "maps").read_text()
    assert "_pydantic_core" in loaded  # a submission takes it along
    assert "_asyncio" not in loaded
    assert "libcrypto" not in loaded or not hashes.complete()
