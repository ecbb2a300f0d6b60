"""The score language: YAML text to a plan of sheets.

``load_plan`` and ``ScoreError`` are the way in; they cost pydantic, Jinja2 and PyYAML, so they are
imported when first asked for. ``plan``, ``pack``, ``prompt``, ``placeholders`` and ``condition``
cost none of these and are what a running job uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from marianne.score.errors import Problem, ScoreError
    from marianne.score.load import load_plan
    from marianne.score.pack import pack_plan, unpack_plan
    from marianne.score.plan import Plan, SheetPlan

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
    "Plan": "plan",
    "Problem": "errors",
    "ScoreError": "errors",
    "SheetPlan": "plan",
    "load_plan": "load",
    "pack_plan": "pack",
    "unpack_plan": "pack",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
