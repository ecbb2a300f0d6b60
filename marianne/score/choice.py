"""Which sheets of a score are asked for: by number, name, fan-out or range. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from marianne.model.errors import Problem, ScoreError, did_you_mean
from marianne.model.plan import SheetPlan

NAMED = 8
"""Names of sheets that an error tells at most."""

Range = tuple[int, int]
"""The first number and the last."""

_RANGE = re.compile(r"(\d{1,9})-(\d{1,9})")


def left_out(
    sheets: Sequence[SheetPlan],
    only: Sequence[str] = (),
    start: str | None = None,
    until: str | None = None,
) -> list[Range]:
    """The sheets that are not asked for: those that ``only`` does not name (if it names any), that
    come before ``start`` or after ``until``, by the order of their numbers.

    A word is the name of a sheet, else that of an entry, which means all its instances, else a
    number or a range of numbers. Raises ScoreError for one that is none of these, and where nothing
    is left to run. The steps of a workspace are asked for with any other.
    """
    names = _names(sheets)
    first = _numbers(start, names, len(sheets), "--from")[0] if start is not None else 1
    last = _numbers(until, names, len(sheets), "--until")[-1] if until is not None else len(sheets)
    wanted = set(range(first, last + 1))
    if only:
        wanted &= {num for word in only for num in _numbers(word, names, len(sheets), "--only")}
    if not wanted:
        file = "--only" if only else "--until"
        raise ScoreError([Problem("no sheet is left to run", hint="ask for others", file=file)])
    return ranges(s.num for s in sheets if s.num not in wanted and not s.workspace_step)


def _names(sheets: Sequence[SheetPlan]) -> dict[str, list[int]]:
    """The numbers by the names of sheets; by those of entries where no sheet is called so."""
    own: dict[str, list[int]] = {}
    entries: dict[str, list[int]] = {}
    for sheet in sheets:
        own.setdefault(sheet.name, []).append(sheet.num)
        entry = _entry(sheet)
        if entry != sheet.name:
            entries.setdefault(entry, []).append(sheet.num)
    return {**entries, **own}


def _entry(sheet: SheetPlan) -> str:
    """What the entry of the score is called that the sheet is an instance of."""
    if sheet.name.endswith("]"):
        return sheet.name.partition("[")[0]
    return sheet.name.removesuffix(f"-{sheet.instance}") if sheet.fan_count > 1 else sheet.name


def _numbers(word: str, names: Mapping[str, list[int]], count: int, file: str) -> list[int]:
    if word in names:
        return names[word]
    found = _RANGE.fullmatch(word)
    first, last = (int(found[1]), int(found[2])) if found else (0, 0)
    if word.isascii() and word.isdigit() and len(word) < 10:
        first = last = int(word)
    if 1 <= first <= last <= count:
        return list(range(first, last + 1))
    if first:
        told = f"there is no sheet {word}: the score has {count}"
        raise ScoreError([Problem(told, hint="ask for another", file=file)])
    entry = word.partition("[")[0]
    if word.endswith("]") and entry in names:
        told = f"which sheets '{entry}' makes is not known before it runs"
        hint = f"ask for '{entry}': all that it makes; afterwards: marianne retry JOB '{word}'"
        raise ScoreError([Problem(told, hint=hint, file=file)])
    known = ", ".join(list(names)[:NAMED]) + (", …" if len(names) > NAMED else "")
    hint = did_you_mean(word, names) or f"its sheets are {known}"
    raise ScoreError([Problem(f"no sheet is called '{word}'", hint=hint, file=file)])


def ranges(numbers: Iterable[int]) -> list[Range]:
    """Ascending numbers as ranges."""
    found: list[Range] = []
    for num in numbers:
        if found and found[-1][1] == num - 1:
            found[-1] = (found[-1][0], num)
        else:
            found.append((num, num))
    return found
