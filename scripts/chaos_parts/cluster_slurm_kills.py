"""The ways in which parts of a Slurm, and of what runs in its allocations, die."""

from __future__ import annotations

import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster_kills import BEYOND, GRACE, Kills, below, send
from slurm_box import until

if TYPE_CHECKING:
    from e2e_marianne import Marianne
    from slurm_box import SlurmBox


class SlurmKills(Kills):
    """As :class:`Kills`. Pilots that are gone come again by themselves, so nothing is waited for
    but the daemons."""

    def __init__(self, box: SlurmBox, marianne: Marianne, rng: random.Random) -> None:
        self.box, self.marianne, self.rng = box, marianne, rng
        self.done: Counter[str] = Counter()
        self.frozen_until = 0.0
        self._away: dict[str, threading.Thread] = {}
        threading.Thread(target=self._put_back, daemon=True).start()
        self.ways: dict[str, tuple[int, Callable[[], bool]]] = {
            "slurmctld": (2, self.slurmctld),
            "slurmd": (3, self.slurmd),
            "slurmstepd": (3, self.slurmstepd),
            "pilot": (2, self.pilot),
            "warden": (4, lambda: self._one_of("marianne-warden")),
            "job's worker": (4, lambda: self._one_of("marianne-worker")),
            "bridge": (4, self.bridge),
            "conductor": (3, self.conductor),
            "scancel": (2, self.scancel),
            "frozen node": (1, self.freeze),
        }

    def more_of(self, num: int) -> list[str]:
        """Every fourth sheet has a batch job of its own."""
        return ["    slurm: {partition: long, time: 1h}"] if num % 4 == 0 else []

    def left(self) -> list[str]:
        """Batch jobs of ours that nobody has use for any more."""

        def ours() -> list[str]:
            lines = self.box.run("squeue", "-h", "-o", "%i %T %j").splitlines()
            return [line for line in lines if line.split()[2].startswith("marianne-")]

        try:
            # One that Slurm believes to run, and where nobody is, is given up after three minutes.
            until(lambda: not ours(), "all batch jobs are gone", 300.0)
        except AssertionError:
            lines = ours()
            for line in lines:
                print(self.box.story(line.split()[0]))
            return [f"left in Slurm: {line}" for line in lines]
        return []

    def settle(self) -> None:
        """Waits until nothing is away any more."""
        for thread in list(self._away.values()):
            thread.join()

    def _put_back(self) -> None:
        """Nodes that Slurm has drained after a death are put back, as an administrator would."""
        while True:
            time.sleep(2.0)
            if "slurmctld" not in self._away:
                try:
                    self.box.resume()
                except (OSError, subprocess.TimeoutExpired):
                    continue  # it is being killed

    def _one_of(self, comm: str) -> bool:
        pids = self.box.named(comm)
        return bool(pids) and self._kill(self.rng.choice(pids))

    def slurmctld(self) -> bool:
        """Away for a while; what it had learned last it has written down, or not."""
        if "slurmctld" in self._away:
            return False
        if self.rng.random() < 0.5:
            self.box.save()
        self._daemon("slurmctld", self.rng.choice((0.0, BEYOND)))
        return True

    def slurmd(self) -> bool:
        """Of one node."""
        here = [name for name in self.box.nodes if name not in self._away]
        if not here:
            return False
        self._daemon(self.rng.choice(here), self.rng.choice((0.0, 2.0)))
        return True

    def _daemon(self, name: str, seconds: float) -> None:
        self.box.kill_daemon(name)
        self._away_for(name, seconds, lambda: self.box.start_daemon(name))

    def slurmstepd(self) -> bool:
        """A pilot's, or that of the connection to it."""
        pids = self.box.steps()
        return bool(pids) and self._kill(self.rng.choice(pids))

    def pilot(self) -> bool:
        """The process that is the batch job: Slurm ends the rest."""
        return self._one_of("marianne-pilot")

    def scancel(self) -> bool:
        """An allocation is taken away."""
        if "slurmctld" in self._away:
            return False
        running = [number for number, state in self.box.jobs().items() if state == "RUNNING"]
        if not running:
            return False
        self.box.run("scancel", self.rng.choice(running), check=False)
        return True

    def freeze(self) -> bool:
        """All of an allocation is stopped, its sheets too, for longer than its lease."""
        pids = self.box.named("marianne-pilot")
        if self._away or not pids:
            return False
        top = self.rng.choice(pids)
        stopped = below({top}) | _step_of(top)
        for pid in stopped:
            send(pid, signal.SIGSTOP)
        self.frozen_until = time.monotonic() + BEYOND + GRACE + 5.0

        def thaw() -> Any:
            return [send(pid, signal.SIGCONT) for pid in stopped]

        self._away_for("a pilot", BEYOND, thaw)
        return True


def _step_of(pid: int) -> set[int]:
    """The slurmstepd above a pilot."""
    try:
        return {int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])} - {1}
    except OSError:
        return set()
