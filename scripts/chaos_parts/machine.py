"""scripts/chaos machine [--seeds N]: random histories of a job's pure state machine.

Grants, results, timers, wishes and deaths, also between what is done at once and its commit. A
failing seed is printed; exit code 1 if there is one.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "marianne" / "daemon"))

from job_walk import walk


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/chaos machine", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10_000)
    given = parser.parse_args(words)
    ends: Counter[str] = Counter()
    wrong = 0
    for seed in range(given.seeds):
        try:
            ends[str(walk(seed).finished)] += 1
        except Exception as error:  # noqa: BLE001 - any is a finding
            wrong += 1
            print(f"seed {seed}: {error!r}")
    print(f"{given.seeds} histories, {wrong} wrong; ended: {dict(ends)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
