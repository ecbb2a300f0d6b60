"""What a sheet is kept from: what a score, a sheet, an instrument or a conductor says under
``sandbox:``, as plain data, and the stricter of two."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal

from marianne.records import dataclass

WORKSPACE = "workspace"
"""In ``write`` and ``read``: the job's own."""

WhenMissing = Literal["required", "best-effort"]


@dataclass(frozen=True, slots=True)
class Sandbox:
    """``write`` and ``read`` are the only places that may be; None: no restriction.

    ``network`` False: none. ``tmp`` private: directories for temporary files of its own.
    ``isolate``: a namespace of processes of its own, without Marianne's home. ``when_missing``:
    whether it may run where a wall is missing; None: not said, which is required.
    """

    write: tuple[str, ...] | None = None
    read: tuple[str, ...] | None = None
    network: bool = True
    tmp: Literal["shared", "private"] = "shared"
    isolate: bool = False
    when_missing: WhenMissing | None = None

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


def from_map(said: Mapping[str, Any] | None) -> Sandbox | None:
    """What a plan holds of it: what was said, by name. None where nothing was."""
    if not said:
        return None
    lists = {name: tuple(said[name]) for name in ("write", "read") if said.get(name) is not None}
    return Sandbox(**{**said, **lists})


def to_map(sandbox: Sandbox | None) -> dict[str, Any] | None:
    """The same as a plan holds it."""
    if sandbox is None:
        return None
    said = {name: getattr(sandbox, name) for name in _NAMES}
    return {name: list(value) if type(value) is tuple else value for name, value in said.items()}


_NAMES = ("write", "read", "network", "tmp", "isolate", "when_missing")


def asked_for(
    own: Mapping[str, Any] | None, instrument: Mapping[str, Any] | None
) -> Sandbox | None:
    """What a sheet is kept from by itself and by the instrument that plays it; None where nothing
    is asked."""
    both = stricter(from_map(instrument), from_map(own))
    return both if both is not None and both.restricts else None


def stricter(above: Sandbox | None, below: Sandbox | None) -> Sandbox | None:
    """What keeps to both: who stands below can forbid more and allow nothing back.

    Of two lists of places there stays what lies in both. It may run where a wall is missing only if
    one says so and the other does not object.
    """
    if above is None or below is None:
        return above or below
    said = {above.when_missing, below.when_missing} - {None}
    return Sandbox(
        write=_both(above.write, below.write),
        read=_both(above.read, below.read),
        network=above.network and below.network,
        tmp="private" if "private" in (above.tmp, below.tmp) else "shared",
        isolate=above.isolate or below.isolate,
        when_missing="required" if len(said) == 2 else said.pop() if said else None,
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
