"""What decides in the cluster's campaign: its witness, its proxy."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts" / "chaos_parts"))

from cluster_proxy import Proxy
from cluster_witness import Witness
from dask_cluster import until


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path)


def attempt(witness: Witness, number: int, script: str) -> subprocess.Popen[bytes]:
    names = {"MARIANNE_JOB_ID": "job", "MARIANNE_SHEET": "3", "MARIANNE_ATTEMPT": str(number)}
    return subprocess.Popen(["bash", "-c", script], env={**os.environ, **names})


@pytest.mark.slow
def test_an_attempt_notes_its_start_and_its_end_and_is_found_while_it_lives(
    witness: Witness,
) -> None:
    process = attempt(witness, 2, witness.script(0.3, nasty=False))
    until(witness.alive, "the attempt")
    assert set(witness.alive()) <= {("job", 3, 2)}
    process.wait()
    assert witness.lines() == ({("job", 3, 2): 1}, {("job", 3, 2): 1})
    assert witness.wait_for_none(60.0) == {}


@pytest.mark.slow
def test_two_attempts_of_a_sheet_that_live_at_once_are_noticed(witness: Witness) -> None:
    witness.begin()
    both = [attempt(witness, number, witness.script(600, nasty=False)) for number in (1, 2)]
    until(lambda: witness.overlaps, "the overlap")
    witness.end()
    for pids in witness.alive().values():
        for pid in pids:
            os.kill(pid, 9)
    for process in both:
        process.wait()
    assert set(witness.overlaps) == {(("job", 3, 1), ("job", 3, 2))}


@pytest.fixture
def line() -> Iterator[tuple[Proxy, socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        proxy = Proxy(server.getsockname()[1])
        near = socket.create_connection(("127.0.0.1", proxy.port))
        far, _ = server.accept()
        with near, far:
            yield proxy, near, far
        proxy.close()


def test_while_a_network_is_cut_nothing_passes_and_then_all_does(
    line: tuple[Proxy, socket.socket, socket.socket],
) -> None:
    proxy, near, far = line
    near.sendall(b"one")
    assert far.recv(3) == b"one"
    proxy.cut()
    near.sendall(b"two")
    far.settimeout(0.5)
    with pytest.raises(TimeoutError):
        far.recv(3)
    proxy.mend()
    far.settimeout(60.0)
    assert far.recv(3) == b"two"
