"""Running a score to its end and reading what became of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def play(marianne: Run, score: Path, workspace: Path, *, code: int = 0) -> dict[str, Any]:
    """Runs a score to its end, which is ``code``; returns what ``status --json`` says of it."""
    job = workspace.name.replace("_", "-")
    ran = marianne("run", score, "--workspace", workspace, "--id", job, "--wait")
    status = marianne("status", job, "--json")
    assert ran.returncode == code, (ran.stdout, ran.stderr, status.stdout)
    found: dict[str, Any] = json.loads(status.stdout)
    assert found["status"] == ("completed" if code == 0 else "failed")
    return found
