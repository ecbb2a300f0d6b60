"""A plan as bytes and back: msgpack, equal parts once.

A frozen dataclass becomes the list of its fields in order. Parts that many sheets share stand in a
pool and are named by number, so that 10,000 sheets are quick and small, and shared again after
unpacking. A plan of an older version, with fewer fields, unpacks with the new ones' defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

import msgpack

from marianne.model.plan import (
    CrossSheet,
    Growth,
    Injection,
    Instrument,
    ListSource,
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


def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


_KINDS = (*_PARTS.values(), *_TUPLES.values())
# Taking all fields at once, and building by position, is what makes a large plan quick.
_TAKE = {kind: attrgetter(*_names(kind)) for kind in _KINDS}
_WIDTH = {kind: len(_names(kind)) for kind in _KINDS}
_VARIABLES = _names(Prompt).index("variables")
_SHEET = _names(SheetPlan)
_TAKE_SHEET = attrgetter(*_SHEET)
_PLAN = tuple(name for name in _names(Plan) if name not in ("sheets", "lists", "grown"))
_NONE = -1  # the number of None in every pool: it is appended last


class PlanFormatError(ValueError):
    """Bytes that are no packed plan of a version that this program reads."""


class Outline(NamedTuple):
    """A sheet's place in its plan: the entry of the score that it is of, the sheets that it
    needs."""

    num: int
    name: str
    entry: int
    needs: list[int]


class _Pool:
    """Parts by identity, each packed once."""

    def __init__(self, pack: Callable[[Any], Any]) -> None:
        self.rows: list[Any] = []
        self._index: dict[int, int] = {}
        self._pack = pack

    def index(self, part: Any) -> int:
        """The part's number in the pool."""
        if part is None:
            return _NONE
        found = self._index.get(id(part))
        if found is None:
            found = self._index[id(part)] = len(self.rows)
            self.rows.append(self._pack(part))
        return found


def pack_plan(plan: Plan) -> bytes:
    """The plan as bytes."""
    pools = {name: _Pool(_TAKE[kind]) for name, kind in _PARTS.items()}
    for name, kind in _TUPLES.items():
        pools[name] = _Pool(partial(_rows, _TAKE[kind]))
    pools["needs"] = _Pool(list)
    for name in ("env", "sandbox", "slurm"):
        pools[name] = _Pool(dict)
    for name in ("inputs", "outputs", "labels"):
        pools[name] = _Pool(list)
    maps = _Pool(lambda value: value)
    pools["prompt"] = _Pool(lambda prompt: _prompt_row(prompt, maps))
    places = [(index, pools[name]) for index, name in enumerate(_SHEET) if name in pools]
    sheets = []
    for sheet in plan.written:
        row = list(_TAKE_SHEET(sheet))
        for index, pool in places:
            row[index] = pool.index(row[index])
        sheets.append(row)
    packed: bytes = msgpack.packb(
        {
            "format": FORMAT,
            "plan": {name: getattr(plan, name) for name in _PLAN},
            "maps": maps.rows,
            "pools": {name: pool.rows for name, pool in pools.items()},
            "sheet_fields": _SHEET,
            "sheets": sheets,
            # The sheets of these are the last ones.
            "lists": [(num, one.kind, one.max_items) for num, one in plan.lists.items()],
            "grown": [(g.source, g.first, g.items, g.names) for g in plan.grown],
        }
    )
    return packed


def unpack_plan(data: bytes) -> Plan:
    """The plan that was packed; PlanFormatError when the bytes are none."""
    with _a_plan():
        return _unpack(data)


def unpack_sheets(data: bytes, first: int, last: int) -> tuple[SheetPlan, ...]:
    """The sheets ``first`` to ``last`` of a packed plan; PlanFormatError as there. Those of a large
    plan take a fifth of the time that the whole takes."""
    with _a_plan():
        content = _content(data)
        content["sheets"] = _own(content)[max(1, first) - 1 : last]
        return _sheets(content, _pools(content))


