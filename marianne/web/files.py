"""The files of the pages, from memory."""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import Final

from marianne.records import dataclass

KINDS: Final = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True)
class File:
    """``tag`` is another for other content."""

    data: bytes
    kind: str
    tag: str


def load() -> dict[str, File]:
    """All files of ``static`` by name."""
    found = {}
    for entry in resources.files(__package__).joinpath("static").iterdir():
        data = entry.read_bytes()
        kind = KINDS[entry.name.rpartition(".")[2]]
        found[entry.name] = File(data, kind, f'"{hashlib.sha256(data).hexdigest()[:16]}"')
    return found
