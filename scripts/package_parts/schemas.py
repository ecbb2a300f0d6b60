"""The JSON schemas of scores, configurations and instruments, as files."""

from __future__ import annotations

import json

from marianne.cli.commands.schema import schema_of

KINDS = ("score", "config", "instrument")


def files() -> dict[str, str]:
    """Their texts by their places below ``share``."""
    return {
        f"marianne/{kind}.schema.json": json.dumps(schema_of(kind), indent=2) + "\n"
        for kind in KINDS
    }
