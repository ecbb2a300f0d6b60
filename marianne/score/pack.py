"""A plan as bytes and back: msgpack, equal parts once.

A frozen dataclass becomes the list of its fields in order. Parts that many sheets share stand in a
pool and are named by number, so that 10,000 sheets are quick and small, and shared again after
unpacking. A plan of an older version, with fewer fields, unpacks with the new ones' defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import msgpack

from marianne.score.plan import (
    CrossSheet,
    Injection,
    Instrument,
    Plan,
    Prompt,
    RetryPolicy,
    SheetPlan,
    SkipCommand,
    ValidationRule,
)

FORMAT = 1

# The fields of a sheet that stand in pools, and what they hold: one part, or a tuple of them.
_PARTS: dict[str, type] = {
    "instrument": Instrument,
    "prompt": Prompt,
    "retry": RetryPolicy,
    "cross_sheet": CrossSheet,
    "skip_when_command": SkipCommand,
}
_TUPLES: dict[str, type] = {
    "fallbacks": Instrument,
    "validations": ValidationRule,
    "injections": Injection,
}
_SHEET = tuple(field.name for field in fields(SheetPlan))
_PLAN = tuple(field.name for field in fields(Plan) if field.name != "sheets")


class PlanFormatError(ValueError):
    """Bytes that are no packed plan of a version that this program reads."""


class _Pool:
    """Parts by identity, each packed once."""

    def __init__(self, pack: Callable[[Any], Any]) -> None:
        self.rows: list[Any] = []
        self._index: dict[int, int] = {}
        self._pack = pack

    def index(self, part: Any) -> int | None:
        """The part's number in the pool; None for None."""
        if part is None:
            return None
        found = self._index.get(id(part))
        if found is None:
            found = self._index[id(part)] = len(self.rows)
            self.rows.append(self._pack(part))
        return found


def pack_plan(plan: Plan) -> bytes:
    """The plan as bytes."""
    pools = {name: _Pool(_row) for name in _PARTS}
    pools.update({name: _Pool(lambda parts: [_row(part) for part in parts]) for name in _TUPLES})
    pools["needs"] = _Pool(list)
    maps: _Pool = _Pool(lambda value: value)
    pools["prompt"] = _Pool(lambda prompt: _prompt_row(prompt, maps))
    sheets = []
    for sheet in plan.sheets:
        row = []
        for name in _SHEET:
            value = getattr(sheet, name)
            row.append(pools[name].index(value) if name in pools else value)
        sheets.append(row)
    packed: bytes = msgpack.packb(
        {
            "format": FORMAT,
            "plan": {name: getattr(plan, name) for name in _PLAN},
            "maps": maps.rows,
            "pools": {name: pool.rows for name, pool in pools.items()},
            "sheet_fields": _SHEET,
            "sheets": sheets,
        }
    )
    return packed


def unpack_plan(data: bytes) -> Plan:
    """The plan that was packed; PlanFormatError when the bytes are none."""
    try:
        return _unpack(data)
    except PlanFormatError:
        raise
    except Exception as error:  # noqa: BLE001 - foreign bytes fail in every way
        raise PlanFormatError(f"not a packed plan: {type(error).__name__}: {error}") from None


def _unpack(data: bytes) -> Plan:
    content = msgpack.unpackb(data, strict_map_key=False)
    if content["format"] != FORMAT:
        raise PlanFormatError(f"format {content['format']}; this program reads {FORMAT}")
    maps = content["maps"]
    pools: dict[str, list[Any]] = {}
    for name, rows in content["pools"].items():
        if name == "needs":
            pools[name] = [tuple(row) for row in rows]
        elif name == "prompt":
            pools[name] = [_prompt(row, maps) for row in rows]
        elif name in _TUPLES:
            pools[name] = [tuple(_part(_TUPLES[name], part) for part in row) for row in rows]
        else:
            pools[name] = [_part(_PARTS[name], row) for row in rows]
    names = [(name, pools.get(name)) for name in content["sheet_fields"]]
    sheets = []
    for row in content["sheets"]:
        values = {}
        for (name, pool), value in zip(names, row, strict=True):
            values[name] = pool[value] if pool is not None and value is not None else value
        sheets.append(SheetPlan(**values))
    head = {name: value for name, value in content["plan"].items() if name in _PLAN}
    head["warnings"] = tuple(head.get("warnings", ()))
    return Plan(sheets=tuple(sheets), **head)


def _row(part: Any) -> list[Any]:
    return [getattr(part, field.name) for field in fields(part)]


def _prompt_row(prompt: Prompt, maps: _Pool) -> list[Any]:
    """Many prompts share one map of variables."""
    return [
        maps.index(getattr(prompt, field.name))
        if field.name == "variables"
        else getattr(prompt, field.name)
        for field in fields(prompt)
    ]


def _prompt(row: list[Any], maps: list[Any]) -> Prompt:
    values = dict(zip((field.name for field in fields(Prompt)), row, strict=False))
    values["variables"] = maps[values["variables"]]
    return Prompt(**values)


def _part(kind: type, row: list[Any]) -> Any:
    values = dict(zip((field.name for field in fields(kind)), row, strict=False))
    for name, value in values.items():
        if isinstance(value, list) and kind is CrossSheet:
            values[name] = tuple(value)
    return kind(**values)
