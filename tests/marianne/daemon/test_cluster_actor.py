"""The owner of a cluster's bridge: who may speak, who hears, and what is waited for at an end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from admission_stage import until
from context_stage import context_in

from actors import Actor, System
from actors.process import ProcessExit
from ipc import curve
from ipc.dealer import Dealer
from marianne.daemon.cluster.checking import Check
from marianne.daemon.cluster.cluster import Cluster
from marianne.daemon.cluster.desk import Desk
from marianne.daemon.cluster.nodes import Nodes
from marianne.daemon.cluster.places import Places
from marianne.daemon.config.executors import ExecutorConfig
from marianne.daemon.context import Context
from marianne.executors.lease import Tenure, clock
from marianne.executors.protocol import Needs
from marianne.state.database import Database

HELLO = {"jobs": ["a"]}


class Told(Actor):
    """Stands for a job's runner, for the scheduler, and for who looks after the machine."""

    def __init__(self, told: list[tuple[Any, ...]]) -> None:
        super().__init__()
        self._told = told

    def room_changed(self) -> None: ...

    def node(self, name: str, why: str | None) -> None:
        self._told.append((name, why))

    def wanting(self, executor: str) -> int:
        return 0

    def up(self, node: str, jobs: list[str]) -> None:
        self._told.append(("up", node, jobs))

    def down(self, node: str, why: str) -> None:
        self._told.append(("down", node))

    def gone(self, node: str, _: None) -> None:
        self._told.append(("gone", node))

    def heard(self, node: str, message: dict[str, Any]) -> None:
        self._told.append(("heard", node, message["kind"]))

    def refused(self, node: str, attempts: list[Any]) -> None:
        self._told.append(("refused", node, attempts))

    def troubled(self, node: str, why: str) -> None:
        self._told.append(("troubled", node, why))

    def closed(self, node: str) -> None:
        self._told.append(("closed", node))

    def room(self) -> None:
        self._told.append(("room",))


class Owner(Cluster):
    """Whose bridge is the test's."""

    def _start(self) -> None:
        self.starts = getattr(self, "starts", 0) + 1

    def of_bridge(self) -> tuple[bytes, bytes]:
        assert self._key is not None
        return self._name, curve.public_of(self._key)

    def lose_bridge(self) -> int:
        self.on_process_exit(None, ProcessExit(signal=9))  # type: ignore[arg-type]
        self.again()
        return self.starts

    def do(self, method: Any, *args: Any) -> Any:
        return method(self, *args)


class House:
    def __init__(self, place: Path) -> None:
        self.system = System("cluster")
        self.context = context_in(place, self.system, kind=Context)
        self.told: list[tuple[Any, ...]] = []
        nodes = Nodes(0.2, lambda: 0.0, 2, {})
        places = Places(self.context.home, "0" * 32, place)
        self.desk = Desk("cl", nodes, places, self.context._named("executor:cl"))
        self.desk.jobs["a"] = "job:a/worker"
        self.system.spawn(Told, self.told, name="job:a/worker")
        self.system.spawn(Told, [], name="scheduler")
        self.lost: list[tuple[Any, ...]] = []
        self.system.spawn(Told, self.lost, name="machine")
        self.system.spawn(Owner, self.context, self.desk, "none", {}, name="executor:cl")
        self.owner: Any = self.context._named("executor:cl")
        path = place / "bridge-cl.sock"
        name, self.key = self.owner.within(60.0).ask(Owner.of_bridge)
        self.bridge = Dealer(path, name, server_key=self.key)
        self.heard: list[dict[str, Any]] = []

    def say(self, kind: str, **fields: Any) -> None:
        self.bridge.send({"kind": kind, **fields})
        self.pump()

    def says(self, **message: Any) -> None:
        self.say("from", node="n1", messages=[message])

    def up(self) -> None:
        self.say("up", node="n1", facts={"cpus": 2}, hello=HELLO)
        until(lambda: self.pump() or ("up", "n1", ["a"]) in self.told)

    def pump(self) -> None:
        for message in self.bridge.drain():
            self.heard += message.get("messages", [message])

    def hears(self, kind: str) -> dict[str, Any]:
        """The first message to a warden of that kind."""

        def found() -> Any:
            self.pump()
            return next((one for one in self.heard if one["kind"] == kind), None)

        return dict(until(found))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.bridge.close()
    house.system.shutdown(timeout=5.0)


