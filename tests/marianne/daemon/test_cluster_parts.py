"""The plain parts of an executor on a cluster: stations, places, what it is as an executor."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from cluster_stage import Stage, done, run
from context_stage import context_in

from actors import System
from marianne.daemon.boot import executors
from marianne.daemon.cluster.batch_notes import BatchNotes
from marianne.daemon.cluster.delivery import Delivery
from marianne.daemon.cluster.executor import ClusterExecutor
from marianne.daemon.cluster.places import Places
from marianne.daemon.cluster.placing import Placing
from marianne.daemon.cluster.question import Question
from marianne.daemon.cluster.runner import ClusterRunner
from marianne.daemon.cluster.station import Station, serial_of, split
from marianne.daemon.config import DaemonConfig
from marianne.daemon.config.executors import ExecutorConfig
from marianne.daemon.context import Context
from marianne.daemon.worker.executor import spooled
from marianne.executors.protocol import Runner
from marianne.home import Home
from marianne.run.spool import Spool


def asked(kind: type) -> dict[str, list[str]]:
    return {
        name: list(inspect.signature(method).parameters)
        for name, method in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }


def test_it_answers_what_the_seam_asks() -> None:
    found = asked(ClusterRunner)
    assert {name: found.get(name) for name in asked(Runner)} == asked(Runner)


def test_a_serial_number_keeps_its_node_through_the_seam() -> None:
    assert split(serial_of(1_000_000, 4_095)) == (4_095, 1_000_000)
    assert split(0) == (0, 0)


def test_a_failure_that_may_be_the_nodes_names_it_once() -> None:
    station = Station("n1", 1)
    failed = done(1, outcome="failed", category="not_found", message="no program x")
    (told,) = station.ended([failed])
    hint = "install it there, or name a label of nodes that have it"
    assert told["message"] == f"no program x (on node n1: {hint})"
    (again,) = station.ended([{**failed, "message": told["message"]}])
    assert again["message"] == told["message"]
    (own,) = station.ended([done(1, outcome="failed", category="exit", message="exit code 1")])
    assert own["message"] == "exit code 1"


def test_what_all_nodes_say_is_one_hello_and_replaces_what_was_believed() -> None:
    one, other = Station("n1", 1), Station("n2", 2)
    one.grant(run(9))
    one.said = {"running": [[1, 1]], "queued": [[2, 1]], "ended": [[3, 1]], "unacked": []}
    other.said = {"running": [], "unacked": [done(4, serial=5)]}
    told = Question(1, 1).answer([one, other])
    assert told["running"] == [[1, 1]]
    assert told["queued"] == [[2, 1]]
    assert told["ended"] == [[3, 1]]
    assert [result["serial"] for result in told["unacked"]] == [serial_of(5, 2)]
    assert one.placed == {(1, 1), (2, 1), (3, 1)}


def test_nodes_keep_their_order_and_a_torn_line_is_none(tmp_path: Path) -> None:
    places = Places(Home(tmp_path / "home"), "0" * 32, tmp_path)
    places.make("a", b"", b"")
    places.use("a", "n2")
    places.use("a", "n1")
    with open(tmp_path / "home" / "jobs" / "a" / "used", "a") as file:
        file.write("n")
    assert places.used("a") == ["n2", "n1"]


def test_results_of_all_nodes_are_found_with_their_own_numbers(tmp_path: Path) -> None:
    places = Places(Home(tmp_path / "home"), "0" * 32, tmp_path)
    places.make("a", b"", b"")
    for index, node in enumerate(("n1", "n2"), 1):
        places.use("a", node)
        places.spool("a", node).parent.mkdir()
        spool = Spool(str(places.spool("a", node)))
        spool.append(done(index))
        spool.close()
    found = places.finished("a")
    assert [(one["num"], one["node"], split(one["serial"])) for one in found] == [
        (1, "n1", (1, 1)),
        (2, "n2", (2, 1)),
    ]
    assert [one["num"] for one in places.finished("a", ["n2"])] == [2]
    # Who knows only the conductor's own directory of the job finds them, too: a boot does.
    assert [one["num"] for one in spooled(tmp_path / "home" / "jobs" / "a")] == [1, 2]


def test_what_is_put_aside_is_out_of_the_way_of_a_job_of_that_name(tmp_path: Path) -> None:
    places = Places(Home(tmp_path / "home"), "0" * 32, tmp_path)
    assert places.put_aside("a") is None
    places.make("a", b"", b"")
    gone = places.put_aside("a")
    assert gone is not None
    assert gone.name.startswith(".a.")
    places.make("a", b"", b"")


def config(place: Path, **fields: Any) -> ExecutorConfig:
    given = {"name": "cl", "address": "tcp://127.0.0.1:8786", "shared_directory": str(place)}
    return ExecutorConfig.model_validate(given | fields)


def test_the_configured_executor_is_made_and_the_local_one_is_beside_it(tmp_path: Path) -> None:
    system = System("parts")
    chosen = DaemonConfig(executor="cl", executors=[config(tmp_path)])
    context = context_in(tmp_path, system, chosen, kind=Context)
    made = executors.executor_of(context)
    names = [spec.id for spec in made.services()]
    assert names[-1] == "executor:cl"
    assert "link" in names
    assert made.rooms() == {"cl": 0}
    assert "reached" in made.shortage("cl")
    assert "no executor 'gone' any more" in made.shortage("gone")
    system.shutdown(timeout=5.0)


def test_a_cluster_that_was_not_reached_yet_has_no_room_and_says_why(tmp_path: Path) -> None:
    system = System("one")
    context = context_in(tmp_path, system, kind=Context)
    one = ClusterExecutor(context, config(tmp_path), "no bridge")
    assert one.capacity() == 0
    assert one.troubles() == ["executor cl has not been reached yet"]
    assert one.summary() == "0 up, 0 of 0 slots taken; executor cl has not been reached yet"
    assert one.waits("a") == {}
    assert list(one.finished("a")) == []
    system.shutdown(timeout=5.0)


def test_what_this_machine_wrote_of_a_job_is_taken_along_to_where_nodes_find_it(
    tmp_path: Path,
) -> None:
    places = Places(Home(tmp_path / "home"), "0" * 32, tmp_path)
    own = tmp_path / "home" / "jobs" / "a" / "sheets"
    own.mkdir(parents=True)
    (own / "1.1.out").write_text("here")
    places.link("a")
    places.link("a")
    assert (places.job_dir("a") / "sheets" / "1.1.out").read_text() == "here"
    assert (own / "1.1.out").read_text() == "here"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"address": "tcp://10.0.0.5:8786"}, "without TLS"),
        ({"address": "tcp://cluster.example:8786"}, "without TLS"),
        ({"address": "tls://10.0.0.5:8786"}, "tls_ca_file: is needed"),
        ({"name": "local"}, "choose another"),
        ({"address": "10.0.0.5"}, "address"),
        ({"shared_directory": None, "kind": "slurm"}, "shared_directory: kind: slurm needs one"),
        ({"tls_ca_file": "/nowhere/ca", "address": "tls://x:1"}, "/nowhere/ca is no file"),
    ],
)
def test_a_cluster_that_cannot_be_used_is_refused_with_what_to_do(
    tmp_path: Path, fields: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match="validation error") as error:
        config(tmp_path, **fields)
    assert says in str(error.value)


def test_without_its_library_it_is_refused_with_the_install_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marianne.daemon.config.executors.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="validation error") as error:
        config(tmp_path)
    assert "pip install 'marianne-conductor[dask]'" in str(error.value)


@pytest.mark.parametrize("address", ["tcp://localhost:1", "tcp://127.3.4.5:1", "tcp://[::1]:1"])
def test_on_this_machine_it_needs_no_tls(tmp_path: Path, address: str) -> None:
    assert config(tmp_path, address=address).connection()["address"] == address


def test_the_executor_that_is_named_is_one_of_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="other is none of local, cl"):
        DaemonConfig(executor="other", executors=[config(tmp_path)])


def test_placing_remembers_what_waits_and_gives_none_of_it_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(tmp_path, monkeypatch)
    delivery = Delivery(stage.context, stage.desk, "a")
    placing = Placing(stage.desk, delivery, "a", BatchNotes(tmp_path / "batch", "a"))
    placing.add([run(1), run(2), run(3), run(4, ahead=True)])
    assert [one.num for one in placing.take([2])] == [2]
    stage.nodes.up("n1", {"cpus": 1}, {"jobs": []})
    delivery.prepare()
    placing.place()
    assert stage.given("n1") == [(1, 1), (3, 1), (4, 1)]
    assert not placing.waits
    assert not placing.settle(delivery.stations["n1"])


def test_where_a_node_cannot_be_noted_nothing_is_sent_and_all_waits_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(tmp_path, monkeypatch)
    delivery = Delivery(stage.context, stage.desk, "a")
    placing = Placing(stage.desk, delivery, "a", BatchNotes(tmp_path / "batch", "a"))
    placing.add([run(1)])
    stage.nodes.up("n1", {"cpus": 1}, {"jobs": []})
    with pytest.raises(OSError, match="No such file"):
        placing.place()
    assert "n1" not in stage.posts
    assert placing.waits
    assert stage.nodes.known("n1").taken == {}
