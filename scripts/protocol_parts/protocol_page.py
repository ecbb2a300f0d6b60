"""The tables of docs/protocol.md, made of the handlers and of the types of their replies; and what
who asks is promised by marianne/replies/methods.py.

A table stands between a comment that names what it shows and ``<!-- end -->``: ``<!-- methods -->``
or ``<!-- types: Job Sheet -->``. All else on the page is written by hand.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from protocol_types import Types, words

from marianne.daemon.api import handlers

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "protocol.md"
REPLIES = ROOT / "marianne" / "replies"
ASK = REPLIES / "methods.py"
MODULES = {
    "jobs": "job",
    "changes": "changes",
    "reports": "reports",
    "conductor": "conductor",
    "groups": "groups",
    "schedules": "schedules",
    "metrics": "metrics",
    "executors": "executors",
}
"""Of the types, by the names that they have in ``ASK``."""

SOURCES = [
    *(REPLIES / f"{name}.py" for name in MODULES.values()),
    ROOT / "actors" / "inspect.py",
]

MARK = "    # By scripts/protocol-tables, from the handlers' annotations.\n"
"""What follows in ``ASK`` is made."""

REGION = re.compile(r"(<!-- (methods|types: ([\w ]+)) -->\n).*?(<!-- end -->)", re.DOTALL)
HIDDEN = {"daemon.fault"}
"""For tests of the conductor alone."""

GROUPS = ("hello", "job", "group", "schedule", "events", "daemon")
"""The order of methods, by their first word."""

NUMBERS = {"integer": "int", "number": "float", "boolean": "bool", "string": "str", "null": "nil"}
UNLIMITED = 2**31 - 1
LONGEST = 101
"""Characters of a line, its end included."""


def reply_of(method: str) -> str:
    """What a handler's annotation says that it answers, now or later."""
    annotation: str = handlers.find(method).handle.__annotations__["return"]
    future = re.search(r"Future\[(.*)\]$", annotation)
    return future[1] if future else annotation


def methods() -> list[str]:
    """Those that clients may count on."""
    known = [name for name in handlers.METHODS if name not in HIDDEN]
    return sorted(known, key=lambda name: (GROUPS.index(name.partition(".")[0]), name))


def page(text: str) -> str:
    """The page with each of its tables as it has to be."""
    types = Types.read(SOURCES)

    def region(found: re.Match[str]) -> str:
        made = _methods(types) if found[3] is None else _types(types, found[3].split())
        return f"{found[1]}\n{made}\n\n{found[4]}"

    return REGION.sub(region, text)


def ask(text: str) -> str:
    """The source of ``ASK`` with every method of the handlers."""
    head, mark, _ = text.partition(MARK)
    homes = {
        type_name: name
        for name, file in MODULES.items()
        for type_name in re.findall(r"^class (\w+)", (REPLIES / f"{file}.py").read_text(), re.M)
    }
    return head + mark + "".join(_overload(method, homes) for method in methods())


def _overload(method: str, homes: dict[str, str]) -> str:
    reply = re.sub(
        r"\w+", lambda m: f"{homes[m[0]]}.{m[0]}" if m[0] in homes else m[0], reply_of(method)
    )
    taken = f'self, m: Literal["{method}"], p: Params = ..., /, **how: Unpack[How]'
    line = f"    def __call__({taken}) -> {reply}: ...\n"
    if len(line) > LONGEST:
        line = f"    def __call__(\n        {taken}\n    ) -> {reply}: ...\n"
    return f"    @overload\n{line}"


def shown(text: str) -> list[str]:
    """The types that have a table."""
    return [name for _, _, names, _ in REGION.findall(text) for name in names.split()]


def _types(types: Types, names: list[str]) -> str:
    return "\n\n".join(types.table(name) for name in names)


def _methods(types: Types) -> str:
    rows = ["| method | parameters | answer |", "|---|---|---|"]
    for method in methods():
        handler = handlers.find(method)
        what = words(handler.__doc__.partition("\n")[0].partition(": ")[2])
        answer = types.linked(reply_of(method))
        rows.append(f"| `{method}`: {what} | {_takes(handler)} | {answer} |")
    return "\n".join(rows)


def _takes(handler: Any) -> str:
    if handler.Params is None:
        return "none"
    schema = handler.Params.model_json_schema()
    needed, known = schema.get("required", ()), schema.get("$defs", {})
    taken = ", ".join(
        f"`{name}`: {_kind(field, known)}{'' if name in needed else _default(field)}"
        for name, field in schema["properties"].items()
    )
    meaning = words(handler.Params.__doc__).replace("None", "nil")
    return f"{taken}<br>{meaning}"


def _default(field: dict[str, Any]) -> str:
    default = field.get("default", {} if field.get("type") == "object" else None)
    if default is None or default in ([], {}):
        return "?"
    if isinstance(default, int) and not isinstance(default, bool):
        return f" = {default:,}"
    return f" = {str(default).lower() if isinstance(default, bool) else default}"


def _kind(field: dict[str, Any], known: dict[str, Any]) -> str:
    """A parameter's type; that one may be left out is said by its default."""
    if "$ref" in field:
        return "status"
    if "enum" in field:
        return " or ".join(f"`{one}`" for one in field["enum"])
    if "anyOf" in field:
        kinds = [_kind(one, known) for one in field["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    match field["type"]:
        case "array" if "prefixItems" in field:
            return f"list of {len(field['prefixItems'])} {_kind(field['prefixItems'][0], known)}"
        case "array":
            return f"list of {_kind(field['items'], known)}"
        case "object":
            return "map"
        case kind:
            return NUMBERS[kind] + _limits(field)


def _limits(field: dict[str, Any]) -> str:
    least, most = field.get("minimum"), field.get("maximum", UNLIMITED)
    return f" ({least} to {most:,})" if least is not None and most < UNLIMITED else ""


def main() -> int:
    """Writes what differs, or with ``--check`` only says whether anything does."""
    differs = 0
    for file, make in ((PAGE, page), (ASK, ask)):
        there = file.read_text()
        made = make(there)
        if made != there:
            differs = 1
            if "--check" not in sys.argv[1:]:
                file.write_text(made)
    return differs if "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
