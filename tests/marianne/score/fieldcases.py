"""One case for each field of the language: what is written, and what it changes in the plan.

A case is a patch to a base score, and a reader of the plan; the reader's answer must be what the
case expects and differ from the base score's, so that a field that is ignored fails its case.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from marianne.instruments.command import build_command
from marianne.instruments.profile import Profile
from marianne.instruments.registry import Entry, Registry
from marianne.model.plan import Plan
from marianne.score.placeholders import placeholder_names
from marianne.score.prompt import describe, render_prompt
from marianne.score.surroundings import sheet_env, sheet_folder

REFERENCE: dict[str, Any] = {
    "name": "base",
    "instrument": "agent",
    "sheet": {"size": 1, "total_items": 2},
    "prompt": {"template": "t"},
}
SHORT: dict[str, Any] = {
    "name": "base",
    "instrument": "agent",
    "sheets": [{"name": "a", "run": "true"}, {"name": "b", "prompt": "t"}],
}


@dataclass(frozen=True)
class Case:
    """``field`` is its path in the documentation; ``patch`` is merged into ``base``."""

    field: str
    patch: dict[str, Any]
    read: Callable[[Plan], Any]
    expected: Any
    base: dict[str, Any]


def registry() -> Registry:
    """An agent whose profile has every flag."""
    made = Registry.load()
    for name in ("agent", "other"):
        profile = Profile.model_validate(
            {
                "name": name,
                "cli": {
                    "command": {
                        "executable": "true",
                        "model_flag": "--model",
                        "auto_approve_flag": "--yes",
                        "allowed_tools_flag": "--tools",
                        "system_prompt_flag": "--system",
                        "mcp_config_flag": "--mcp",
                        "mcp_disable_args": ["--no-mcp"],
                    }
                },
            }
        )
        made.entries[name] = Entry(profile, "test")
    return made


def merged(base: Any, patch: Any) -> Any:
    """``patch`` over ``base``: maps are merged, a list of patches is merged item by item."""
    if isinstance(base, dict) and isinstance(patch, dict):
        return {**base, **{key: merged(base.get(key), value) for key, value in patch.items()}}
    if isinstance(base, list) and isinstance(patch, list) and base and isinstance(base[0], dict):
        pairs = [
            merged(base[index] if index < len(base) else None, item)
            for index, item in enumerate(patch)
        ]
        return pairs + base[len(patch) :]
    return patch


def text_of(score: dict[str, Any]) -> str:
    """The score as YAML: integer keys are written as such."""
    return json.dumps(score) if not _int_keys(score) else _flow(score)


def _int_keys(value: Any) -> bool:
    if isinstance(value, dict):
        return any(isinstance(key, int) or _int_keys(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_int_keys, value))


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key)}: {_flow(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return json.dumps(value)


def argv(num: int = 2) -> Callable[[Plan], str]:
    def read(plan: Plan) -> str:
        return " ".join(build_command(plan.sheet(num).instrument, "p", "/p", 9, "/w").argv)

    return read


def env_of(num: int) -> Callable[[Plan], Any]:
    return lambda plan: sheet_env(plan, plan.sheet(num))


def folder_of(num: int) -> Callable[[Plan], Any]:
    return lambda plan: sheet_folder(plan, plan.sheet(num))


def extra(section: str, *path: Any) -> Callable[[Plan], Any]:
    def read(plan: Plan) -> Any:
        value: Any = plan.extras.get(section)
        for part in path:
            if value is None:
                return None
            value = value[part]
        return value

    return read


def sheet(num: int, *path: Any) -> Callable[[Plan], Any]:
    def read(plan: Plan) -> Any:
        value: Any = plan.sheet(num)
        for part in path:
            if value is None or value == ():
                return None
            value = value[part] if isinstance(part, int) else getattr(value, part)
        return value

    return read


def prompt(num: int = 2) -> Callable[[Plan], str]:
    return lambda plan: render_prompt(plan, plan.sheet(num))


def rule(num: int = 2) -> Callable[[Plan], list[str]]:
    def read(plan: Plan) -> list[str]:
        names = placeholder_names(plan, plan.sheet(num))
        return [describe(rule, names) for rule in plan.sheet(num).validations]

    return read


def warning(text: str) -> Callable[[Plan], bool]:
    return lambda plan: any(text in warning for warning in plan.warnings)


class Table:
    """Collects cases under one base score."""

    def __init__(self, base: dict[str, Any]) -> None:
        self.base = base
        self.cases: list[Case] = []

    def __call__(
        self,
        field: str,
        patch: dict[str, Any],
        read: Callable[[Plan], Any],
        expected: Any,
        base: dict[str, Any] | None = None,
    ) -> None:
        under = self.base if base is None else merged(self.base, base)
        self.cases.append(Case(field, patch, read, expected, under))
