"""Builds the shim of machine faults, where a C compiler is; see fault_shim.c for what it can do."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")


def build(place: Path) -> Path | None:
    """The library, for LD_PRELOAD, built below ``place``; None where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    library = place / "fault_shim.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return library
