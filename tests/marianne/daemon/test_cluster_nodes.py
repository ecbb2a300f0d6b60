"""Which node has room, which is away, and why a sheet waits."""

from __future__ import annotations

from typing import Any

import pytest

from marianne.daemon.cluster.describing import describe
from marianne.daemon.cluster.nodes import Nodes
from marianne.daemon.config.executors import ExecutorConfig
from marianne.executors.protocol import Needs

UP = {"jobs": []}


@pytest.fixture
def nodes() -> Nodes:
    nodes = Nodes(6.0, lambda: 1.0, None, {"big-*": 8, "off": 0})
    nodes.engine = None
    return nodes


def test_a_node_has_the_slots_of_its_name_else_its_processors(nodes: Nodes) -> None:
    nodes.up("big-1", {"cpus": 2}, UP)
    nodes.up("small", {"cpus": 2}, UP)
    assert [(node.name, node.slots) for node in nodes.all()] == [("big-1", 8), ("small", 2)]
    assert nodes.capacity() == 10


def test_slots_are_taken_where_the_largest_share_is_free(nodes: Nodes) -> None:
    nodes.up("big-1", {"cpus": 2}, UP)
    nodes.up("small", {"cpus": 2}, UP)
    taken = [nodes.take("a") for _ in range(11)]
    assert taken.count("big-1") == 8
    assert taken.count("small") == 2
    assert taken[-1] is None
    assert "all 10 slots of 2 nodes are taken" in nodes.why_none()


def test_who_found_no_slot_is_named_once_when_there_is_one(nodes: Nodes) -> None:
    nodes.up("small", {"cpus": 1}, UP)
    nodes.take("a")
    assert nodes.take("b") is None
    assert nodes.waiting() == []
    nodes.hold("a", "small", 0)
    assert nodes.waiting() == ["b"]
    assert nodes.waiting() == []


@pytest.mark.parametrize("way", ["down", "drained", "unfit", "off"])
def test_a_node_that_cannot_be_given_sheets_is_given_none(nodes: Nodes, way: str) -> None:
    name = "off" if way == "off" else "small"
    nodes.up(name, {"cpus": 1}, UP)
    if way == "down":
        nodes.down(name)
    elif way == "drained":
        assert nodes.drain(name, on=True)
        assert "drained" in nodes.why_none()
    elif way == "unfit":
        nodes.unfit(name, "its clock is wrong")
        assert "its clock is wrong" in nodes.why_none()
    assert nodes.take("a") is None
    assert nodes.capacity() == 0


def test_a_node_that_nobody_knows_cannot_be_drained(nodes: Nodes) -> None:
    assert not nodes.drain("nobody", on=True)


def test_a_node_that_the_engine_has_no_more_is_forgotten_once_it_holds_nothing(
    nodes: Nodes,
) -> None:
    nodes.up("small", {"cpus": 1}, UP)
    nodes.take("a")
    nodes.down("small")
    nodes.gone("small")
    assert [node.name for node in nodes.all()] == ["small"]
    nodes.forget("a")
    assert nodes.all() == []
    assert "no nodes" in nodes.why_none()


def test_the_cluster_in_a_line(nodes: Nodes) -> None:
    nodes.up("big-1", {"cpus": 2}, UP)
    nodes.up("small", {"cpus": 2}, UP)
    nodes.take("a")
    nodes.down("small")
    assert nodes.summary() == "1 up, 1 of 8 slots taken; 1 not: small"


