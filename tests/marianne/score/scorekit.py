"""Short ways to load a score in a test."""

from __future__ import annotations

import textwrap
from dataclasses import fields
from functools import cache
from typing import Any

import pytest

from marianne.instruments.registry import Registry
from marianne.model.plan import Plan
from marianne.score import ScoreError, load_plan
from marianne.score.check_executors import Known
from marianne.score.settings import ScoreSettings


@cache
def builtins() -> Registry:
    return Registry.load()


def load(text: str, base_dir: str = "/nowhere", **options: Any) -> Plan:
    """The plan of a score given as text; ``options`` as for load_plan, or of ScoreSettings; of
    ``executors`` one may be asked for."""
    said = {one.name: options.pop(one.name) for one in fields(ScoreSettings) if one.name in options}
    known = said.get("executors", Known(()))
    settings = ScoreSettings(**{**said, "executors": known.names})
    given = {"workspace": None, "variables": {}, "instruments": builtins(), **options}
    given |= {"settings": settings, "executor": known.asked}
    return load_plan(None, textwrap.dedent(text), base_dir=base_dir, **given)


def problems(text: str, **options: Any) -> list[str]:
    """What is wrong with a score, each as ``line:col: path: message; hint``."""
    with pytest.raises(ScoreError) as caught:
        load(text, **options)
    return [line.removeprefix("<stdin>:") for line in caught.value.render().splitlines()]


def needs(plan: Plan) -> list[tuple[int, ...]]:
    return [sheet.needs for sheet in plan.sheets]


def reference(sheet: str, rest: str = "") -> str:
    """A score of the reference's form around one ``sheet`` section in flow style."""
    head = f"name: r\ninstrument: cli\nsheet: {sheet}\n"
    prompt = "" if "prompt:" in rest else "prompt: {template: 'echo {{ sheet_num }}'}\n"
    return head + prompt + textwrap.dedent(rest)