def test_a_node_that_is_reached_has_room_and_every_job_hears_of_it(house: House) -> None:
    house.desk.nodes.take("a")
    house.up()
    until(lambda: ("room",) in house.told)
    assert house.desk.nodes.capacity() == 2
    house.say("engine", why=None)
    until(lambda: house.desk.nodes.engine is None)


@pytest.mark.slow
def test_the_bridge_is_told_what_there_is_use_for(house: House) -> None:
    house.desk.held["a"] = lambda: [Needs(), Needs(gpus=1, labels=("ssd",)), Needs()]
    house.up()
    house.desk.heard.add("a")
    house.desk.nodes.take("a")
    usual, scarce = [1.0, 0, 0, [], 2], [1.0, 0, 1, ["ssd"], 1]
    found = {"kind": "need", "waiting": 0, "held": [usual, scarce], "busy": ["n1"], "resting": []}
    found |= {"batch": [], "over": []}
    until(lambda: house.pump() or found in house.heard)
    house.desk.nodes.hold("a", "n1", 0)
    house.say("unfit", node="n1", why="it is idle")
    found |= {"busy": [], "resting": ["n1"]}
    until(lambda: house.pump() or found in house.heard)


@pytest.mark.slow
def test_a_node_is_busy_until_a_runner_has_heard_what_it_runs(house: House) -> None:
    """An engine gives back what nobody has use for: a conductor that has just begun knows least."""
    house.up()
    found = {"kind": "need", "waiting": 0, "held": [], "busy": ["n1"], "resting": []}
    found |= {"batch": [], "over": []}
    until(lambda: house.pump() or found in house.heard)
    house.say("unfit", node="n1", why="it is idle")
    house.heard.clear()
    until(lambda: house.pump() or found in house.heard)
    house.desk.heard.add("a")
    idle = found | {"busy": [], "resting": ["n1"]}
    until(lambda: house.pump() or idle in house.heard)