def test_a_node_is_described_with_its_state_and_what_it_does(nodes: Nodes) -> None:
    nodes.up("up", {"cpus": 2, "address": "tls://u:1", "skew": 0.5}, {"host": "u", "version": "1"})
    nodes.take("a")
    for name in ("away", "drained", "unfit"):
        nodes.up(name, {"cpus": 1}, UP)
    nodes.down("away")
    nodes.drain("drained", on=True)
    nodes.unfit("unfit", "its clock is wrong")
    config = ExecutorConfig.model_construct(name="cl", kind="dask", address="tls://s:1")
    found = describe(config, nodes, {"up": {"ok": True, "seconds": 0.1, "why": None}})
    told = {node["name"]: node for node in found["nodes"]}
    assert {name: node["state"] for name, node in told.items()} == {name: name for name in told}
    assert told["up"]["jobs"] == ["a"]
    assert told["up"]["skew_seconds"] == 0.5
    assert told["up"]["checked"] == {"ok": True, "seconds": 0.1, "why": None}
    assert told["up"]["lease_left_seconds"] is None
    left = told["away"]["lease_left_seconds"]
    assert left is not None
    assert 0 < left <= 9.0
    assert (found["slots"], found["taken"]) == (2, 1)


def test_why_the_engine_is_not_reached_comes_before_all(nodes: Nodes) -> None:
    nodes.engine = "the scheduler is not reached"
    assert nodes.why_none() == "the scheduler is not reached"


def facts(**more: Any) -> dict[str, Any]:
    return {"cpus": 4, "memory_mb": 1000, "gpus": 0, "labels": [], **more}


def test_a_sheet_goes_where_what_it_takes_is_and_is_free(nodes: Nodes) -> None:
    nodes.up("plain", facts(), UP)
    nodes.up("gpu", facts(gpus=1, labels=["fast"]), UP)
    assert nodes.take("a", needs=Needs(gpus=1, labels=("fast",))) == "gpu"
    assert nodes.take("a", needs=Needs(gpus=1)) is None
    assert nodes.take("a", needs=Needs(memory_mb=900, cpus=2.5)) == "plain"
    assert nodes.take("a", needs=Needs(memory_mb=900)) == "gpu"
    assert nodes.take("a", needs=Needs(memory_mb=200)) is None
    assert nodes.take("a", needs=Needs(labels=("slow",))) is None
    assert "is not called slow" in nodes.why_none(Needs(labels=("slow",)))


def test_a_sheet_that_takes_more_slots_than_a_node_has_runs_there_alone(nodes: Nodes) -> None:
    nodes.up("plain", facts(), UP)
    assert nodes.take("a", needs=Needs(cpus=9.0)) == "plain"
    assert nodes.take("b") is None
    nodes.hold("a", "plain", 0)
    assert nodes.take("b") == "plain"
    assert nodes.take("a", needs=Needs(cpus=9.0)) is None


def test_what_is_scarce_is_given_back_with_its_slot(nodes: Nodes) -> None:
    nodes.up("gpu", facts(gpus=2), UP)
    nodes.take("a", needs=Needs(gpus=2))
    nodes.hold("a", "gpu", 1, gpus=1)
    assert nodes.take("b", needs=Needs(gpus=1)) == "gpu"
    nodes.forget("b")
    assert nodes.take("c", needs=Needs(gpus=1)) == "gpu"


def test_a_node_that_its_engine_has_ended_is_waited_for_no_longer_than_before(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marianne.daemon.cluster.nodes.clock", lambda: 1000.0)
    nodes.known("old")
    monkeypatch.setattr("marianne.daemon.cluster.nodes.clock", lambda: 1008.0)
    nodes.gone("old")
    assert nodes.all() == []
    assert nodes.known("old").tenure.left(1008.0) == pytest.approx(1.0)  # of its lease and 3 s
    nodes.forget("a")
    assert nodes.all() == []


def test_a_node_of_an_earlier_conductor_is_told_of_until_it_has_surely_ended_all() -> None:
    nodes = Nodes(6.0, lambda: 1.0, 2, {})
    nodes.known("old")
    nodes.up("new", {"cpus": 1}, {"jobs": []})
    nodes.down("new")
    for name in ("old", "new"):
        nodes.hold("a", name, 0)
        nodes.over(name)
    assert [node.name for node in nodes.all()] == ["new"]
    nodes.hold("a", "old", 0)
    assert not nodes.connected("old")
    assert [node.name for node in nodes.all()] == ["new"]
