"""scripts/chaos load [--jobs N] [--sheets S] [--clients C] [--places P] [--fsync-ms MS]: no fault.

Clients submit jobs and wait for each, all at once, on fewer places (max_concurrent_jobs) than there
are clients. Nothing is killed. Every job has to complete, every request to be answered, no actor to
be restarted, each attempt to be seen exactly once by a witness outside, and never may more jobs run
than there are places. With --crash, actors of that name crash again and again meanwhile, and all of
that but their restarts still holds. Prints what it did; exit code 1 if anything was wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from fault_shim import build
from load_clients import Load, Submitter, Tally, of_ledger

from ipc.client import Client
from ipc.errors import IpcError, RemoteError

PROGRAM = Path(sys.executable).with_name("marianne")
CRASH_EVERY = 3.5
"""Seconds between two crashes: a little more and the root would give up, as it should."""

BAD = ("actor.crashed", "actor.restarted", "actor.gave_up")


class NoCompiler(Exception):  # noqa: N818
    """A slow disk was asked for, and there is no C compiler to make one."""


def run(place: Path, load: Load) -> list[str]:
    """Runs it below ``place``, which must be empty; what was wrong. Leaves no process."""
    home = place / "home"
    home.mkdir(mode=0o700)
    (home / "conductor.yaml").write_text(f"max_concurrent_jobs: {load.places}\n")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MARIANNE", "CHAOS"))}
    env |= {"MARIANNE_HOME": str(home), "MARIANNE_FAULTS": "1"}
    if load.fsync_ms:
        shim = build(place)
        if shim is None:
            raise NoCompiler("--fsync-ms needs a C compiler (cc)")
        env |= {"LD_PRELOAD": str(shim), "CHAOS_FSYNC_MS": str(load.fsync_ms)}
    tally = Tally()
    words = [PROGRAM, "start"]
    start = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    if start.returncode != 0:
        return [f"start ended with {start.returncode}: {start.stderr}"]
    try:
        crasher = Crasher(home / "conductor.sock", load.crash)
        crasher.start()
        _work(place, home / "conductor.sock", load, tally)
        crasher.finish()
        with Client(home / "conductor.sock") as client:
            tally.wrong += [] if load.crash else _actors(client)
            tally.wrong += _limit(client, load)
    except IpcError as error:
        tally.wrong.append(f"the conductor does not answer: {error}")
    finally:
        subprocess.run([PROGRAM, "stop", "--force"], env=env, capture_output=True, check=False)
    return tally.wrong + of_ledger(place / "ledger", sorted(tally.submitted), load.sheets)


class Crasher(threading.Thread):
    """Has actors crash, one of ``names`` (with commas) after the other; none if it is empty."""

    def __init__(self, socket: Path, names: str) -> None:
        super().__init__(name="crasher", daemon=True)
        self._socket, self._names = socket, [name for name in names.split(",") if name]
        self._enough = threading.Event()

    def run(self) -> None:
        number = 0
        while self._names and not self._enough.wait(CRASH_EVERY):
            number += 1
            name = self._names[number % len(self._names)]
            with Client(self._socket) as client, contextlib.suppress(RemoteError):
                client.request("daemon.fault", {"name": name, "now": True}, 30.0)

    def finish(self) -> None:
        """No further crashes; waits for the last one."""
        self._enough.set()
        self.join()


def _work(place: Path, socket: Path, load: Load, tally: Tally) -> None:
    numbers = list(range(load.jobs, 0, -1))
    clients = [Submitter(place, socket, load, tally, numbers) for _ in range(load.clients)]
    for client in clients:
        client.start()
    deadline = time.monotonic() + load.patience + 60.0
    done = len(tally.submitted)
    while any(client.is_alive() for client in clients):
        threading.Event().wait(0.05)
        if len(tally.submitted) != done:
            done, deadline = len(tally.submitted), time.monotonic() + load.patience + 60.0
        elif time.monotonic() > deadline:
            tally.complain(f"{sum(c.is_alive() for c in clients)} clients hang")
            return


def _actors(client: Client) -> list[str]:
    wrong, todo = [], list(client.request("daemon.tree", {}, 30.0))
    while todo:
        node = todo.pop()
        todo += node["children"]
        if node["restarts"]:
            name, restarts = node["name"], node["restarts"]
            wrong.append(f"{name} was restarted {restarts} times: {node['last_crash']}")
    return wrong


def _limit(client: Client, load: Load) -> list[str]:
    """Crashes that events tell of, and the most jobs between their start and their end."""
    wrong, running, most = [], set(), 0
    seq = 0
    while events := client.request("events.since", {"seq": seq}, 30.0)["events"]:
        for event in events:
            seq, name = event["seq"], event["event"]
            if name in BAD and not load.crash:
                wrong.append(f"event {seq}: {name} {event['data']}")
            elif name == "job.started":
                running.add(event["job_id"])
            elif name in ("job.completed", "job.failed", "job.cancelled"):
                running.discard(event["job_id"])
            most = max(most, len(running))
    if most > load.places:
        wrong.append(f"{most} jobs ran at once on {load.places} places")
    return wrong


def main(words: list[str]) -> int:
    told: dict[str, Any] = {
        "jobs": "jobs in all",
        "sheets": "sheets of each",
        "clients": "clients, each with one job at a time",
        "places": "max_concurrent_jobs",
        "seconds": "how long a sheet sleeps",
        "fsync_ms": "how much longer every fsync of the conductor takes",
        "crash": "actors that crash meanwhile: names with commas between them",
        "patience": "seconds within which a request must be answered",
    }
    parser = argparse.ArgumentParser(prog="scripts/chaos load", description=__doc__.split("\n")[0])
    for name, text in told.items():
        value = getattr(Load, name)
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=type(value), default=value, help=f"{text} ({value})")
    parser.add_argument("--keep", action="store_true", help="leave the place for a look")
    given = vars(parser.parse_args(words))
    keep, load = given.pop("keep"), Load(**given)
    place = Path(tempfile.mkdtemp(prefix="load-"))
    begun = time.monotonic()
    try:
        wrong = run(place, load)
    except NoCompiler as error:
        print(f"scripts/chaos load: {error}", file=sys.stderr)
        return 2
    finally:
        if keep:
            print(f"left: {place}")
        else:
            shutil.rmtree(place)
    seconds = time.monotonic() - begun
    shape = f"{load.jobs} jobs of {load.sheets} sheets by {load.clients} clients"
    print(f"{shape} on {load.places} places, fsync + {load.fsync_ms} ms")
    print(f"{seconds:.1f} s; {len(wrong)} wrong")
    for text in wrong[:50]:
        print(f"  {text}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
