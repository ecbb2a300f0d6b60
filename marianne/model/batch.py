"""Which sheets have a batch job of their own, and with which options. Pure.

A sheet of which anything is said in a section ``slurm`` has one, unless ``batch: false`` is said
nearest to it. Whatever else than Slurm runs sheets leaves the section alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Options = tuple[tuple[str, str | float], ...]
"""Options of a batch job by name, in the order of their names; ``time`` is in seconds."""


def batch_options(*sections: Mapping[str, Any]) -> Options | None:
    """What the batch job of a sheet is given of these sections, the nearest to the sheet last.
    None: it has none of its own."""
    merged = {name: value for section in sections for name, value in section.items()}
    if not merged or merged.pop("batch", True) is False:
        return None
    return tuple(sorted((name, value) for name, value in merged.items() if value is not None))
