"""Conditions of validation rules: ``name op integer``, joined by ``and``. Pure."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache

_TERM = re.compile(r"\s*([A-Za-z_]\w*)\s*(>=|<=|==|!=|>|<)\s*(-?\d+)\s*")
_OPS: dict[str, Callable[[int, int], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}

Term = tuple[str, Callable[[int, int], bool], int]


@lru_cache(maxsize=1024)
def parse(condition: str) -> tuple[Term, ...] | None:
    """The terms of a condition, or None when it is not of this form."""
    terms = []
    for part in re.split(r"\band\b", condition):
        match = _TERM.fullmatch(part)
        if match is None:
            return None
        terms.append((match[1], _OPS[match[2]], int(match[3])))
    return tuple(terms)


def applies(condition: str | None, names: Mapping[str, object]) -> bool:
    """Whether a rule with this condition applies, given the sheet's names.

    No condition, one that cannot be read, and a term whose name is unknown or no integer always
    apply: a check that is made once too often is safer than one that is never made.
    """
    if not condition:
        return True
    terms = parse(condition)
    if terms is None:
        return True
    for name, compare, number in terms:
        value = names.get(name)
        if isinstance(value, int) and not compare(value, number):
            return False
    return True
