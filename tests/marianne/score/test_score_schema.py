"""What editors and beginners are given."""

from __future__ import annotations

from pathlib import Path

import pytest
from scorekit import load

from marianne.score.describe import describe_plan
from marianne.score.models_reference import ReferenceScore, SheetSection
from marianne.score.models_short import ShortScore, ShortSheet
from marianne.score.schema import instrument_schema, score_schema
from marianne.score.starter import starter_score


def test_the_schema_knows_every_field_of_both_forms() -> None:
    defs = score_schema()["$defs"]
    for model in (ShortScore, ShortSheet, ReferenceScore, SheetSection):
        known = set(defs[model.__name__]["properties"])
        assert known == {field.alias or name for name, field in model.model_fields.items()}


def test_the_schema_takes_durations_as_text_and_rules_as_one_key_maps() -> None:
    defs = score_schema()["$defs"]
    kinds = {kind["type"] for kind in _options(defs["ShortSheet"]["properties"]["timeout"])}
    assert {"number", "string"} <= kinds
    first = [form.get("required", []) for form in defs["Rule"]["anyOf"]]
    assert ["file_exists"] in first


def _options(schema: dict[str, object]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for option in schema.get("anyOf", []):  # type: ignore[attr-defined]
        found += _options(option) if "anyOf" in option else [option]
    return found


def test_the_schema_of_profiles_names_their_sections() -> None:
    assert {"name", "cli", "models"} <= set(instrument_schema()["properties"])


@pytest.mark.parametrize("name", ["my-first-score", "Übung 1"])
def test_the_starter_is_a_score_without_warnings(name: str) -> None:
    plan = load(starter_score(name))
    assert (plan.name, plan.warnings, len(plan.sheets)) == (name, (), 5)


def test_an_expanded_score_can_be_shown() -> None:
    shown = describe_plan(load(starter_score()))
    assert [sheet["name"] for sheet in shown["sheets"]][2:4] == ["squares-1", "squares-2"]
    what = shown["sheets"][1]["validations"][1]["what"]
    assert what == "the file sum.txt matches: ^[0-9]+$"


def test_the_packaged_profiles_are_there(tmp_path: Path) -> None:
    from marianne.instruments.registry import BUILTIN

    assert len(list(BUILTIN.glob("*.yaml"))) == 10
