"""JSON Schemas of what people write, for editors: scores and instrument profiles."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from marianne.instruments.profile import Profile
from marianne.score.models_reference import ReferenceScore
from marianne.score.models_rules import Rule
from marianne.score.models_short import ShortScore

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def score_schema() -> dict[str, Any]:
    """The schema of a score in either form."""
    refs, definitions = models_json_schema(
        [(ShortScore, "validation"), (ReferenceScore, "validation")], by_alias=True
    )
    defs = definitions["$defs"]
    defs["Rule"] = _either_rule(defs["Rule"])
    return {
        "$schema": DIALECT,
        "title": "Marianne score",
        "oneOf": [refs[ShortScore, "validation"], refs[ReferenceScore, "validation"]],
        "$defs": defs,
    }


def instrument_schema() -> dict[str, Any]:
    """The schema of an instrument profile."""
    return {"$schema": DIALECT, **Profile.model_json_schema(by_alias=True)}


def _either_rule(full: dict[str, Any]) -> dict[str, Any]:
    """A rule written out, or as the one-key map that the model's validator reads."""
    others = {k: v for k, v in full["properties"].items() if k != "type"}
    text = {"type": "string"}
    content = {
        "type": "object",
        "properties": {"path": text, "pattern": text, **others},
        "required": ["path", "pattern"],
    }
    short = [
        {
            "type": "object",
            "properties": {kind: value, **others},
            "required": [kind],
            "additionalProperties": False,
        }
        for kind, value in (
            ("file_exists", text),
            ("dir_exists", text),
            ("file_modified", text),
            ("content_contains", content),
            ("content_regex", content),
            ("command_succeeds", text),
        )
    ]
    # The model reads 'timeout' for 'timeout_seconds'; pydantic names only the first of them.
    full["properties"].setdefault("timeout", others["timeout_seconds"])
    for form in short:
        form["properties"].setdefault("timeout", others["timeout_seconds"])  # type: ignore[attr-defined]
    return {"description": Rule.__doc__, "anyOf": [full, *short]}
