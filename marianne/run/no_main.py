"""Preloaded in the forkserver of a program that embeds a conductor: our children do not run the
program's main module again, which a child of multiprocessing does.

It is of no use to them, may take long, and may start the program a second time. Other children of
the same forkserver, the program's own, do as ever.
"""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing import process, spawn
from typing import Any

OURS = "marianne-"
"""What the names of all of our children begin with."""


def _but_ours(fix: Callable[[str], Any]) -> Callable[[str], Any]:
    def fixed(main: str) -> Any:
        return None if process.current_process().name.startswith(OURS) else fix(main)

    return fixed


for _name in ("_fixup_main_from_name", "_fixup_main_from_path"):
    setattr(spawn, _name, _but_ours(getattr(spawn, _name)))
