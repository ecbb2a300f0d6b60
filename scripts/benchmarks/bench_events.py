"""Events from the disk to those who listen: committed (synchronous=FULL), published, read.

The store and the publisher are the conductor's, fed as fast as they commit; each tail is a process
that checks that it got every event.
"""

from __future__ import annotations

import statistics
import time

import bare
from conductor import PLACE
from table import Row

from actors import System
from marianne.daemon.config import DaemonConfig
from marianne.daemon.config.sections import ResourceLimitConfig
from marianne.daemon.context import Context, StopRequest
from marianne.daemon.monitor import ResourceMonitor
from marianne.daemon.services.events import Events
from marianne.daemon.services.notifications import Notifications
from marianne.daemon.services.store import Store
from marianne.daemon.shared.storage import Storage
from marianne.home import Home
from marianne.state.changes import AddEvent, InsertJob
from marianne.state.models import JobRow, JobStatus

ROUNDS = 5
# What waits for a tail is bounded (20,000): more at once would be lost on a busy machine.
COUNT = 18_000
BATCH = 100


def rate(tails: int, count: int, number: int) -> float:
    """Events a second, until the slowest of the tails has the last of ``count``."""
    place = PLACE / f"events{tails}.{number}"
    home = Home(place)
    home.prepare()
    system = System("bench")
    context = Context(
        system=system,
        home=home,
        config=DaemonConfig(),
        owner="owner",
        start_time=0,
        started_at=0.0,
        stop=StopRequest(),
        resources=ResourceMonitor(ResourceLimitConfig()),
        storage=Storage(place),
    )
    for name, kind in (("store", Store), ("events", Events), ("notifications", Notifications)):
        system.spawn(kind, context, name=name)
    now = time.time()
    job = JobRow("job", "job", JobStatus.RUNNING, "/", now, count)
    store = context.store
    store.ask(Store.write, [InsertJob(job, b"", "", b"")])
    event = AddEvent("job", 1, "sheet.skipped", {"attempt": 1, "instrument": "shell"}, now)
    listeners = [bare.start("tail", home.events_sock, count + 1000) for _ in range(tails)]
    seen = 0
    for listener in listeners:
        assert listener.stdout is not None
        while not bare.readable(listener):
            store.ask(Store.write, [event])
            seen += 1
        listener.stdout.readline()
    store.ask(Store.write, [event] * (1000 - seen))
    begun = time.perf_counter()
    pending = [store.call(Store.write, [event] * BATCH) for _ in range(count // BATCH)]
    for listener in listeners:
        listener.wait()
    seconds = time.perf_counter() - begun
    for future in pending:
        future.get()
    if any(listener.returncode for listener in listeners):
        raise RuntimeError("a tail lost events")
    system.shutdown()
    return count / seconds


def measure() -> list[Row]:
    """To one tail, and to each of ten."""
    one = statistics.median(rate(1, COUNT, number) for number in range(ROUNDS))
    ten = statistics.median(rate(10, COUNT, number) for number in range(ROUNDS))
    return [
        Row("events to one tail", one, None, "/s", 60_000, True, 120_000),
        Row("events to each of ten tails", ten, None, "/s", 15_000, True, 28_000),
    ]
