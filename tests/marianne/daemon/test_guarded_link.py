"""Two sockets of workers: one where the conductor proves itself, one for workers of before."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from admission_stage import Stage, until

from actors import Actor
from ipc import curve
from ipc.dealer import Dealer
from marianne.daemon.shared.proof import Proof, proof_of_conductor
from marianne.daemon.worker.identity import proof_of
from marianne.daemon.worker.socket import Link
from marianne.run.procfs import boot_id, start_time
from marianne.state.changes import UpdateJob
from marianne.state.models import JobStatus


class Ear(Actor):
    """In place of a job's worker actor."""

    def __init__(self, heard: list[str]) -> None:
        self._heard = heard

    def received(self, identity: bytes, kind: str, message: dict[str, Any]) -> None:
        """What its worker says."""
        self._heard.append(kind)


class House:
    """A job whose recorded worker lives under this name, and the link of the next conductor."""

    def __init__(self, place: Path, name: bytes, proof: Proof) -> None:
        self.place, self.name, self.proof = place, name, proof
        self.stage = stage = Stage(place)
        self.process = subprocess.Popen(["sleep", "600"])
        stage.insert("a", status=JobStatus.RUNNING)
        record = {"worker_pid": self.process.pid, "worker_boot_id": boot_id()}
        record |= {"worker_start_time": start_time(self.process.pid), "worker_link": proof_of(name)}
        stage.write(UpdateJob("a", record))
        stage.context.proof = proof
        fleet = stage.executor.fleet
        fleet.peers.expect(proof_of(name), "a")
        self.heard: list[str] = []
        stage.system.spawn(Ear, self.heard, name="job:a/worker")
        stage.system.spawn(Link, stage.context, fleet, name="link")

    def answers(self, place: str, name: bytes, key: bytes | None) -> bool:
        """Whether somebody of this name is asked for a report there, and is heard."""
        line = Dealer(self.place / place, name, server_key=key)
        told = until(line.drain)
        line.send({"kind": "bye"})
        until(lambda: line.drain() or self.heard)
        line.close()
        return bool(told == [{"kind": "report"}] and self.heard == ["bye"])

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.stage.system.shutdown(timeout=5.0)


@pytest.fixture
def house(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[House]:
    house = House(tmp_path, request.param, proof_of_conductor(None, None))
    yield house
    house.close()


OLD, NEW = b"worker-" + b"0" * 32, b"guarded-" + b"0" * 32


@pytest.mark.parametrize("house", [OLD], indirect=True)
def test_a_worker_of_an_older_version_is_heard_where_it_knows_us(house: House) -> None:
    assert house.answers("workers.sock", OLD, None)


@pytest.mark.parametrize("house", [NEW], indirect=True)
def test_a_worker_that_asks_for_our_proof_gets_it_and_there_is_no_other_socket(
    house: House,
) -> None:
    assert house.answers("workers2.sock", NEW, house.proof.public)
    assert not (house.place / "workers.sock").exists()


def test_without_curve_workers_go_on_as_before(tmp_path: Path) -> None:
    house = House(tmp_path, OLD, Proof())
    assert house.answers("workers.sock", OLD, None)
    assert not (tmp_path / "workers2.sock").exists()
    house.close()


@pytest.mark.parametrize("house", [NEW], indirect=True)
def test_the_key_is_published_again_where_its_file_was_removed(house: House) -> None:
    key = house.place / "workers.key"
    assert house.proof.public is not None
    assert key.read_text() == house.proof.public.hex()
    key.unlink()
    house.stage.system.handle(Link, "link").ask(Link.look)
    assert key.read_text() == house.proof.public.hex()
    assert key.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("house", [NEW], indirect=True)
def test_a_socket_of_somebody_else_in_our_place_is_taken_away(house: House) -> None:
    place = house.place / "workers2.sock"
    place.unlink()
    place.touch()
    house.stage.system.handle(Link, "link").ask(Link.look)
    assert house.answers("workers2.sock", NEW, house.proof.public)


def test_a_proof_is_the_hearts_while_it_lives_and_else_our_own() -> None:
    key = curve.new_secret()
    kept = proof_of_conductor(key, os.getpid())
    assert kept.secret == key
    assert kept.keeper == (os.getpid(), start_time(os.getpid()))
    assert kept.public == curve.public_of(key)
    for alone in (proof_of_conductor(None, os.getpid()), proof_of_conductor(key, None)):
        assert alone.secret not in (None, key)
        assert alone.keeper is None
    assert key.hex() not in repr(kept)
    assert repr(key) not in repr(kept)
