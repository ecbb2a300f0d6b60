"""scripts/chaos cluster [--engine E] [--staged] [--kills N] [--seed N]: jobs whose cluster dies.

dask (the default): a scheduler and three nodes with three slots each, as separate processes. Killed
are its workers, nannies, the scheduler, the bridge, wardens, jobs' workers, the conductor; nodes
are frozen and cut off for longer than their lease. With --staged conductor and nodes share no
directory: each sheet makes a file of 500 kB, which is brought back. slurm: a slurmctld, two slurmd,
and up to three pilots with three slots; every fourth sheet has a batch job of its own. Killed are
all of these, slurmstepds, wardens, jobs' workers, the bridge, the conductor; allocations are
cancelled, and frozen for longer than their lease.

Jobs are of sheets of 0.1 to 3 seconds, some of which leave processes that heed no TERM. Each
attempt notes its start and end in a file, and that decides: every sheet completes, no attempt
starts twice, none that completed runs again, no two attempts of a sheet live at once (but for a
frozen node's), no process is left, nor a batch job, what was brought back is whole and of the
attempt that completed, events have no gap. Exit code 1 otherwise.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "e2e"))

from cluster_kills import BEYOND, GRACE, LEASE, Kills
from cluster_proxy import Proxy
from cluster_witness import Witness
from dask_cluster import DaskCluster, free_port, until
from e2e_marianne import Marianne, conductor

NODES = {"node-a": 3, "node-b": 3, "node-c": 3}
SHEETS = 24
ALIVE = 2
"""Jobs that are under way at any time."""

CONFIG = """
executor: cluster
sheet_grace_seconds: {grace}
executors:
  - name: cluster
    kind: dask
    address: {address}
    lease_seconds: {lease}
    shared_directory: {shared}
    node_directory: {nodes}
"""
SLURM = """
executor: hpc
sheet_grace_seconds: {grace}
executors:
  - name: hpc
    kind: slurm
    lease_seconds: {lease}
    shared_directory: {place}/shared
    node_directory: {place}/nodes
    pilots: {{count: 3, cpus: 3, seconds: 3600, idle_seconds: 5, partition: long, look_seconds: 1}}