def test_a_job_that_nobody_comes_for_keeps_no_node_busy_for_ever(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.desk.forget("a")
    house.say("up", node="n1", facts={"cpus": 2}, hello=HELLO)
    until(lambda: house.pump() or house.desk.nodes.capacity() == 2)
    (node,) = house.desk.nodes.all()
    assert house.desk.may_be_busy(node)
    node.up_at -= 1000.0
    assert not house.desk.may_be_busy(node)


def test_a_node_that_is_not_reached_may_be_busy_until_its_lease_is_over(house: House) -> None:
    """A conductor that had just begun, and whose bridge was slow to reach the nodes again, said
    that one of them rested: it was given back under the sheet that it ran."""
    node = house.desk.nodes.known("left-by-the-one-before")
    assert house.desk.may_be_busy(node)
    node.tenure = Tenure(0.0, 0.0)
    node.tenure.lost(clock() - 1000.0)
    assert not house.desk.may_be_busy(node)


def test_a_job_that_is_over_keeps_no_node_busy_whose_hello_named_it(house: House) -> None:
    house.up()
    house.desk.heard.add("a")
    house.desk.forget("a")
    (node,) = house.desk.nodes.all()
    assert not house.desk.may_be_busy(node)


def test_a_worker_of_a_job_that_ended_meanwhile_is_closed_when_its_node_comes(
    house: House,
) -> None:
    Database(house.context.home.db).close()  # which knows no such job
    house.desk.forget("a")
    house.say("up", node="n1", facts={"cpus": 2}, hello=HELLO)
    assert house.hears("close")["job_id"] == "a"
    (node,) = house.desk.nodes.all()
    assert house.desk.may_be_busy(node)
    house.says(kind="closed", job_id="a")
    until(lambda: house.pump() or not house.desk.may_be_busy(node))


def test_what_wardens_say_reaches_the_runner_of_their_job(house: House) -> None:
    house.up()
    results = {"kind": "results", "results": [], "started": []}
    house.says(kind="job", job_id="a", message=results)
    house.says(kind="job", job_id="a", message={"kind": "nonsense"})
    house.says(kind="refused", job_id="a", attempts=[[1, 1, "n2"]])
    house.says(kind="trouble", job_id="a", why="full")
    house.says(kind="closed", job_id="a")
    until(lambda: house.pump() or ("closed", "n1") in house.told)
    assert [one for one in house.told if one[0] not in ("up", "room")] == [
        ("heard", "n1", "results"),
        ("refused", "n1", [[1, 1, "n2"]]),
        ("troubled", "n1", "full"),
        ("closed", "n1"),
    ]


def config() -> ExecutorConfig:
    return ExecutorConfig.model_construct(name="cl", kind="dask", address="tls://s:1")


def test_who_asks_for_the_nodes_is_answered_at_once_or_when_they_have_been_checked(
    house: House,
) -> None:
    house.up()
    owner = house.owner.within(60.0)
    (told,) = owner.ask(Cluster.describe, config(), False)
    assert [node["checked"] for node in told["nodes"]] == [None]
    answer = owner.call(Cluster.describe, config(), True)
    house.hears("check")
    house.says(kind="checked", status=127)
    (told,) = answer.get(60.0)
    assert "status 127" in told["nodes"][0]["checked"]["why"]


def test_a_node_that_does_not_answer_is_said_to_have_not() -> None:
    check = Check(None, config(), {"n1", "n2"}, time.monotonic())  # type: ignore[arg-type]
    check.hear("n1", 0)
    check.hear("n1", 1)
    check.hear("stranger", 0)
    answers = check.answers()
    assert answers["n1"]["ok"]
    assert "did not answer" in (answers["n2"]["why"] or "")


def test_a_stranger_on_the_socket_is_not_heard(house: House, tmp_path: Path) -> None:
    stranger = Dealer(tmp_path / "bridge-cl.sock", b"bridge-guessed", server_key=house.key)
    stranger.send({"kind": "up", "node": "evil", "facts": {}, "hello": HELLO})
    until(lambda: stranger.drain() or not stranger.waiting)
    house.up()
    assert [node.name for node in house.desk.nodes.all()] == ["n1"]
    stranger.close()


def test_a_bridge_that_is_lost_is_replaced_and_no_node_is_reached_meanwhile(house: House) -> None:
    house.up()
    assert house.owner.within(60.0).ask(Owner.lose_bridge) == 2
    until(lambda: ("down", "n1") in house.told)
    assert house.desk.nodes.capacity() == 0
    assert "bridge was lost" in (house.desk.nodes.engine or "")


def test_the_next_bridge_is_heard_also_where_the_sockets_file_was_removed(house: House) -> None:
    path = house.context.home.workers_sock.with_name("bridge-cl.sock")
    house.up()  # it is connected
    path.unlink()
    house.told.clear()
    house.up()
    house.owner.within(60.0).ask(Owner.lose_bridge)
    house.bridge.close()
    house.told.clear()
    name, _ = house.owner.within(60.0).ask(Owner.of_bridge)
    house.bridge = Dealer(path, name, server_key=house.key)
    house.up()


def test_a_job_is_closed_once_its_nodes_say_so(house: House) -> None:
    house.up()
    closed = house.owner.within(60.0).call(Cluster.close_job, "a", ["n1"], ["n1"], 1.0)
    assert house.hears("close") == {"kind": "close", "job_id": "a", "grace": 1.0}
    house.says(kind="closed", job_id="a")
    closed.get(60.0)


def test_a_node_that_comes_back_is_told_to_close_what_it_may_still_run(house: House) -> None:
    house.desk.nodes.up("n1", {}, HELLO)
    closed = house.owner.within(60.0).call(Cluster.close_job, "a", ["n1"], ["n1"], 1.0)
    house.up()
    house.hears("close")
    house.says(kind="closed", job_id="a")
    closed.get(60.0)


def test_of_a_node_that_is_lost_people_hear_if_it_had_something_to_do(house: House) -> None:
    house.up()
    house.say("down", node="n1", why="given back")
    house.up()
    until(lambda: house.pump() or len(house.lost) == 2)
    assert house.desk.nodes.take("a") == "n1"
    house.say("down", node="n1", why="cut")
    house.say("gone", node="n1")
    until(lambda: house.pump() or len(house.lost) == 4)
    assert house.lost == [("cl: n1", why) for why in (None, None, "cut", None)]
    until(lambda: ("gone", "n1") in house.told)


@pytest.mark.slow
def test_a_node_that_does_not_come_back_is_waited_for_until_its_lease_is_over(
    house: House,
) -> None:
    house.up()
    house.say("down", node="n1", why="cut")
    until(lambda: ("down", "n1") in house.told)
    closed = house.owner.within(60.0).call(Cluster.close_job, "a", ["n1"], ["n1"], 0.0)
    closed.get(60.0)
