"""scripts/chaos crash [--kills N] [--seed S] [--keep]: kills everything that holds state.

A real conductor with real jobs and three clients; conductor, worker, heart or an actor dies at a
random moment or at a named point around a commit, a publish, a spool write or a send. After each
death the invariants are checked from outside; at every tenth the database is copied as a power
loss would leave it and every acknowledgement looked for. Prints what it did; exit code 1 if
anything was wrong.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from crash_campaign import Campaign, Plan, Report


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/chaos crash", description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="leave the place for a look")
    parser.add_argument("--quiet", action="store_true", help="only the summary")
    given = parser.parse_args(words)
    place = Path(tempfile.mkdtemp(prefix="chaos-crash-"))
    say = (lambda _: None) if given.quiet else (lambda text: print(text, flush=True))
    report = Campaign(place, Plan(given.kills, given.seed), say).run()
    print(summary(report))
    if given.keep:
        print(f"left: {place}")
    else:
        shutil.rmtree(place)
    return 1 if report.wrong else 0


def summary(report: Report) -> str:
    """What happened, in some lines; violations last."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(report.kinds.items()))
    told = report.events
    lines = [
        f"{report.kinds.total()} kills in {report.seconds:.0f} s: {kinds}",
        f"{report.with_running} of them with running sheets; serving again after at most "
        f"{report.slowest:.2f} s",
        f"{report.outages} power losses; {report.requests} requests, {report.acks} changes "
        f"acknowledged, {report.jobs} jobs",
        f"sheets: {told['sheet.started']} attempts, {told['sheet.completed']} completed, "
        f"{told['sheet.interrupted']} attempts interrupted, {told['sheet.retrying']} retries; "
        f"{told.total()} events",
        f"{len(report.wrong)} violations",
    ]
    return "\n".join(lines + [f"  {text}" for text in report.wrong[:50]])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
