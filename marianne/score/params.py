"""What a run is given, by the types that the score's ``params`` declare. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import field
from typing import Any

from marianne.model.errors import did_you_mean
from marianne.model.fields import can_be_kept
from marianne.records import dataclass
from marianne.score.models_params import Choices, Param, wanted
from marianne.score.models_reference import Common
from marianne.score.models_short import ShortScore
from marianne.score.report import Report

_WHOLE = re.compile(r"[+-]?[0-9]+")
_BOOL = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
_STAND_IN: dict[str, Any] = {"int": 1, "float": 1.0, "bool": True, "str": "text", "path": "path"}
"""What is rendered for one that was not given as it should be, so that all else is looked at."""


@dataclass(slots=True)
class Given:
    """``defaults`` are weaker than a sheet's variables, ``overrides`` stronger than all. ``shown``
    is for people: of each parameter its type, its value, and whether that was given."""

    defaults: dict[str, Any] = field(default_factory=dict)
    overrides: dict[str, Any] = field(default_factory=dict)
    shown: dict[str, dict[str, Any]] = field(default_factory=dict)

    def over(self, *variables: Mapping[str, Any]) -> dict[str, Any]:
        """What a template sees of these variables, of which later ones win."""
        found = dict(self.defaults)
        for some in variables:
            found.update(some)
        return found | self.overrides


def resolve(
    score: Common,
    top: Collection[str],
    variables: Mapping[str, str],
    base_dir: str,
    report: Report,
) -> Given:
    """The values of a run that was given ``variables`` (``--var``).

    ``top`` are the names of the variables that all sheets have; variables may be given as well.
    Without ``params`` every value stays the text that it is. A relative path is taken from
    ``base_dir``.
    """
    params = score.params
    if not params:
        return Given(overrides=dict(variables))
    found = Given()
    own = {*top}
    if isinstance(score, ShortScore):
        own.update(*(sheet.variables for sheet in score.sheets))
    for name in params:
        if name in top:
            where = (
                ["variables", name]
                if isinstance(score, ShortScore)
                else ["prompt", "variables", name]
            )
            report.error(where, f"'{name}' is one of params already", "keep one", key=True)
    for name, text in variables.items():
        if name not in params and name not in own:
            hint = did_you_mean(name, [*params, *own])
            known = f"the score has: {', '.join(params)}"
            message = f"--var {name}: no parameter is called so"
            report.error(["params"], message, f"{hint} {known}" if hint else known, key=True)
        elif name not in params:
            found.overrides[name] = text
    for name, param in params.items():
        _resolve(name, param, variables.get(name), base_dir, report, found)
    return found


def _resolve(
    name: str, param: Param, text: str | None, base_dir: str, report: Report, found: Given
) -> None:
    value: Any = param.default
    if text is not None:
        try:
            value = found.overrides[name] = convert(param.type, text, base_dir)
        except ValueError as error:
            report.error(["params", name], f"--var {name}={text[:100]}: {error}")
            found.overrides[name] = _stand_in(param)
    elif param.must_be_given:
        report.error(
            ["params", name], f"'{name}' is not given", f"add --var {name}={_example(param)}"
        )
        found.overrides[name] = _stand_in(param)
    else:
        if param.type == "path" and value is not None:
            value = _absolute(str(value), base_dir)
        elif param.type == "float" and value is not None:
            value = float(value)
        found.defaults[name] = value
    found.shown[name] = {
        "type": param.type,
        "value": value,
        "given": text is not None,
        "default": param.default,
        "required": param.must_be_given,
        "description": param.description,
    }


def convert(kind: str | Choices, text: str, base_dir: str) -> str | int | float | bool:
    """The text of a command line as a value of that type; ValueError says what it must be."""
    if isinstance(kind, list):
        for one in kind:
            if str(one) == text:
                return one
        hint = did_you_mean(text, map(str, kind))
        raise ValueError(f"must be {wanted(kind)}" + (f" ({hint})" if hint else ""))
    if kind == "int" and _WHOLE.fullmatch(text) and len(text) <= 20 and can_be_kept(int(text)):
        return int(text)
    if kind == "float" and (number := _number(text)) is not None:
        return number
    if kind == "bool" and text.lower() in _BOOL:
        return _BOOL[text.lower()]
    if kind == "path" and text:
        return _absolute(text, base_dir)
    if kind == "str":
        return text
    raise ValueError(f"must be {wanted(kind).partition(' (')[0]}")


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if can_be_kept(value) and "_" not in text else None


def _absolute(path: str, base_dir: str) -> str:
    return os.path.normpath(os.path.join(base_dir, os.path.expanduser(path)))


def _stand_in(param: Param) -> Any:
    return param.type[0] if isinstance(param.type, list) else _STAND_IN[param.type]


def _example(param: Param) -> str:
    if isinstance(param.type, list):
        return "|".join(map(str, param.type))
    return {"int": "3", "float": "1.5", "bool": "true", "str": "TEXT", "path": "PATH"}[param.type]
