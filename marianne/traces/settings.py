"""What the exporter is told by its conductor; imported by both, so there is little in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from marianne.records import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are: the home, its database, its events; whom to tell, with which headers.
    ``seed`` is the home's (:func:`marianne.trace_context.seed_of`)."""

    home: str
    db: str
    events_sock: str
    seed: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
