"""The conductor keeps a worker process ready."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from datetime import datetime
from itertools import count
from pathlib import Path

import pytest
from e2e_marianne import Marianne, until

SHORT = "sheets:\n  - {name: short, run: echo done}\n"


@pytest.fixture
def marianne(mortal: Marianne) -> Marianne:
    """No job's worker of another test is left."""
    until(lambda: not named(mortal, "marianne-worker"))
    return mortal


def comm(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def forkservers(marianne: Marianne) -> list[int]:
    """The conductor's own child; those of a forkserver that an earlier test has killed are its
    children by now, too, and bear names of their own."""
    conductor, found = marianne.pids()["conductor"], []
    for pid, line in marianne.processes().items():
        with contextlib.suppress(OSError):
            if "multiprocessing.forkserver" in line and parent(pid) == conductor:
                found += [] if comm(pid).startswith("marianne") else [pid]
    return found


def named(marianne: Marianne, name: str) -> list[int]:
    """The home's processes that ps calls by this name; not what one of them has forked, which is
    called so until it is another program."""
    found = {}
    for pid in marianne.processes():
        try:
            if comm(pid) == name:
                found[pid] = parent(pid)
        except OSError:
            continue
    return [pid for pid, parent in found.items() if parent not in found]


def again(marianne: Marianne, name: str) -> str:
    """Runs a score that was submitted before, beside what runs of it; the job's id."""
    job = f"again-{next(_numbers)}"
    marianne("run", str(marianne.place / f"{name}.yaml"), "--id", job)
    return job


_numbers = count()


def test_the_spare_takes_the_next_job_and_another_takes_its_place(marianne: Marianne) -> None:
    (spare,) = until(lambda: named(marianne, "marianne-spare"))
    marianne.submit("long", "sheets:\n  - {name: long, run: sleep 60}\n")
    until(lambda: named(marianne, "marianne-worker") == [spare])
    assert until(lambda: named(marianne, "marianne-spare")) != [spare]


def test_a_spare_that_dies_before_a_job_wanted_it_is_replaced(marianne: Marianne) -> None:
    (spare,) = until(lambda: named(marianne, "marianne-spare"))
    os.kill(spare, signal.SIGKILL)
    until(lambda: named(marianne, "marianne-spare") not in ([], [spare]))


def test_the_forkserver_is_all_that_a_conductor_has_beside_workers(marianne: Marianne) -> None:
    (server,) = until(lambda: forkservers(marianne))
    conductor = marianne.pids()["conductor"]
    others = {}
    for pid, line in marianne.processes().items():
        with contextlib.suppress(OSError):
            if parent(pid) == conductor and "resource_tracker" in line:
                others[pid] = line
    assert others == {}
    assert server


def test_a_forkserver_that_dies_while_nobody_needs_it_is_replaced(marianne: Marianne) -> None:
    (server,) = until(lambda: forkservers(marianne))
    os.kill(server, signal.SIGKILL)
    until(lambda: forkservers(marianne) not in ([], [server]))


def test_jobs_start_after_the_conductors_temporary_files_were_removed(marianne: Marianne) -> None:
    """The forkserver's socket is among them: without it nothing could be started any more."""
    (server,) = until(lambda: forkservers(marianne))
    if not (place := marianne.home / "tmp").exists():
        pytest.skip("this home's name is too long: they are among everybody's")
    shutil.rmtree(place)
    assert marianne.wait(marianne.submit("short", SHORT))["status"] == "completed"
    until(lambda: forkservers(marianne) not in ([], [server]))


def test_without_its_conductor_the_spare_ends(marianne: Marianne) -> None:
    (spare,) = until(lambda: named(marianne, "marianne-spare"))
    os.kill(marianne.pids()["conductor"], 9)
    until(lambda: spare not in marianne.processes())


def test_a_sheet_that_ends_before_its_worker_says_hello_ends_its_job_at_once(
    marianne: Marianne,
) -> None:
    late = []
    for number in range(3):
        until(lambda: named(marianne, "marianne-spare"))
        text = "sheets:\n  - {name: never, run: exit 1, skip_when: 1 == 1}\n"
        done = marianne.wait(marianne.submit(f"skip{number}", text))
        sheet_end, end = (
            datetime.fromisoformat(one["finished_at"]) for one in (done["sheets"][0], done)
        )
        late.append((end - sheet_end).total_seconds())
    # What nobody heard is said again after 2 s; a machine may hold up one of them, not all.
    assert min(late) < 2.0


def test_while_no_process_can_be_started_clients_are_answered(marianne: Marianne) -> None:
    (spare,) = until(lambda: named(marianne, "marianne-spare"))
    (forkserver,) = until(lambda: forkservers(marianne))
    marianne.submit("warm", SHORT)  # its score needs no process when it comes again
    until(lambda: named(marianne, "marianne-spare") not in ([], [spare]))
    jobs: list[str] = []
    os.kill(forkserver, signal.SIGSTOP)
    try:
        for _ in range(3):
            job = again(marianne, "warm")
            jobs.append(job)
            until(lambda job=job: job in marianne("list", "--all").out)
        until(lambda: marianne.status(jobs[0])["status"] == "completed")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(forkserver, signal.SIGCONT)
    assert [marianne.wait(job)["status"] for job in jobs[1:]] == ["completed"] * 2
