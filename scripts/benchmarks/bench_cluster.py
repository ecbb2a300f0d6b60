"""Sheets on a Dask cluster of this machine, two nodes, beside the same ones of the local executor.

The conductor has as many slots as the cluster. Needs ``distributed``; the nodes are processes like
any others, so that both sides share the processors.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from conductor import PLACE, Conductor
from table import Row, compared

sys.path.insert(0, str(Path(__file__).parents[1] / "chaos_parts"))

from cluster_kills import below
from dask_cluster import DaskCluster, until

ON_DEMAND = True
SHORT, LONG = (300, 5), (40, 3)
"""Sheets, and rounds of them."""

SLOTS, MANY, QUEUED = 2, 25, 10_000
GRACE = 1.0
MARK = "marianne-bench-cluster"


def measure() -> list[Row]:
    """In turns; which goes first changes each time."""
    if find_spec("distributed") is None:
        print("Dask's library is not installed", file=sys.stderr)
        return []
    rows: list[Row] = []
    with _stage(SLOTS) as conductor:
        conductor.instrument("second", "sleep", "1")
        for play, (sheets, rounds), bar in (("true", SHORT, 0.5), ("second", LONG, 0.9)):
            seconds: dict[str, list[float]] = {"cluster": [], "local": []}
            for number in range(rounds):
                for where in sorted(seconds, reverse=number % 2 == 0):
                    name = f"{play}-{where}{number}"
                    score = conductor.score(name, sheets, at_once=2 * SLOTS, play=play)
                    begun = time.perf_counter()
                    conductor.wait(conductor.submit(score, executor=where))
                    seconds[where].append(time.perf_counter() - begun)
            name = f"{sheets} sheets of {'true' if play == 'true' else '1 s'}: rate / local rate"
            both = seconds["cluster"], seconds["local"]
            rows.append(compared(name, *both, "s", bar, at_least=True))
    with _stage(MANY) as conductor:
        conductor.instrument("deaf", "bash", "-c", f"trap '' TERM; exec -a {MARK} sleep 600")
        rows += [_cancel(conductor), _memory(conductor)]
    return rows


def _cancel(conductor: Conductor) -> Row:
    job = conductor.submit(
        conductor.score("many", 2 * MANY, at_once=2 * MANY, play="deaf"), executor="cluster"
    )
    until(lambda: len(_running()) == 2 * MANY, "the sheets' begin")
    begun = time.perf_counter()
    conductor.request("job.cancel", ids=[job])
    until(lambda: not _running(), "the sheets' end")
    name = f"{2 * MANY} running sheets deaf to TERM, after the grace: cancel until none is left"
    return Row(name, time.perf_counter() - begun - GRACE, None, "s", 2.0)


def _memory(conductor: Conductor) -> Row:
    score = conductor.score("queued", QUEUED, at_once=1000, play="deaf")
    job = conductor.submit(score, executor="cluster")
    until(lambda: len(_running()) == 2 * MANY, "the sheets' begin")
    status = Path(f"/proc/{_bridge(conductor)}/status").read_text()
    row = Row(
        f"the bridge's memory with {QUEUED:,} sheets in line",
        int(status.partition("VmHWM:")[2].split()[0]) / 1024,
        None,
        "MB",
        150.0,
    )
    conductor.request("job.cancel", ids=[job])
    return row


@contextmanager
def _stage(slots: int) -> Iterator[Conductor]:
    """A conductor and two nodes that it reaches, of so many slots each."""
    shared = PLACE / f"shared{slots}"
    shared.mkdir(mode=0o700)
    with DaskCluster(PLACE / f"dask{slots}", {"node-a": slots, "node-b": slots}) as cluster:
        one = f"name: cluster, kind: dask, address: '{cluster.address}', shared_directory: {shared}"
        settings = {
            "max_concurrent_sheets": 2 * slots,
            "max_concurrent_agents": 2 * slots,
            "sheet_grace_seconds": GRACE,
            "executors": f"[{{{one}, node_directory: {cluster.directory}}}]",
        }
        with Conductor(**settings) as conductor:
            until(lambda: _reached(conductor) == 2, "the nodes")
            yield conductor


def _reached(conductor: Conductor) -> int:
    (found,) = [one for one in conductor.request("daemon.executors") if one["name"] == "cluster"]
    return sum(node["state"] == "up" for node in found["nodes"])


def _running() -> list[int]:
    """The sheets' processes."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = Path(f"/proc/{entry}/cmdline").read_bytes()
        except OSError:
            continue
        if line.startswith(MARK.encode()):
            found.append(int(entry))
    return found


def _bridge(conductor: Conductor) -> int:
    for pid in below({conductor.pid}):
        if Path(f"/proc/{pid}/comm").read_text().strip() == "marianne-bridge":
            return pid
    raise RuntimeError("the bridge is not there")
