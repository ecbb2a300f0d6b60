"""What a sheet is kept from: what a score, a sheet, an instrument or a conductor says under
``sandbox:``, as plain data, and the stricter of two."""

from __future__ import annotations

import os
from typing import Literal

from marianne.records import dataclass

WORKSPACE = "workspace"
"""In ``write`` and ``read``: the job's own."""

WhenMissing = Literal["required", "best-effort"]


@dataclass(frozen=True, slots=True)
class Sandbox:
    """``write`` and ``read`` are the only places that may be; None: no restriction.

    ``network`` False: none. ``tmp`` private: directories for temporary files of its own.
    ``isolate``: a namespace of processes of its own, without Marianne's home. ``when_missing``:
    whether it may run where a wall is missing.
    """

    write: tuple[str, ...] | None = None
    read: tuple[str, ...] | None = None
    network: bool = True
    tmp: Literal["shared", "private"] = "shared"
    isolate: bool = False
    when_missing: WhenMissing = "required"

    @property
    def restricts(self) -> bool:
        """Whether it asks for any wall."""
        return (
            self.write is not None
            or self.read is not None
            or not self.network
            or self.tmp == "private"
            or self.isolate
        )


def stricter(above: Sandbox | None, below: Sandbox | None) -> Sandbox | None:
    """What keeps to both: who stands below can forbid more and allow nothing back.

    Of two lists of places there stays what lies in both. It may run where a wall is missing only if
    both say so.
    """
    if above is None or below is None:
        return above or below
    lenient = above.when_missing == below.when_missing == "best-effort"
    return Sandbox(
        write=_both(above.write, below.write),
        read=_both(above.read, below.read),
        network=above.network and below.network,
        tmp="private" if "private" in (above.tmp, below.tmp) else "shared",
        isolate=above.isolate or below.isolate,
        when_missing="best-effort" if lenient else "required",
    )


def _both(above: tuple[str, ...] | None, below: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if above is None or below is None:
        return below if above is None else above
    kept = [one for one in above if any(lies_in(one, other) for other in below)]
    kept += [one for one in below if any(lies_in(one, other) for other in above)]
    return tuple(dict.fromkeys(kept))


def lies_in(path: str, place: str) -> bool:
    """Whether ``path`` is ``place`` or beneath it, by their names alone. The workspace is a place
    by that word; a relative path lies in it."""
    if place == WORKSPACE:
        return path == WORKSPACE or not path.startswith(("/", "~", ".."))
    if path == WORKSPACE:
        return False
    first, second = os.path.normpath(path), os.path.normpath(place)
    return first == second or first.startswith(second.rstrip("/") + "/")