def unpack_outline(data: bytes) -> list[Outline]:
    """Of the sheets of a packed plan what says where they stand; PlanFormatError as there."""
    with _a_plan():
        content = _content(data)
        names = content["sheet_fields"]
        num, name, stage, needs = (names.index(one) for one in ("num", "name", "stage", "needs"))
        pool = [*content["pools"]["needs"], []]
        return [Outline(row[num], row[name], row[stage], pool[row[needs]]) for row in _own(content)]


def _own(content: dict[str, Any]) -> list[Any]:
    """The rows of sheets; what follows them are those that lists may add."""
    rows: list[Any] = content["sheets"]
    return rows[: len(rows) - len(content.get("lists") or ())]


@contextmanager
def _a_plan() -> Iterator[None]:
    """Says of what cannot be read that it is no plan."""
    try:
        yield
    except PlanFormatError:
        raise
    except Exception as error:  # noqa: BLE001 - foreign bytes fail in every way
        raise PlanFormatError(f"not a packed plan: {type(error).__name__}: {error}") from None


def _content(data: bytes) -> dict[str, Any]:
    content: dict[str, Any] = msgpack.unpackb(data, strict_map_key=False)
    if content["format"] != FORMAT:
        raise PlanFormatError(f"format {content['format']}; this program reads {FORMAT}")
    return content


def _unpack(data: bytes) -> Plan:
    content = _content(data)
    pools = _pools(content)
    head = {name: value for name, value in content["plan"].items() if name in _PLAN}
    head["warnings"] = tuple(head.get("warnings", ()))
    sheets = _sheets(content, pools)
    if not content.get("lists"):
        return Plan(sheets=sheets, **head)
    own = len(sheets) - len(content["lists"])
    head["lists"] = {
        num: ListSource(kind, sheet, most)
        for (num, kind, most), sheet in zip(content["lists"], sheets[own:], strict=True)
    }
    head["grown"] = tuple(
        Growth(source, first, tuple(items), tuple(names))
        for source, first, items, names in content["grown"]
    )
    return Plan(sheets=sheets[:own], **head)


def _pools(content: dict[str, Any]) -> dict[str, list[Any]]:
    maps = content["maps"]
    pools: dict[str, list[Any]] = {}
    for name, rows in content["pools"].items():
        if name in ("needs", "inputs", "outputs", "labels"):
            pools[name] = [tuple(row) for row in rows]
        elif name in ("env", "sandbox", "slurm"):
            pools[name] = list(rows)
        elif name == "prompt":
            pools[name] = [_prompt(row, maps) for row in rows]
        elif name in _TUPLES:
            pools[name] = [tuple(_part(_TUPLES[name], part) for part in row) for row in rows]
        else:
            pools[name] = [_part(_PARTS[name], row) for row in rows]
        pools[name].append(None)
    return pools


def _sheets(content: dict[str, Any], pools: dict[str, list[Any]]) -> tuple[SheetPlan, ...]:
    names = content["sheet_fields"]
    places = [(index, pools[name]) for index, name in enumerate(names) if name in pools]
    rows = content["sheets"]
    for row in rows:
        for index, pool in places:
            row[index] = pool[row[index]]
    if tuple(names) == _SHEET:
        return tuple([SheetPlan(*row) for row in rows])
    known = [(index, name) for index, name in enumerate(names) if name in _SHEET]
    return tuple([SheetPlan(**{name: row[index] for index, name in known}) for row in rows])


def _rows(take: Callable[[Any], Any], parts: Sequence[Any]) -> list[Any]:
    return [take(part) for part in parts]


def _prompt_row(prompt: Prompt, maps: _Pool) -> list[Any]:
    """Many prompts share one map of variables."""
    row = list(_TAKE[Prompt](prompt))
    row[_VARIABLES] = maps.index(row[_VARIABLES])
    return row


def _prompt(row: list[Any], maps: list[Any]) -> Prompt:
    row[_VARIABLES] = maps[row[_VARIABLES]]
    return Prompt(*row[: _WIDTH[Prompt]])


def _part(kind: type, row: list[Any]) -> Any:
    """A part from its row: an older one is shorter, a newer one longer."""
    if kind is CrossSheet:
        row = [tuple(value) if isinstance(value, list) else value for value in row]
    return kind(*row[: _WIDTH[kind]])
