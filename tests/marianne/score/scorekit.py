"""Short ways to load a score in a test."""

from __future__ import annotations

import textwrap
from functools import cache
from typing import Any

import pytest

from marianne.instruments.registry import Registry
from marianne.model.plan import Plan
from marianne.score import ScoreError, load_plan


@cache
def builtins() -> Registry:
    return Registry.load()


def load(text: str, base_dir: str = "/nowhere", **options: Any) -> Plan:
    """The plan of a score given as text; ``options`` as for load_plan."""
    settings: dict[str, Any] = {
        "workspace": None,
        "variables": {},
        "instruments": builtins(),
        **options,
    }
    return load_plan(None, textwrap.dedent(text), base_dir=base_dir, **settings)


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
