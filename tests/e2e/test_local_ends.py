"""``run --local`` is its own end: whatever ends it, nothing of it goes on and nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_marianne import PROGRAM, Marianne, until

SIGNALS = ["KILL", "HUP", "QUIT", "TERM", "INT"]
DEAF = """sheets:
  - name: a
    run: |
      trap '' HUP QUIT INT
      setsid sleep 7771 &
      echo begin $$ >> ledger
      touch up
      sleep 7772; sleep 7773
"""
SHORT = "sheets:\n  - {name: a, run: 'echo begin >> ledger; sleep 1; echo end >> ledger'}\n"


@pytest.fixture
def place(marianne: Marianne) -> Iterator[Path]:
    """Where the runs of a test put what is temporary; at its end nothing is there."""
    with tempfile.TemporaryDirectory(prefix="m-") as path:  # a short one: it holds sockets
        marianne.env["TMPDIR"] = path
        yield Path(path)
        for client in _clients:
            client.kill()  # of a test that failed
            client.wait()
        _clients.clear()
        until(lambda: os.listdir(path) == [], 60.0)


def _sheets(marianne: Marianne) -> list[str]:
    return [line for line in marianne.processes().values() if " 777" in line]


_clients: list[subprocess.Popen[bytes]] = []


def _local(marianne: Marianne, path: str, *options: str) -> subprocess.Popen[bytes]:
    client = subprocess.Popen(
        [PROGRAM, "run", path, "--local", *options],
        env=marianne.env,
        cwd=marianne.place,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _clients.append(client)
    return client


def _running(marianne: Marianne, name: str = "deaf") -> subprocess.Popen[bytes]:
    """A run in the midst of its sheet, which hears few signals."""
    process = _local(marianne, marianne.score(name, DEAF))
    until((marianne.place / name / "up").exists, 60.0)
    return process


def _privates(place: Path) -> list[Path]:
    return [path for path in place.iterdir() if path.name.startswith("marianne-local-")]


@pytest.mark.parametrize("name", SIGNALS)
def test_whatever_ends_it_no_sheet_and_no_file_is_left(
    marianne: Marianne, place: Path, name: str
) -> None:
    process = _running(marianne)
    assert os.listdir(place)
    process.send_signal(signal.Signals[f"SIG{name}"])
    code = process.wait(60.0)
    assert code == (-signal.SIGKILL if name == "KILL" else 130)
    until(lambda: not _sheets(marianne))
    until(lambda: not marianne.processes())
    until(lambda: not os.listdir(place))


def test_a_closed_terminal_ends_it_too(marianne: Marianne, place: Path) -> None:
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [PROGRAM, "run", marianne.score("deaf", DEAF), "--local", "--follow"],
        env=marianne.env,
        cwd=marianne.place,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    until((marianne.place / "deaf" / "up").exists, 60.0)
    os.kill(process.pid, signal.SIGHUP)
    os.close(ours)
    process.wait(60.0)
    until(lambda: not marianne.processes())
    until(lambda: not os.listdir(place))


@pytest.mark.parametrize("dead", ["heart", "conductor", "both"])
def test_a_death_of_its_conductor_harms_the_job_no_more_than_it_must(
    marianne: Marianne, place: Path, dead: str
) -> None:
    process = _running(marianne)
    (private,) = _privates(place)
    conductor, heart = map(int, (private / "conductor.pid").read_text().split()[:2])
    for pid, names in ((heart, ("heart", "both")), (conductor, ("conductor", "both"))):
        if dead in names:
            os.kill(pid, signal.SIGKILL)
    if dead == "both":
        assert process.wait(60.0) == 3
    else:
        process.kill()
        process.wait(10.0)
    until(lambda: not marianne.processes(), 60.0)
    if dead == "heart":  # nobody is left to remove it; the next run does
        assert marianne("run", marianne.score("short", SHORT), "--local").code == 0
    until(lambda: not os.listdir(place))


def test_what_dies_all_at_once_is_swept_by_the_next_run(marianne: Marianne, place: Path) -> None:
    process = _running(marianne)
    (private,) = _privates(place)
    assert private.stat().st_mode & 0o777 == 0o700
    pids = map(int, (private / "conductor.pid").read_text().split()[:2])
    for pid in (*reversed([*pids]), process.pid):
        os.kill(pid, signal.SIGKILL)
    process.wait(10.0)
    assert _sheets(marianne)
    assert marianne("run", marianne.score("short", SHORT), "--local").code == 0
    assert not _sheets(marianne)
    assert _privates(place) == []


def test_a_second_run_of_a_score_is_refused_as_by_a_conductor(
    marianne: Marianne, place: Path
) -> None:
    process = _running(marianne)
    names = {Path(f"/proc/{pid}/comm").read_text().strip() for pid in marianne.processes()}
    assert "marianne-worker" in names
    assert "marianne-spare" not in names, "nothing is kept ready for a second job"
    refused = marianne("run", str(marianne.place / "deaf.yaml"), "--local", code=5)
    assert f"pid {process.pid}" in refused.err
    beside = marianne.score("beside", "sheets:\n  - {name: a, run: 'true'}\n")
    warned = marianne("run", beside, "--local", "--workspace", "deaf")
    assert "works in the same directory" in warned.err
    refused = marianne(
        *("run", str(marianne.place / "deaf.yaml"), "--local", "--workspace", "other"), code=5
    )
    process.terminate()
    process.wait(60.0)
    ledger = (marianne.place / "deaf" / "ledger").read_text().splitlines()
    assert len(ledger) == 1


def test_a_second_run_waits_until_the_sheets_of_a_killed_one_have_ended(
    marianne: Marianne, place: Path
) -> None:
    text = """sheets:
  - name: a
    run: |
      trap 'sleep 1 || :; echo end >> ledger; exit 1' TERM
      test ! -e up || { echo second >> ledger; exit 0; }
      touch up; echo begin >> ledger
      sleep 7774 & wait
"""
    process = _local(marianne, path := marianne.score("slow", text))
    until((marianne.place / "slow" / "up").exists, 60.0)
    process.kill()
    process.wait(10.0)
    assert marianne("run", path, "--local").code == 0
    assert (marianne.place / "slow" / "ledger").read_text().split() == ["begin", "end", "second"]
    until(lambda: not marianne.processes())
