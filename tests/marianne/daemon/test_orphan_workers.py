"""What a worker's record leads to when its number is somebody else's by now."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from marianne.daemon.worker.orphans import end_worker
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
