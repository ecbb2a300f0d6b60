"""A play of its own, in a namespace of mounts: it fills a disk that nobody else has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

OWN = ["unshare", "--user", "--map-root-user", "--mount"]


def played(script: str, place: Path) -> None:
    """Runs the script on a directory; skips the test where nobody may mount."""
    try:
        subprocess.run([*OWN, "mount", "-t", "tmpfs", "none", "/mnt"], check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no mount namespaces here")
    done = subprocess.run(
        [*OWN, sys.executable, script, str(place)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.endswith("all as it should be\n"), done.stdout + done.stderr