"""
OVER = ("completed", "failed", "cancelled")

MADE = """
{ head -c 500000 /dev/zero; echo "$MARIANNE_SHEET $MARIANNE_ATTEMPT"; } > made-$MARIANNE_SHEET
"""


class Campaign:
    """Jobs, kills, and what the witness says at the end."""

    def __init__(
        self, place: Path, seed: int, marianne: Marianne, kills: Kills, *, staged: bool = False
    ) -> None:
        self.place, self.marianne, self.kills, self.staged = place, marianne, kills, staged
        self.rng = random.Random(seed)
        self.witness = Witness(place)
        self.witness.excused = lambda: time.monotonic() < kills.frozen_until
        self.jobs: list[str] = []
        self.live: set[str] = set()
        self.resumed = 0

    def feed(self) -> None:
        """Sees to it that enough jobs are under way."""
        for job in list(self.live):
            if self._over(job):
                self.live.discard(job)
        while len(self.live) < ALIVE:
            name = f"job{len(self.jobs)}"
            path = self.place / f"{name}.yaml"
            path.write_text(self._score(name))
            done = self.marianne("run", str(path), "--json", code=None, timeout=300.0)
            if done.code:
                return  # a conductor is being replaced: the next time
            self.jobs.append(done.json["job_id"])
            self.live.add(done.json["job_id"])

    def _over(self, job: str) -> bool:
        """Whether it has ended. One that was put away because its conductor died three times in a
        row is resumed, as its owner would."""
        status = self._status(job)
        if status["status"] == "paused" and status["reason"] == "crashes":
            self.resumed += not self.marianne("resume", job, code=None, timeout=300.0).code
        return status["status"] in OVER

    def _score(self, name: str) -> str:
        lines = [f"name: {name}", f"workspace: {self.place / 'ws' / name}", "sheets:"]
        for num in range(1, SHEETS + 1):
            seconds = self.rng.choice((0.1, 0.1, 0.5, 1.0, 3.0))
            script = self.witness.script(seconds, nasty=self.rng.random() < 0.2)
            if self.staged:
                script = MADE + script
            made = [f"    outputs: [made-{num}]"] * self.staged
            lines += [f"  - name: s{num}", *self.kills.more_of(num), *made, "    run: |"]
            lines += [f"      {line}" for line in script.splitlines()]
        return "\n".join(lines) + "\n"

    def _status(self, job: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = []

        def ask() -> bool:
            try:
                found.append(self.marianne.status(job))
            except Exception:  # noqa: BLE001 - a conductor is being replaced
                return False
            return True

        until(ask, f"the status of {job}", 300.0)
        return found[0]

    def run(self, count: int) -> None:
        """So many kills, while jobs run."""
        self.witness.begin()
        kinds = list(self.kills.ways)
        while sum(self.kills.done.values()) < count:
            until(lambda: self.feed() or self.witness.alive(), "a sheet that runs", 300.0)
            kind = self.kills.one(kinds)
            if kind is not None:
                number = sum(self.kills.done.values())
                print(f"{number:4} {kind}", flush=True)
            time.sleep(self.rng.uniform(0.2, 1.5))
        self.kills.settle()
        for job in self.jobs:
            until(lambda j=job: self._over(j), f"the end of {job}", 600.0)
        self.witness.end()

    def verdict(self) -> list[str]:
        """What is wrong."""
        wrong: list[str] = []
        starts, ends = self.witness.lines()
        attempts: Counter[str] = Counter()
        for job in self.jobs:
            status = self._status(job)
            if status["status"] != "completed":
                wrong.append(f"{job} is {status['status']}: {status.get('error')}")
            for sheet in status["sheets"]:
                key = job, sheet["num"]
                attempts["sheets"] += 1
                if not ends[(*key, sheet["attempt"])]:
                    wrong.append(f"{key}: attempt {sheet['attempt']} completed without an end")
                wrong += self._made(*key, sheet["attempt"]) if self.staged else []
                later = [a for a in starts if a[:2] == key and a[2] > sheet["attempt"]]
                wrong += [f"{key}: ran again after it was completed: {a}" for a in later]
        wrong += [
            f"{attempt} started {times} times" for attempt, times in starts.items() if times > 1
        ]
        wrong += [f"lived at once: {pair}" for pair in self.witness.overlaps]
        left = self.witness.wait_for_none(LEASE + GRACE + 5.0)
        wrong += [f"left running: {attempt} {pids}" for attempt, pids in left.items()]
        wrong += self.kills.left()
        wrong += self._gaps()
        print(
            f"{len(self.jobs)} jobs, {attempts['sheets']} sheets, {len(starts)} attempts started,"
            f" {sum(ends.values())} ends; {self.witness.looks} looks through /proc;"
            f" {self.resumed} jobs resumed that three deaths of the conductor had paused"
        )
        return wrong

    def _made(self, job: str, num: int, attempt: int) -> list[str]:
        """What is wrong with the file that a sheet has made on its node."""
        try:
            found = (self.place / "ws" / job / f"made-{num}").read_bytes()
        except OSError as error:
            return [f"{job} {num}: what it made was not brought back: {error}"]
        if found == bytes(500_000) + f"{num} {attempt}\n".encode():
            return []
        return [f"{job} {num}: of attempt {attempt} is brought back {found[-20:]!r}, {len(found)}"]

    def _gaps(self) -> list[str]:
        wrong, seq, last = [], 0, {}
        while True:
            page = self.marianne.request("events.since", {"seq": seq, "limit": 1000})["events"]
            if not page:
                print(f"{seq} events")
                return wrong
            for event in page:
                if event["seq"] != seq + 1:
                    wrong.append(f"event {seq + 1} is missing")
                seq = event["seq"]
                job = event["job_id"]
                if job is not None:
                    if event["prev"] != last.get(job, 0):
                        wrong.append(f"event {seq} of {job} has prev {event['prev']}")
                    last[job] = seq


def on_dask(place: Path, seed: int, count: int, *, staged: bool = False) -> tuple[Kills, list[str]]:
    """So many kills; returns what was done, and what is wrong."""
    ports = {"node-a": free_port()}
    proxies = {node: Proxy(port) for node, port in ports.items()}
    cluster = DaskCluster(place / "cluster", NODES)
    cluster.reached_by = {node: (ports[node], proxies[node].port) for node in ports}
    with cluster:
        config = CONFIG.format(
            grace=GRACE,
            lease=LEASE,
            address=cluster.address,
            shared=place / "shared",
            nodes=cluster.directory,
        )
        if staged:
            config = "".join(line for line in config.splitlines(True) if "shared_d" not in line)
        with conductor(place, config) as marianne:
            kills = Kills(cluster, marianne, proxies, random.Random(seed))
            wrong = campaign(place, seed, count, marianne, kills, staged=staged)
    for proxy in proxies.values():
        proxy.close()
    return kills, wrong


def on_slurm(place: Path, seed: int, count: int) -> tuple[Kills, list[str]]:
    """The same."""
    from cluster_slurm_kills import SlurmKills
    from slurm_box import missing, slurm_box

    if (why := missing()) is not None:
        raise SystemExit(f"scripts/chaos cluster: {why}")
    with slurm_box(place / "box", nodes=2) as box:
        config = SLURM.format(grace=GRACE, lease=LEASE, place=place)
        env = {name: box.env[name] for name in ("SLURM_CONF", "PATH")}
        with conductor(place, config, env) as marianne:
            kills = SlurmKills(box, marianne, random.Random(seed))
            return kills, campaign(place, seed, count, marianne, kills)


def campaign(
    place: Path, seed: int, count: int, marianne: Marianne, kills: Kills, *, staged: bool = False
) -> list[str]:
    """What is wrong after so many kills."""
    made = Campaign(place, seed, marianne, kills, staged=staged)
    kills.settle()
    made.run(count)
    return made.verdict()


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/chaos cluster",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--engine", choices=("dask", "slurm"), default="dask")
    parser.add_argument("--staged", action="store_true", help="dask alone")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(words)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chaos-cluster-", ignore_cleanup_errors=True) as name:
        place = Path(name)
        (place / "shared").mkdir(mode=0o700)
        if given.engine == "dask":
            kills, wrong = on_dask(place, given.seed, given.kills, staged=given.staged)
        else:
            kills, wrong = on_slurm(place, given.seed, given.kills)
    print(", ".join(f"{count} {kind}" for kind, count in sorted(kills.done.items())))
    print(
        f"{sum(kills.done.values())} kills in {time.monotonic() - begin:.0f} s; lease {LEASE:g} s,"
        f" a node is given up after {BEYOND:g} s"
    )
    for line in wrong:
        print(f"WRONG: {line}")
    print("nothing is wrong" if not wrong else f"{len(wrong)} things are wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
