"""scripts/chaos soak [--seed N] [--minutes M] [--keep]: a black box under faults, and a witness.

Customers submit, wait, pause, resume, modify, retry, cancel, clear and chain jobs of an installed
conductor, always some more than it may run at once; every attempt notes its own start and end,
with fsync, in one ledger outside of the home. Meanwhile processes are killed and frozen, alone and
together, also while it starts, stops, restarts and drains; its disk is full, broken, read-only or
slow, its clock steps, its limits shrink, its files vanish. Then faults stop, everything must
settle, and the ledger, the answers, the events and the processes must agree. Exit code 1 if not:
the home and its logs are then kept. The same seed gives the same faults and customers.
"""

from __future__ import annotations

import argparse
import faulthandler
import shutil
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from soak_disk import in_own_namespace
from soak_plan import counted, plan
from soak_run import SETTLES, Report, Shape, Soak, as_json, one_line


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/chaos soak", description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=5.0, help="seconds between two faults")
    parser.add_argument("--settle", type=float, default=SETTLES, help="seconds for what is left")
    parser.add_argument("--keep", action="store_true", help="leave the place for a look")
    parser.add_argument("--plan", action="store_true", help="print the faults and do nothing")
    parser.add_argument("--without", default="", help="leave out faults that have this word")
    given = parser.parse_args(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # its processes end with it
    faulthandler.register(signal.SIGUSR1)  # where its threads stand, when it seems to hang
    faults = plan(given.seed, given.minutes * 60, given.rate)
    if given.without:
        faults = [fault for fault in faults if given.without not in fault.text()]
    if given.plan:
        for fault in faults:
            print(f"{fault.at:8.1f} s  {fault.text()}")
        print(f"{counted(faults)} faults")
        return 0
    in_own_namespace()
    place = Path(tempfile.mkdtemp(prefix=f"soak{given.seed}-"))
    shape = Shape(given.seed, given.settle)
    report = Soak(place, shape, faults, lambda text: print(text, flush=True)).run()
    print(summary(report))
    if report.violations:
        lines = "\n".join(as_json(violation) for violation in report.violations)
        (place / "violations").write_text(lines + "\n")
    if given.keep or report.violations:
        print(f"left: {place}")
    else:
        shutil.rmtree(place)
    return 1 if report.violations else 0


def summary(report: Report) -> str:
    """What happened, in some lines; violations last."""
    counts = report.book.counts
    faults = {k: n for k, n in counts.items() if k.split()[0] in FAULTS}
    ended = sum(1 for attempt in report.ledger.all() if attempt.end)
    attempts = len(report.ledger.all())
    lines = [
        f"{report.seconds:.0f} s, {sum(faults.values())} faults that struck "
        f"({report.struck} calls to the disk)",
        *(f"  {count:4} {kind}" for kind, count in sorted(faults.items())),
        f"{counts['jobs']} jobs, {attempts} attempts in the ledger, {ended} that ended themselves; "
        f"{report.excused} results lost with their worker",
        f"{counts['requests']} requests; {report.events} events",
        *(f"  {count:4} {kind}" for kind, count in sorted(counts.items()) if kind not in faults),
        f"the machine made us wait for up to {report.book.lag / 1e9:.1f} s",
        f"{len(report.violations)} violations",
    ]
    kinds = Counter(violation.rule for violation in report.violations)
    lines += [f"  {count:4} {rule}" for rule, count in kinds.most_common()]
    for violation in report.violations[:60]:
        lines.append(f"  {one_line(violation)}")
        lines += [f"      {line}" for line in violation.evidence]
    return "\n".join(lines)


FAULTS = ("kill", "freeze", "several", "disk", "clock", "limit", "file", "command", "end", "first")

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
