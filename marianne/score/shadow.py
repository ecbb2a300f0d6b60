"""Names of a score's own that are a built-in's too: its own win, and that is said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from marianne.model.document import PathPart
from marianne.score.models_reference import Common, ReferenceScore
from marianne.score.models_short import ShortScore
from marianne.score.report import Report
from marianne.score.variables import BUILTIN_NAMES, GIVEN_NAMES

_IN_TEMPLATES = "templates, conditions excepted"


def warn_of_shadows(score: Common, overrides: Mapping[str, str], report: Report) -> None:
    """A warning for each variable, of the score or of ``--var``, that hides a built-in."""
    builtin = {**dict.fromkeys((*BUILTIN_NAMES, *GIVEN_NAMES), _IN_TEMPLATES), "today": "rules"}
    if _skips(score):
        builtin |= dict.fromkeys(("sheets", "job"), "skip expressions")
    for path in (*(("params", name) for name in score.params), *_variables(score)):
        if path[-1] in builtin:
            words = _said(builtin[str(path[-1])])
            report.warn_at(path, f"the variable '{path[-1]}' {words}", key=True)
    for name in overrides:
        if name in builtin:
            report.warn(f"--var {name} {_said(builtin[name])}")


def _said(where: str) -> str:
    return f"replaces the built-in of that name in {where}"


def _skips(score: Common) -> bool:
    if isinstance(score, ShortScore):
        return any(sheet.skip_when is not None for sheet in score.sheets)
    return isinstance(score, ReferenceScore) and bool(score.sheet.skip_when)


def _variables(score: Common) -> Iterator[Sequence[PathPart]]:
    if isinstance(score, ShortScore):
        yield from (("variables", str(name)) for name in score.variables)
        for index, sheet in enumerate(score.sheets):
            yield from (("sheets", index, "variables", str(name)) for name in sheet.variables)
    elif isinstance(score, ReferenceScore):
        yield from (("prompt", "variables", str(name)) for name in score.prompt.variables)
