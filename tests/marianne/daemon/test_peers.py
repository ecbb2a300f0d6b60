"""By what name a worker process is known on the link."""

from __future__ import annotations

from marianne.daemon.worker.identity import STRANGERS, Peers, proof_of, recorded_proof
from marianne.state.models import JobRow, JobStatus


def test_a_new_name_is_ours_and_has_no_job_until_it_is_employed() -> None:
    peers = Peers()
    name = peers.new()
    assert peers.job_of(name) == ""
    peers.expect(proof_of(name), "a")
    assert peers.job_of(name) == "a"
    assert peers.name_of(proof_of(name)) == name
    peers.forget(proof_of(name))
    assert peers.job_of(name) is None
    assert peers.name_of(proof_of(name)) == b""


def test_no_two_names_are_the_same_and_nobody_can_guess_one() -> None:
    peers = Peers()
    assert len({peers.new() for _ in range(100)}) == 100
    assert peers.job_of(b"4711-12345") is None


def test_the_next_conductor_knows_a_worker_by_its_proof_whoever_comes_first() -> None:
    name = Peers().new()
    early, late = Peers(), Peers()
    assert early.job_of(name) is None
    for peers in (early, late):
        peers.expect(proof_of(name), "a")
    assert early.name_of(proof_of(name)) == name
    assert late.name_of(proof_of(name)) == b""
    assert late.job_of(name) == "a"
    assert late.name_of(proof_of(name)) == name


def test_a_worker_that_talks_before_it_is_expected_was_no_stranger() -> None:
    name = Peers().new()
    peers = Peers()
    for sender in (name, b"a stranger", name):
        assert peers.job_of(sender) is None
        peers.refuse(sender)
    assert peers.refused == 3
    peers.expect(proof_of(name), "a")
    assert peers.refused == 1


def test_strangers_do_not_fill_the_memory() -> None:
    peers = Peers()
    for number in range(3 * STRANGERS):
        peers.job_of(f"stranger {number}".encode())
    assert len(peers._met) == STRANGERS


def test_a_worker_that_was_recorded_before_names_were_secret_is_known_by_its_old_one() -> None:
    row = JobRow("a", "a", JobStatus.RUNNING, "/w", 0.0, 1, worker_pid=12, worker_start_time=34)
    assert recorded_proof(row) == proof_of(b"12-34")
    row.worker_link = b"x" * 16
    assert recorded_proof(row) == b"x" * 16
