"""The orphan matrix: every way to end by every kind of child, one fresh home for each.

Prints for each pair how many of the child's processes live after the grace and five seconds, and
for each way the longest that it took to reach none. Exit code 1 if any is left. The ways, the kinds
and the look that counts are those of the suite (tests/faults); nothing of it comes from marianne.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "faults"))

from orphan_home import EVERY_KIND, KINDS, Home, wait_for
from ways_to_die import WALLED_WAYS, WAYS

SLACK = 5.0
EVERY_WAY = WALLED_WAYS | WAYS


@dataclass
class Cell:
    """One pair: survivors, seconds to none, and what else went wrong."""

    way: str
    kind: str
    survivors: int = 0
    seconds: float = 0.0
    trouble: str = ""

    def text(self) -> str:
        """What the table shows: ``!`` says that something beside the count was wrong."""
        return f"{self.survivors} {self.trouble}".strip()


def measure(way: str, kind: str, isolated: bool) -> Cell:
    """Runs a sheet with one kind of child, lets it happen, and counts."""
    chosen, cell = EVERY_WAY[way], Cell(way, kind)
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as place:
        home = Home(Path(place), chosen.orphan_grace)
        try:
            home.run([kind], chosen.timeout, isolated=isolated)
            if (way not in WAYS or kind not in KINDS) and not (home.walled or isolated):
                raise RuntimeError("no control groups here: this pair needs a wall")
            begin = chosen.happen(home)
            left = chosen.grace + SLACK - (time.monotonic() - begin)
            try:
                wait_for(lambda: not home.alive() and not home.alive(), left)
            except AssertionError:
                cell.survivors = len(home.alive())
            # Who is alive from here on may be the next attempt's.
            cell.seconds = time.monotonic() - begin
            chosen.afterwards(home)
        except Exception:  # noqa: BLE001 - one cell is wrong, the others are still worth their time
            traceback.print_exc()
            cell.survivors = cell.survivors or len(home.alive())
            cell.trouble = "!"
        finally:
            home.marianne("stop", "--force")
            if home.groups():
                cell.trouble = "!"
            home.close()
    return cell


def table(cells: list[Cell], ways: list[str], kinds: list[str]) -> str:
    """Markdown; every cell is a number of survivors."""
    of = {(cell.way, cell.kind): cell for cell in cells}
    rows = [["way to end", *kinds, "none left after"]]
    for way in ways:
        row = [of[way, kind] for kind in kinds]
        longest = max(cell.seconds for cell in row)
        rows.append([way, *(cell.text() for cell in row), f"{longest:.1f} s"])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|---" * len(rows[0]) + "|")
    return "\n".join(lines)


def main() -> int:
    """Reads the options and runs the chosen part of the matrix."""
    parser = argparse.ArgumentParser(prog="scripts/chaos orphans", description=__doc__)
    parser.add_argument("--way", action="append", choices=EVERY_WAY, help="only this way (repeat)")
    parser.add_argument(
        "--kind", action="append", choices=EVERY_KIND, help="only this kind (repeat)"
    )
    parser.add_argument(
        "--walls", action="store_true", help="also what only a wall ends: a row and a column more"
    )
    parser.add_argument(
        "--isolate", action="store_true", help="each sheet in a namespace of processes of its own"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="pairs at a time")
    parser.add_argument("--json", action="store_true", help="one JSON object a pair, no table")
    chosen = parser.parse_args()
    ways = chosen.way or list(EVERY_WAY if chosen.walls else WAYS)
    kinds = chosen.kind or list(EVERY_KIND if chosen.walls else KINDS)
    pairs = [(way, kind) for way in ways for kind in kinds]
    cells = []
    with ThreadPoolExecutor(chosen.jobs) as pool:
        for cell in pool.map(lambda pair: measure(*pair, chosen.isolate), pairs):
            cells.append(cell)
            if chosen.json:
                print(json.dumps(vars(cell)), flush=True)
            elif sys.stderr.isatty():
                print(f"\r{len(cells)} of {len(pairs)}", end="", file=sys.stderr, flush=True)
    if not chosen.json:
        print(table(cells, ways, kinds))
    return 1 if any(cell.survivors or cell.trouble for cell in cells) else 0


if __name__ == "__main__":
    sys.exit(main())
