"""Builds the shim of machine faults, where a C compiler is; see fault_shim.c for what it can do."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")


def build(place: Path) -> Path | None:
    """The library, for LD_PRELOAD, built below ``place``; None where there is no C compiler."""
    return _compile(SOURCE, place / "fault_shim.so", "-shared", "-fPIC")


def build_program(source: Path, place: Path) -> Path | None:
    """The program of one source file, built below ``place``; None where there is no C compiler."""
    return _compile(source, place / source.stem)


def _compile(source: Path, made: Path, *flags: str) -> Path | None:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    command = [compiler, *flags, "-O1", "-o", made, source, "-ldl"]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return made
