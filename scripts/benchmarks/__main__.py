"""Runs the parts named on the command line, or all, and prints one table.

A part is a module `bench_PART` beside this one with `measure() -> list[Row]`.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

from table import Row, print_table

PARTS = sorted(
    path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py")
)


def main(arguments: list[str]) -> int:
    as_json = "--json" in arguments
    names = [argument for argument in arguments if argument != "--json"] or PARTS
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        print(
            f"scripts/bench: no part {unknown[0]!r}; there are: {' '.join(PARTS)}", file=sys.stderr
        )
        return 2
    missed = False
    for name in names:
        rows: list[Row] = importlib.import_module(f"bench_{name}").measure()
        missed = missed or any(not row.held for row in rows)
        if as_json:
            print(json.dumps({"part": name, "rows": [row.as_dict() for row in rows]}))
        else:
            print_table(name, rows)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
