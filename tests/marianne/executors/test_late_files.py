"""What comes late, twice or in crowds changes nothing that counts: real wardens without a shared
directory, a real bridge, and the test, which is the conductor."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from staged_cluster import JOB, Cluster
from staging_stage import files
from warden_stage import until

from marianne.executors import bridge as bridge_module
from marianne.executors.claim import settle
from marianne.executors.staging import attempts
from marianne.run import spool

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


def test_a_result_that_was_kept_and_is_told_again_puts_its_files_nowhere(
    cluster: Cluster,
) -> None:
    """The next sheet has made another file of them meanwhile."""
    cluster.plan(
        {"run": "echo 1 > state", "outputs": ("state",)},
        {"run": "echo 2 >> state", "inputs": ("state",), "outputs": ("state",)},
    )
    begin(cluster)
    posted: list[Any] = []
    real = attempts.Attempts._kept

    def unheard(self: Any, job: Any, key: Any, serial: int) -> None:
        if key == (1, 1) and not posted:
            posted.append(serial)  # the connection is cut before the node hears it
        else:
            real(self, job, key, serial)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attempts.Attempts, "_kept", unheard)
        patch.setattr(spool, "_COMPACT_BYTES", 0)  # as after some hundreds of sheets
        cluster.run("n1", 1)
        first = cluster.result(1)
        ack = {"kind": "ack", "serials": [first["serial"]]}
        cluster.to("n1", kind="job", job_id=JOB, message=ack)
        cluster.run("n1", 2)
        assert cluster.result(2)["outcome"] == "completed"
    assert files(cluster.ws)["state"] == b"1\n2\n"
    cluster.stop_bridge()
    cluster.start_bridge()
    cluster.open("n1")
    work = cluster.nodes["n1"].folder / "jobs" / JOB / "work" / "1.1"
    until(lambda: not work.exists())  # it was heard now
    assert files(cluster.ws)["state"] == b"1\n2\n"


def test_an_attempt_that_is_given_up_puts_its_files_nowhere_though_none_has_begun_since(
    cluster: Cluster,
) -> None:
    cluster.plan(
        {"run": "until test -e go; do sleep 0.05; done; echo 1 > out", "outputs": ("out",)}
    )
    begin(cluster)
    cluster.run("n1", 1)
    work = cluster.nodes["n1"].folder / "jobs" / JOB / "work" / "1.1"
    until(work.exists)
    settle(str(cluster.home), 1, 1)
    (work / "go").touch()
    assert cluster.result(1)["outcome"] == "completed", "which is evidence"
    assert "out" not in files(cluster.ws)
    until(lambda: not work.exists())


def test_who_asks_for_files_that_were_just_brought_loses_none(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks every few seconds, which may cross the answer."""
    asks: list[Any] = []
    real, brings = attempts.Attempts.stage, attempts.Attempts._bring_inputs
    crossed = threading.Event()

    async def bring(self: Any, *given: Any) -> None:
        await brings(self, *given)
        if len(asks) > 1:
            crossed.set()

    def stage(self: Any, job: Any, asked: Any) -> None:
        if not asks:
            self.begin(again(self, job, asked))
        asks.append(asked)
        real(self, job, asked)

    async def again(self: Any, job: Any, asked: Any) -> None:
        while not (work / "began").exists():
            await asyncio.sleep(0.01)
        stage(self, job, asked)

    monkeypatch.setattr(attempts.Attempts, "_bring_inputs", bring)
    monkeypatch.setattr(attempts.Attempts, "stage", stage)
    (cluster.ws / "in").write_text("1")
    run = "touch began; until test -e go; do sleep 0.05; done; cat in began > out"
    cluster.plan({"run": run, "inputs": ("in",), "outputs": ("out",)})
    begin(cluster)
    work = cluster.nodes["n1"].folder / "jobs" / JOB / "work" / "1.1"
    cluster.run("n1", 1)
    assert crossed.wait(60.0)
    assert (work / "began").exists()
    (work / "go").touch()
    assert cluster.result(1)["outcome"] == "completed"
    assert files(cluster.ws)["out"] == b"1"
    until(lambda: not [name for name in cluster.left("n1") if "/work/" in name])


def test_a_name_that_is_no_text_comes_back(cluster: Cluster) -> None:
    run = r"mkdir out; touch out/$'\xff\n x' 'out/a b'"
    cluster.plan(
        {"run": run, "outputs": ("out",)},
        {"run": "ls -A out | wc -l", "inputs": ("out",), "outputs": ("out",)},
    )
    begin(cluster)
    cluster.run("n1", 1)
    assert cluster.result(1)["outcome"] == "completed"
    cluster.run("n1", 2)
    assert cluster.result(2)["outcome"] == "completed"
    assert (cluster.ws / "out" / "a b").exists()
    assert len(list((cluster.ws / "out").iterdir())) == 2
