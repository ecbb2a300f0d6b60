"""Sheets on nodes that share no directory with the conductor: real wardens, each with a directory
of its own, and a real bridge between them and the test, which is the conductor."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from staged_cluster import JOB, Cluster
from staging_stage import files
from warden_stage import Node, until

from marianne.executors import bridge as bridge_module
from marianne.executors.staging import attempts, home
from marianne.executors.staging.commit import STAGED
from marianne.executors.staging.stream import TransferError
from marianne.run.spool import read_spool

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setattr(bridge_module, "AGAIN_SECONDS", 0.1)
    monkeypatch.setattr(bridge_module, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(attempts, "AGAIN_SECONDS", 0.1)
    made = Cluster(tmp_path)
    yield made
    made.stop_bridge()
    for node in made.nodes.values():
        node.close()


def begin(cluster: Cluster, *nodes: str) -> None:
    for name in nodes or ("n1",):
        cluster.start_node(name)
    cluster.start_bridge()
    for name in nodes or ("n1",):
        cluster.open(name)


def test_inputs_are_brought_and_outputs_come_back(cluster: Cluster) -> None:
    (cluster.ws / "data").mkdir()
    (cluster.ws / "data" / "a.csv").write_text("1\n2\n")
    (cluster.ws / "secret").write_text("not declared")
    script = "pwd; ls; wc -l < data/a.csv > lines.txt; mkdir -p out/deep; echo x > out/deep/x"
    script += "; touch no"
    cluster.plan(
        {"run": script, "inputs": ("data/*.csv",), "outputs": ("lines.txt", "out/")},
        {"run": "cat lines.txt out/deep/x", "inputs": ("lines.txt", "out"), "outputs": ("*.none",)},
        {"run": "echo fine", "makes_nothing": True},
    )
    begin(cluster)
    cluster.run("n1", 1)
    assert cluster.result(1)["outcome"] == "completed"
    found = files(cluster.ws)
    assert (found["lines.txt"], found["out/deep/x"]) == (b"2\n", b"x\n")
    assert "no" not in found  # what is not declared does not come back
    assert not (cluster.ws / STAGED).exists()
    printed = (cluster.home / "sheets" / "1.1.out").read_text().splitlines()
    assert printed[0].startswith(str(cluster.nodes["n1"].folder))
    assert printed[1:] == ["data"]  # nor is what is not declared brought
    assert (cluster.home / "sheets" / "1.1.prompt").read_text() == script
    cluster.run("n1", 2)
    second = cluster.result(2)
    assert (cluster.home / "sheets" / "2.1.out").read_text() == "2\nx\n"
    assert (second["outcome"], second["category"]) == ("failed", "validation")
    assert second["message"] == "outputs: *.none was not made"
    cluster.run("n1", 3)
    assert cluster.result(3)["outcome"] == "completed"
    # What is kept at the conductor is kept by its spool there, and the node forgets it.
    spooled = read_spool(str(cluster.home / "nodes" / "n1" / "spool"))
    assert [one["num"] for one in spooled] == [1, 2, 3]
    until(lambda: not [name for name in cluster.left("n1") if "/work/" in name or ".out" in name])
    cluster.to("n1", kind="close", job_id=JOB, grace=0.5, over=True)
    until(lambda: cluster.heard("closed"))
    until(lambda: not cluster.left("n1"))


def test_what_runs_is_read_while_it_runs(cluster: Cluster) -> None:
    cluster.plan({"run": "echo one; until test -e go; do sleep 0.05; done; echo two"})
    begin(cluster)
    cluster.run("n1", 1)
    out = cluster.home / "sheets" / "1.1.out"
    until(lambda: out.exists() and out.read_text() == "one\n")
    (cluster.nodes["n1"].folder / "jobs" / JOB / "work" / "1.1" / "go").touch()
    assert cluster.result(1)["outcome"] == "completed"
    assert out.read_text() == "one\ntwo\n"


def test_a_large_output_comes_whole(cluster: Cluster) -> None:
    run = "head -c 9000001 /dev/urandom > big; sha256sum big; head -c 3000000 /dev/zero"
    cluster.plan({"run": run, "outputs": ("big",)})
    begin(cluster)
    cluster.run("n1", 1)
    assert cluster.result(1)["outcome"] == "completed"
    printed = (cluster.home / "sheets" / "1.1.out").read_bytes()
    assert len((cluster.ws / "big").read_bytes()) == 9_000_001
    assert printed[:64].decode() == hashlib.sha256((cluster.ws / "big").read_bytes()).hexdigest()
    assert printed.count(b"\0") == 3_000_000


@pytest.mark.parametrize(
    ("run", "says"),
    [
        ("ln -s /etc/hostname out", "out leads out of the workspace"),
        ("mkfifo out", "out is neither a file nor a directory"),
        ("head -c 2000000 /dev/zero > out", "outputs are more than 1 MiB"),
        ("true", "outputs: out was not made"),
    ],
)
def test_what_may_not_come_back_fails_its_sheet_in_words(
    cluster: Cluster, run: str, says: str
) -> None:
    cluster.limit = 2**20
    (cluster.ws / "there").write_text("before")
    cluster.plan({"run": f"echo new > there; {run}", "outputs": ("there", "out")})
    begin(cluster)
    cluster.run("n1", 1)
    result = cluster.result(1)
    assert result["outcome"] == "failed"
    assert says in result["message"]
    assert files(cluster.ws) == {"there": b"before"}


def test_what_may_not_be_brought_fails_its_sheet_in_words(cluster: Cluster) -> None:
    cluster.limit = 2**20
    (cluster.place / "outside").write_text("x")
    (cluster.ws / "link").symlink_to(cluster.place / "outside")
    (cluster.ws / "large").write_bytes(bytes(2**21))
    cluster.plan(
        {"run": "touch ran", "inputs": ("link",), "outputs": ("ran",)},
        {"run": "touch ran", "inputs": ("large",), "outputs": ("ran",)},
        {"run": "touch ran", "inputs": ("../outside",), "outputs": ("ran",)},
    )
    begin(cluster)
    for num in (1, 2, 3):
        cluster.run("n1", num)
    for num, says in ((1, "link leads out"), (2, "are more than 1 MiB"), (3, "leads out")):
        result = cluster.result(num)
        assert (result["outcome"], result["category"]) == ("failed", "workspace")
        assert says in result["message"]
    assert "ran" not in files(cluster.ws)


def test_a_sheet_is_up_to_date_by_the_files_of_the_workspace(cluster: Cluster) -> None:
    (cluster.ws / "in").write_text("1")
    cluster.plan({"run": "cat in > out; echo ran", "inputs": ("in",), "outputs": ("out",)})
    begin(cluster)
    cluster.run("n1", 1)
    assert cluster.result(1)["outcome"] == "completed"
    cluster.to("n1", kind="close", job_id=JOB, grace=0.5, over=True)
    until(lambda: cluster.heard("closed"))
    # Another job of the same score: what was is only what lies in the workspace.
    for name in ("claims", "nodes", "sheets"):
        (cluster.home / name).rename(cluster.place / f"old-{name}")
    (cluster.home / "sheets").mkdir()
    cluster.line.told.clear()
    cluster.open("n1")
    cluster.run("n1", 1)
    again = cluster.result(1)
    assert again["outcome"] == "skipped"
    assert "up to date" in again["message"]


def test_an_attempt_is_claimed_by_one_node(cluster: Cluster) -> None:
    cluster.plan({"run": "until test -e go; do sleep 0.05; done"})
    begin(cluster, "n1", "n2")
    cluster.run("n1", 1)
    until(lambda: cluster.said("results"))
    cluster.run("n2", 1)
    until(lambda: cluster.heard("refused"))
    assert cluster.heard("refused")[0]["attempts"] == [[1, 1, "n1"]]
    assert not [name for name in cluster.left("n2") if "/work/" in name]


def test_a_bridge_that_dies_takes_nothing_with_it(cluster: Cluster) -> None:
    waits = "until test -e go; do sleep 0.05; done; head -c 5000000 /dev/urandom > out; echo end"
    cluster.plan({"run": waits, "outputs": ("out",)})
    begin(cluster)
    cluster.run("n1", 1)
    until(lambda: cluster.said("results"))
    cluster.stop_bridge()
    (cluster.nodes["n1"].folder / "jobs" / JOB / "work" / "1.1" / "go").touch()
    spool = cluster.nodes["n1"].folder / "jobs" / JOB / "spool"
    until(lambda: [one for one in read_spool(str(spool)) if one["num"] == 1])
    assert "out" not in files(cluster.ws)
    (cluster.ws / STAGED / f"{JOB}.1.1.4194305.ab").mkdir(parents=True)
    cluster.start_bridge()
    assert cluster.of("up")[0]["hello"]["jobs"] == [JOB]
    cluster.open("n1")
    assert cluster.result(1)["outcome"] == "completed"
    assert len((cluster.ws / "out").read_bytes()) == 5_000_000
    assert (cluster.home / "sheets" / "1.1.out").read_text() == "end\n"
    until(lambda: not (cluster.ws / STAGED).exists())


def test_a_warden_that_dies_leaves_what_was_finished_to_the_next(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, full = home.take_back, threading.Event()

    def full_disk(*args: Any) -> None:
        if not full.is_set():
            raise TransferError("No space left on device")
        real(*args)

    monkeypatch.setattr(home, "take_back", full_disk)
    cluster.plan({"run": "echo made > out", "outputs": ("out",)}, {"run": "sleep 600"})
    begin(cluster)
    cluster.run("n1", 2)
    until(lambda: cluster.said("results"))
    cluster.run("n1", 1)
    until(lambda: cluster.heard("trouble"))
    assert "No space left on device" in cluster.heard("trouble")[0]["why"]
    node = cluster.nodes["n1"]
    node.processes[-1].kill()
    node.processes[-1].wait()
    until(lambda: cluster.of("down"))
    full.set()
    cluster.start_node("n1")
    until(lambda: len(cluster.of("up")) == 2)
    assert cluster.of("up")[1]["hello"]["kept"] == [JOB]
    cluster.open("n1")
    assert cluster.result(2)["category"] == "lost"
    assert cluster.result(1)["outcome"] == "completed"
    assert files(cluster.ws)["out"] == b"made\n"


def test_what_an_attempt_made_that_was_given_up_takes_the_place_of_nothing(
    cluster: Cluster,
) -> None:
    """Its node was away for longer than its lease, and is back when the next attempt is over."""
    waits = "if test $MARIANNE_ATTEMPT = 1; then until test -e go; do sleep 0.05; done; fi"
    cluster.plan({"run": f"{waits}; echo $MARIANNE_ATTEMPT > out", "outputs": ("out",)})
    begin(cluster, "n1", "n2")
    cluster.run("n1", 1)
    work = cluster.nodes["n1"].folder / "jobs" / JOB / "work" / "1.1"
    until(work.exists)
    cluster.run("n2", 1, attempt=2)
    assert cluster.result(1, 2)["outcome"] == "completed"
    (work / "go").touch()
    assert cluster.result(1, 1)["outcome"] == "completed", "which is evidence"
    assert files(cluster.ws)["out"] == b"2\n"
    until(lambda: not work.exists())


def test_a_cancel_while_files_are_brought_ends_it(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, go = threading.Event(), threading.Event()
    real = home.give_inputs

    def slowly(*args: Any) -> None:
        held.set()
        go.wait(60.0)
        real(*args)

    monkeypatch.setattr(home, "give_inputs", slowly)
    (cluster.ws / "in").write_text("1")
    cluster.plan({"run": "touch out", "inputs": ("in",), "outputs": ("out",)})
    begin(cluster)
    cluster.run("n1", 1)
    assert held.wait(60.0)
    cancel = {"kind": "cancel", "sheets": [1], "category": "cancelled", "grace": 0.5}
    cluster.to("n1", kind="job", job_id=JOB, message=cancel)
    result = cluster.result(1)
    assert (result["outcome"], result["category"]) == ("interrupted", "cancelled")
    go.set()
    assert "out" not in files(cluster.ws)


def test_a_porter_that_is_killed_is_replaced(cluster: Cluster) -> None:
    killed = []

    def kill() -> bool:
        for pid in node_children(cluster.nodes["n1"]):
            if Path(f"/proc/{pid}/comm").read_text().strip() == "marianne-porter" and not killed:
                os.kill(pid, 9)
                killed.append(pid)
        return bool(killed)

    cluster.plan({"run": "head -c 60000000 /dev/zero > out", "outputs": ("out",)})
    begin(cluster)
    cluster.run("n1", 1)
    spool = cluster.nodes["n1"].folder / "jobs" / JOB / "spool"
    until(lambda: spool.exists() and read_spool(str(spool)))
    until(kill)
    assert cluster.result(1)["outcome"] == "completed"
    assert len((cluster.ws / "out").read_bytes()) == 60_000_000
    assert cluster.heard("trouble")
    assert not (cluster.ws / STAGED).exists()


def node_children(node: Node) -> list[int]:
    pid = node.processes[-1].pid
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
