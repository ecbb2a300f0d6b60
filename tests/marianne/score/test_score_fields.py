"""Every field of the language has an effect, or a warning that it has none; and is documented.

The table of docs/scores.md names these tests by the field: ``test_field[retry.max_retries]``.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import get_args

import fieldcases_reference
import fieldcases_short
import pytest
from fieldcases import Case, merged, registry, text_of
from pydantic import BaseModel

from marianne.model.limits import SheetLimits
from marianne.model.plan import Plan
from marianne.model.sandbox import Sandbox
from marianne.model.slurm import SlurmSheet
from marianne.score import load_plan
from marianne.score import models as m
from marianne.score.models_inert import Backend, SheetOverride
from marianne.score.models_params import Param
from marianne.score.models_reference import (
    Common,
    Movement,
    PromptSection,
    ReferenceScore,
    SheetSection,
    Worktree,
)
from marianne.score.models_rules import Rule
from marianne.score.models_short import ItemSource, Matrix, ShortScore, ShortSheet

DOCS = Path(__file__).parents[3] / "docs" / "scores.md"
TESTS = Path(__file__).parents[2]
TEST = re.compile(r"^def test_(\w+)", re.MULTILINE)
# What is in the plan and may still be ignored by those who run it: each field names a test that
# plays it.
PLAYED = {"retry", "parallel", "resources", "stale_detection", "cross_sheet", "skip_when_command"}
PLAYED |= {"workspace_lifecycle", "cost_limits", "rate_limit", "pause_between_sheets_seconds"}
PLAYED |= {"on_success", "on_failure", "on_exit", "concert", "notifications"}
CASES = [*fieldcases_reference.case.cases, *fieldcases_short.case.cases]

# Where each section's fields stand in the documentation. Fields that are sections are not listed.
SECTIONS: dict[str, type[BaseModel]] = {
    "": Common,
    "params.": Param,
    "instruments.": m.InstrumentAlias,
    "instrument_config.": m.InstrumentConfig,
    "retry.": m.Retry,
    "parallel.": m.Parallel,
    "resources.": m.Resources,
    "limits.": SheetLimits,
    "sandbox.": Sandbox,
    "slurm.": SlurmSheet,
    "stale_detection.": m.StaleDetection,
    "cross_sheet.": m.CrossSheet,
    "workspace.": Worktree,
    "workspace_lifecycle.": m.WorkspaceLifecycle,
    "rate_limit.": m.RateLimit,
    "concert.": m.Concert,
    "cost_limits.": m.CostLimits,
    "notifications.": m.Notification,
    "on_success.": m.Hook,
    "backend.": Backend,
    "backend.sheet_overrides.": SheetOverride,
    "skip_when_command.": m.SkipCommand,
    "injection.": m.Injection,
    "rule.": Rule,
    "sheet.": SheetSection,
    "movements.": Movement,
    "prompt.": PromptSection,
    "sheets.": ShortSheet,
    "sheets.matrix.": Matrix,
    "sheets.each.": ItemSource,
}
# Tested elsewhere: they need files, or say nothing of their own.
ELSEWHERE = {"prompt.template_file", "sheets.prompt_file"}
ELSEWHERE |= {f"workspace.{name}" for name in Worktree.model_fields}  # a repository


def every_field() -> set[str]:
    found = set()
    for prefix, model in SECTIONS.items():
        for name, field in model.model_fields.items():
            key = prefix + (field.alias or name)
            if f"{key}." not in SECTIONS or key in {
                "workspace",
                "sheet.skip_when_command",
                "sheets.slurm",
                "sheets.matrix",
                "sheets.each",
            }:
                found.add(key)
    found |= {"variables", "timeout", "inject"}
    assert set(ShortScore.model_fields) - set(Common.model_fields) - {"sheets"} <= found
    return found


@cache
def plan_of(text: str) -> Plan:
    return load_plan(
        None,
        text,
        base_dir="/nowhere",
        workspace=None,
        variables={},
        instruments=registry(),
    )


@pytest.mark.parametrize("case", CASES, ids=[case.field for case in CASES])
def test_field(case: Case) -> None:
    before = case.read(plan_of(text_of(_without_none(case.base))))
    after = case.read(plan_of(text_of(_without_none(merged(case.base, case.patch)))))
    assert after == case.expected
    assert before != case.expected


def _without_none(score: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in score.items() if value is not None}


def reachable(*todo: type[BaseModel]) -> set[type[BaseModel]]:
    """The models that a score is made of, found by their fields' annotations."""
    found: set[type[BaseModel]] = set()
    rest: list[object] = list(todo)
    while rest:
        kind = rest.pop()
        rest += get_args(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in found:
            found.add(kind)
            rest += [field.annotation for field in kind.model_fields.values()]
    return found


def test_the_sections_are_all_that_a_score_is_made_of() -> None:
    """So that a field of a new section is asked for its case as well."""
    forms = {ShortScore, ReferenceScore}
    assert reachable(*forms) - forms == set(SECTIONS.values()) - {Common}


def test_what_is_documented_without_effect_is_warned_of() -> None:
    """Every such row's case is one that reads a warning."""
    rows = re.findall(
        r"^\| `([a-z_0-9.]+)` \|.*accepted, no effect", DOCS.read_text(), re.MULTILINE
    )
    assert len(rows) > 30
    for case in CASES:
        if case.field in rows and case.field != "notifications.type":
            assert case.expected is True, case.field
            plan = plan_of(text_of(_without_none(merged(case.base, case.patch))))
            name = case.field.rpartition(".")[2]
            said = [w for w in plan.warnings if "accepted, no effect" in w and name in w]
            assert len(said) == 1, case.field
            assert re.match(r"<stdin>:\d+: ", said[0])


def test_every_field_has_a_case() -> None:
    tried = {case.field for case in CASES}
    assert every_field() - tried - ELSEWHERE == set()


def test_every_field_is_documented_with_its_tests() -> None:
    table = re.compile(r"^(\| `([a-z_0-9.]+)` \|.*\| (`test_.+`) \|)$", re.MULTILINE)
    rows = table.findall(DOCS.read_text())
    assert every_field() == {field for _, field, _ in rows}
    written = {name for path in TESTS.rglob("test_*.py") for name in TEST.findall(path.read_text())}
    for row, field, tests in rows:
        first, *played = re.findall(r"`test_(.+?)`", tests)
        assert field in ELSEWHERE or first == f"field[{field}]"
        assert set(played) <= written, field
        section = field.partition(".")[0]
        assert played or section not in PLAYED or "accepted, no effect" in row, field
