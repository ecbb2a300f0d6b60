"""Runs the parts named on the command line, or all, and prints one table.

A part is a module ``bench_PART`` beside this one with ``measure() -> list[Row]``; one with
``ON_DEMAND = True`` takes minutes and runs only when it is named.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

import peers
from table import Row, print_table

PARTS = sorted(
    path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py")
)


def earlier(path: str | None) -> dict[str, dict[str, float]]:
    """The figures of an earlier ``--json`` run: by part and row."""
    found: dict[str, dict[str, float]] = {}
    for line in Path(path).read_text().splitlines() if path else ():
        part = json.loads(line)
        found[part["part"]] = {row["name"]: row["figure"] for row in part["rows"]}
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("parts", nargs="*", help=f"of {' '.join(PARTS)}")
    parser.add_argument("--json", action="store_true", help="one JSON object a part")
    parser.add_argument("--compare", metavar="FILE", help="an earlier --json run")
    parser.add_argument(
        "--peers",
        nargs="?",
        const=sys.executable,
        metavar="PYTHON",
        help="also other tools, where installed; PYTHON has hyperqueue and distributed",
    )
    arguments = parser.parse_args()
    unknown = [name for name in arguments.parts if name not in PARTS]
    if unknown:
        parser.error(f"no part {unknown[0]!r}; there are: {' '.join(PARTS)}")
    peers.python = arguments.peers
    before = earlier(arguments.compare)
    missed = False
    for name in arguments.parts or PARTS:
        module = importlib.import_module(f"bench_{name}")
        if not arguments.parts and getattr(module, "ON_DEMAND", False):
            continue
        rows: list[Row] = module.measure()
        missed = missed or any(not row.held for row in rows)
        if arguments.json:
            print(json.dumps({"part": name, "rows": [r.as_dict() for r in rows]}), flush=True)
        else:
            print_table(name, rows, before.get(name, {}))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
