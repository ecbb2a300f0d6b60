"""The score language: YAML text to a plan of sheets.

``load_plan`` and ``ScoreError`` are the way in; they cost pydantic, Jinja2 and PyYAML, so they are
imported when first asked for. The plan (:mod:`marianne.model.plan`), ``pack``, ``prompt``,
``placeholders`` and ``condition`` cost none of these and are what a running job uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from marianne.model.errors import Problem, ScoreError
    from marianne.model.plan import Plan, SheetPlan
    from marianne.score.load import load_plan
    from marianne.score.pack import pack_plan, unpack_plan

__all__ = [
    "Plan",
    "Problem",
    "ScoreError",
    "SheetPlan",
    "load_plan",
    "pack_plan",
    "unpack_plan",
]

_MODULES = {
    "Plan": "model.plan",
    "Problem": "model.errors",
    "ScoreError": "model.errors",
    "SheetPlan": "model.plan",
    "load_plan": "score.load",
    "pack_plan": "score.pack",
    "unpack_plan": "score.pack",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"marianne.{_MODULES[name]}"), name)
