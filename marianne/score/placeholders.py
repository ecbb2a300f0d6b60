"""``{name}`` in the paths, patterns and commands of rules, skip commands and hooks. Pure.

Only known names are replaced, so that braces of shell, JSON and regular expressions stay as they
are: ``\\d{4}``, ``${HOME}``, ``awk '{print}'``. ``{{ name }}`` works too, for those used to the
templates; ``{name:03d}`` formats.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Mapping
from typing import Any

from marianne.model.plan import Plan, SheetPlan
from marianne.score.variables import sheet_variables

_NAME = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}|(?<!\$)\{([A-Za-z_]\w*)(?::([^{}]*))?\}")


def placeholder_names(plan: Plan, sheet: SheetPlan) -> dict[str, Any]:
    """What can be replaced for a sheet: its variables, and ``today`` as YYYY-MM-DD."""
    return {"today": time.strftime("%Y-%m-%d"), **sheet_variables(plan, sheet)}


def fill(text: str, names: Mapping[str, Any]) -> str:
    """The text with known names replaced: for paths and patterns."""
    return _replace(text, names, quote=False)


def fill_command(text: str, names: Mapping[str, Any]) -> str:
    """The text with known names replaced by values quoted for the shell."""
    return _replace(text, names, quote=True)


def named_in(text: str) -> list[str]:
    """The names in braces, known or not."""
    return [match[1] or match[2] for match in _NAME.finditer(text)]


def _replace(text: str, names: Mapping[str, Any], *, quote: bool) -> str:
    if "{" not in text:
        return text

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        found = names.get(name)
        if found is None or isinstance(found, (dict, list)):
            return match[0]
        try:
            rendered = format(found, match[3] or "")
        except ValueError:
            return match[0]
        return shlex.quote(rendered) if quote else rendered

    return _NAME.sub(value, text)
