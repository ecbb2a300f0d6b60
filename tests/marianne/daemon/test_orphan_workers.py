"""What a worker's record leads to when its number is somebody else's by now."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from marianne.daemon.worker import orphans
from marianne.daemon.worker.fleet import Fleet
from marianne.daemon.worker.orphans import end_worker, sweep_job
from marianne.run.procfs import boot_id
from marianne.state.models import JobRow, JobStatus


@pytest.fixture
def thread_number() -> Iterator[int]:
    """The number of a thread that is no process of its own."""
    numbers: list[int] = []
    known, enough = threading.Event(), threading.Event()

    def be_a_thread() -> None:
        numbers.append(threading.get_native_id())
        known.set()
        enough.wait()

    thread = threading.Thread(target=be_a_thread)
    thread.start()
    known.wait()
    yield numbers[0]
    enough.set()
    thread.join()


def test_a_thread_with_the_number_of_a_dead_worker_is_not_taken_for_it(thread_number: int) -> None:
    job = JobRow("j", "j", JobStatus.RUNNING, "/w", 1.0, 1, worker_boot_id=boot_id())
    job.worker_pid, job.worker_start_time = thread_number, 1
    assert end_worker(job, "0" * 32, spare=())


def test_what_begins_while_a_sweep_looks_is_spared_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job's end sweeps until nothing is found; the notice of that end began meanwhile, and was
    killed after it was sent: it came twice."""
    fleet = Fleet(cast("Any", None), cast("Any", SimpleNamespace(track_backend_pid=lambda _: 0)))
    looks: list[tuple[int, ...]] = []

    def sweep(owner: str, job_id: str, *, spare: Collection[int], everywhere: bool) -> list[int]:
        looks.append(tuple(spare))
        fleet.took_on(cast("Any", SimpleNamespace(pid=4711)))
        looks.append(tuple(spare))
        assert 4711 in spare
        return []

    monkeypatch.setattr(orphans, "sweep_orphans", sweep)
    sweep_job(fleet, "owner", "job")
    assert looks == [(), (4711,)]
