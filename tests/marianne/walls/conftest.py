"""Places to wall off, and who runs scripts behind walls."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from walls_ground import Behind, Ground


@pytest.fixture(scope="module")
def behind() -> Behind:
    """Runs tests/marianne/walls/behind_walls.py with this task."""

    def ask(**task: Any) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("behind_walls.py"))],
            input=json.dumps(task),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    return ask


@pytest.fixture
def ground() -> Iterator[Ground]:
    """A fresh one, in the user's cache: where no program puts temporary files."""
    base = Path("/var/cache") if os.geteuid() == 0 else Path.home() / ".cache"
    base.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="walls-", dir=base, ignore_cleanup_errors=True) as name:
        yield Ground(Path(name))
