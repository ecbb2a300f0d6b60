"""What sheets themselves have written, and what a look through /proc finds: no database of ours.

Each attempt appends a line when it starts and one when it ends, and all its processes bear its
name. A second look runs all the time and notes when two attempts of one sheet live at once.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

Sheet = tuple[str, int]
Attempt = tuple[str, int, int]

SCRIPT = """
mark="{mark}/$MARIANNE_JOB_ID/$MARIANNE_SHEET/$MARIANNE_ATTEMPT"
echo "S $MARIANNE_JOB_ID $MARIANNE_SHEET $MARIANNE_ATTEMPT" >> {ledger}
{nasty}
bash -c 'exec -a "$0" sleep {seconds}' "$mark"
echo "E $MARIANNE_JOB_ID $MARIANNE_SHEET $MARIANNE_ATTEMPT" >> {ledger}
"""
NASTY = 'setsid bash -c \'trap "" TERM; exec -a "$0" sleep 600\' "$mark" &'


class Witness:
    """``excused`` says whether an attempt may overlap with another now: its node was frozen."""

    def __init__(self, place: Path) -> None:
        self.ledger = place / "ledger"
        self.ledger.touch()
        self.mark = f"witness-{os.urandom(4).hex()}"
        self.overlaps: Counter[tuple[Attempt, Attempt]] = Counter()
        self.looks = 0
        self.excused: Callable[[], bool] = lambda: False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def script(self, seconds: float, *, nasty: bool) -> str:
        """The script of a sheet that takes so long."""
        return SCRIPT.format(
            mark=self.mark,
            ledger=self.ledger,
            seconds=f"{seconds:.2f}",
            nasty=NASTY if nasty else "",
        )

    def begin(self) -> None:
        """Looks from now on."""
        self._thread.start()

    def end(self) -> None:
        """No more looks."""
        self._over.set()
        self._thread.join()

    def alive(self) -> dict[Attempt, list[int]]:
        """Living processes by the attempt whose name they bear."""
        found: dict[Attempt, list[int]] = defaultdict(list)
        start = f"{self.mark}/".encode()
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                name = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")[0]
                if not name.startswith(start):
                    continue
                if Path(f"/proc/{entry}/stat").read_text().rpartition(") ")[2][0] in "ZX":
                    continue
            except OSError:
                continue
            _, job, sheet, attempt = name.decode().split("/")
            found[job, int(sheet), int(attempt)].append(int(entry))
        return found

    def _watch(self) -> None:
        before: set[tuple[Attempt, Attempt]] = set()
        while not self._over.wait(0.25):
            self.looks += 1
            alive = sorted(self.alive())
            now = {
                (one, other)
                for at, one in enumerate(alive)
                for other in alive[at + 1 :]
                if one[:2] == other[:2]
            }
            # A look takes time: what one look sees may be an end and a beginning.
            for pair in now & before:
                if not self.excused():
                    self.overlaps[pair] += 1
            before = now

    def lines(self) -> tuple[Counter[Attempt], Counter[Attempt]]:
        """Starts and ends of attempts."""
        counts: dict[str, Counter[Attempt]] = {"S": Counter(), "E": Counter()}
        for line in self.ledger.read_text().splitlines():
            kind, job, sheet, attempt = line.split()
            counts[kind][job, int(sheet), int(attempt)] += 1
        return counts["S"], counts["E"]

    def wait_for_none(self, seconds: float) -> dict[Attempt, list[int]]:
        """Who is left after so many seconds; none, as soon as there is nobody."""
        deadline = time.monotonic() + seconds
        while (left := self.alive()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return left
