"""A wish to stop that was acknowledged is carried out, whoever of ours dies over it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from e2e_marianne import PROGRAM, Marianne, until

from ipc.errors import RemoteError

DEAF = """
sheets:
  - name: deaf
    run: trap '' TERM; touch begun; while :; do sleep 0.1; done
"""
SLOW = "sheets: [{name: slow, run: 'touch begun; while [ ! -e end ]; do sleep 0.05; done'}]"


@pytest.fixture
def marianne(configured: Callable[[str], Marianne]) -> Marianne:
    return configured("")


def _begun(marianne: Marianne, score: str, grace: float = 2.0, orphan: float = 60.0) -> str:
    """A job whose sheet runs, and a conductor with these graces."""
    marianne.configure(f"sheet_grace_seconds: {grace}\norphan_grace_seconds: {orphan}\n")
    job = marianne.submit("job", score)
    until((marianne.place / "job" / "begun").exists)
    return job


def _locked(marianne: Marianne) -> bool:
    return marianne("conductor-status", code=None).code != 3


def _runs(pid: int) -> bool:
    """Whether it lives; what nobody has reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _sheets(marianne: Marianne) -> list[int]:
    return [pid for pid, line in marianne.processes().items() if "begun" in line]


@contextmanager
def _stopping(marianne: Marianne, *argv: str) -> Iterator[subprocess.Popen[str]]:
    """`marianne stop` under way: the conductor has said that it stops."""
    stop = subprocess.Popen(
        [PROGRAM, "stop", *argv],
        env=marianne.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until(lambda: "stopping" in (marianne.home / "conductor.pid").read_text())
        yield stop
    finally:
        if stop.poll() is None:
            stop.kill()
        stop.communicate()


@pytest.mark.parametrize("mode", ["stop", "force", "drain", "cancel"])
def test_the_heart_does_not_replace_a_conductor_that_died_over_its_stop(
    marianne: Marianne, mode: str
) -> None:
    score = SLOW if mode == "drain" else DEAF
    job = _begun(marianne, score, grace=0.5 if mode == "force" else 2.0)
    pid = marianne.pids()["conductor"]
    os.kill(pid, signal.SIGSTOP)  # it hears the wish and no more
    with subprocess.Popen(
        [PROGRAM, "stop", *(() if mode == "stop" else (f"--{mode}",))],
        env=marianne.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as stop:
        until(lambda: "stopping" in (marianne.home / "conductor.pid").read_text())
        with suppress(ProcessLookupError):  # woken, it may have ended by itself
            os.kill(marianne.pids()["conductor"], signal.SIGKILL)
        if mode == "drain":
            until(lambda: marianne.pids()["conductor"] != pid)
            (marianne.place / "job" / "end").touch()
        out, err = stop.communicate(timeout=100)
    assert stop.returncode == 0, (out, err)
    assert marianne.processes() == {}
    if mode == "drain":
        (marianne.place / "job" / "begun").unlink()
    marianne("start")
    status = marianne.status(job)
    assert (status["status"] == "cancelled") == (mode == "cancel")
    if mode == "drain":
        assert marianne.wait(job)["sheets"][0]["attempt"] == 1
        assert not (marianne.place / "job" / "begun").exists()


def test_a_drain_whose_tree_gives_up_is_the_next_conductor_s(marianne: Marianne) -> None:
    job = _begun(marianne, SLOW)
    pid = marianne.pids()["conductor"]
    with _stopping(marianne, "--drain", "1000") as stop:

        def replaced() -> bool:
            if marianne.pids()["conductor"] == pid:
                with suppress(RemoteError, TimeoutError):
                    marianne.crash("manager")  # at its next message
                    marianne.request("job.explain", {"job_id": job})
            return marianne.pids()["conductor"] != pid

        until(replaced, 90)
        (marianne.place / "job" / "end").touch()
        out, err = stop.communicate(timeout=60)
    assert stop.returncode == 0, (out, err)
    assert marianne.processes() == {}
    marianne("start")
    assert marianne.wait(job)["sheets"][0]["attempt"] == 1


def test_a_cancelling_stop_is_carried_out_by_the_next_start_if_all_of_ours_died(
    marianne: Marianne,
) -> None:
    job = _begun(marianne, DEAF)
    with _stopping(marianne, "--cancel") as stop:
        pids = marianne.pids()
        for pid in pids.values():
            os.kill(pid, signal.SIGSTOP)
        for pid in pids.values():
            os.kill(pid, signal.SIGKILL)
        out, err = stop.communicate(timeout=30)
    assert stop.returncode == 0, (out, err)
    assert "next start" in err
    assert marianne.processes() == {}
    marianne("start")
    assert marianne.wait(job, code=1)["status"] == "cancelled"
    assert marianne.serves()  # who starts it wants it to run


def test_a_stop_whose_conductor_and_heart_were_killed_leaves_no_sheet(marianne: Marianne) -> None:
    _begun(marianne, DEAF)
    with _stopping(marianne) as stop:
        pids = marianne.pids()
        for pid in pids.values():
            os.kill(pid, signal.SIGSTOP)
        for pid in pids.values():
            os.kill(pid, signal.SIGKILL)
        stop.communicate(timeout=30)
    assert stop.returncode == 0
    assert marianne.processes() == {}


@pytest.mark.parametrize("who", ["heart", "conductor"])
@pytest.mark.parametrize("argv", [("stop",), ("stop", "--force"), ("restart",)])
def test_one_of_ours_that_is_stopped_holds_nothing_up(
    marianne: Marianne, who: str, argv: tuple[str, ...]
) -> None:
    _begun(marianne, SLOW, grace=0.5)
    old = marianne.pids()
    os.kill(old[who], signal.SIGSTOP)
    marianne(*argv, timeout=25)
    if argv == ("restart",):
        assert marianne.pids()["conductor"] != old["conductor"]
        assert marianne.serves()
    else:
        assert marianne.processes() == {}


def test_a_drain_that_is_cut_short_says_what_it_interrupted(marianne: Marianne) -> None:
    job = _begun(marianne, SLOW, grace=0.5)
    done = marianne("stop", "--drain", "1s", code=1)
    assert "cut short" in done.err
    assert f"{job} sheet 1 (slow)" in done.err
    (marianne.place / "job" / "begun").unlink()
    marianne("start")
    until((marianne.place / "job" / "begun").exists)
    found = marianne("stop", "--drain", "1s", "--json", code=1).json
    assert found["cut_short"]
    assert found["interrupted"] == [{"job_id": job, "sheet": 1, "name": "slow"}]


def test_a_drain_that_finished_says_so(marianne: Marianne) -> None:
    job = _begun(marianne, SLOW, grace=0.5)
    with _stopping(marianne, "--drain", "--json") as stop:
        (marianne.place / "job" / "end").touch()
        out, err = stop.communicate(timeout=30)
    assert stop.returncode == 0, (out, err)
    assert '"cut_short": false' in out.replace('":false', '": false')
    marianne("start")
    assert marianne.wait(job)["sheets"][0]["attempt"] == 1


def test_a_stop_ends_a_drain_that_is_under_way(marianne: Marianne) -> None:
    _begun(marianne, SLOW, grace=0.5)
    with _stopping(marianne, "--drain", "10m") as drain:
        marianne("stop", timeout=25)
        out, err = drain.communicate(timeout=20)
    assert drain.returncode == 1, (out, err)
    assert "cut short" in err


def test_an_order_of_an_earlier_stop_ends_no_later_conductor(marianne: Marianne) -> None:
    job = _begun(marianne, DEAF, grace=0.5)
    marianne("stop")
    marianne("start")
    conductor = marianne.pids()["conductor"]
    os.kill(conductor, signal.SIGKILL)
    until(lambda: marianne.pids()["conductor"] != conductor and marianne.serves())
    assert marianne.status(job)["status"] == "running"


@pytest.mark.parametrize("mode", ["stop", "force", "cancel"])
def test_a_stop_without_a_conductor_ends_what_a_killed_one_left(
    marianne: Marianne, mode: str
) -> None:
    job = _begun(marianne, DEAF.replace("touch begun", "echo $$ > begun"), grace=0.5)
    sheet = int(until((marianne.place / "job" / "begun").read_text))  # made first, then written
    pids = marianne.pids()
    for part in ("heart", "conductor"):
        os.kill(pids[part], signal.SIGKILL)
    until(lambda: not _locked(marianne))
    assert _runs(sheet)
    said = marianne("stop", *(() if mode == "stop" else (f"--{mode}",)))
    assert "had left running" in said.err
    assert not _runs(sheet)
    assert marianne.processes() == {}
    marianne("start")
    if mode == "cancel":
        until(lambda: marianne.status(job)["status"] == "cancelled")
    else:
        assert marianne.status(job)["status"] in ("queued", "running")
