"""One job on many nodes: each attempt is one node's until it says how it ended, or has lost it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cluster_stage import Stage, done, run

from marianne.daemon.cluster.late import FILE
from marianne.daemon.cluster.settings import LOST_WITHIN
from marianne.daemon.cluster.station import serial_of
from marianne.executors.protocol import Needs, Run
from marianne.model.plan import Growth, Instrument, Plan, Prompt, SheetPlan
from marianne.run.archive import ARCHIVED
from marianne.run.spool import Spool
from marianne.score.pack import pack_plan
from marianne.state.changes import InsertJob
from marianne.state.database import Database
from marianne.state.models import JobRow, JobStatus


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(tmp_path, monkeypatch)


def test_a_new_job_has_nothing_to_be_heard(stage: Stage) -> None:
    assert stage.context.entries["a"].blank


def test_attempts_go_where_most_room_is_and_wait_where_there_is_none(stage: Stage) -> None:
    stage.up("n1", "n2")
    stage.runner.run([run(num) for num in range(1, 6)], 5)
    given = {node: stage.given(node) for node in ("n1", "n2")}
    assert sorted(len(some) for some in given.values()) == [2, 2]
    assert "all 4 slots of 2 nodes are taken" in stage.desk.waits["a"]()[5]
    first = given["n1"][0]
    stage.ended("n1", done(*first))
    assert stage.woken
    stage.runner.room()
    assert stage.given("n1") == [(5, 1)]
    assert stage.desk.waits["a"]() == {}


def test_a_node_that_lacks_a_program_is_given_no_more_of_the_job_while_another_has_room(
    stage: Stage,
) -> None:
    """It fails each at once, has room again, and was given all that there was."""
    lacks = {"outcome": "failed", "category": "not_found", "message": "no program x"}
    stage.up("n1", "n2")
    stage.runner.run([run(num) for num in range(1, 6)], 5)
    ((first, *_), other) = stage.given("n1"), stage.given("n2")
    stage.ended("n1", done(*first, **lacks))
    stage.runner.room()
    assert stage.given("n1") == []
    assert "no program x (on node n1" in stage.desk.waits["a"]()[5]
    stage.ended("n2", done(*other[0], **lacks))
    assert stage.given("n2") == [(5, 1)], "nobody else is left"


def test_that_a_node_is_used_is_on_disk_before_it_is_told_anything(stage: Stage) -> None:
    stage.desk.post = lambda node, messages: seen.append(stage.desk.places.used("a"))
    seen: list[list[str]] = []
    stage.up("n1")
    stage.runner.run([run(1)], 1)
    assert seen[0] == ["n1"]


def test_the_first_message_opens_the_job_with_what_its_worker_needs(stage: Stage) -> None:
    stage.up("n1")
    stage.runner.run([run(1)], 1)
    settings = stage.posts["n1"][0]["settings"]
    assert settings["job_id"] == "a"
    assert settings["lost_within_seconds"] == LOST_WITHIN
    assert (Path(settings["job_dir"]) / "plan").read_bytes() == b"plan"
    assert (stage.home.job_dir("a") / "sheets").is_symlink()


def test_a_short_sheets_slot_goes_to_what_was_granted_ahead_on_its_node(stage: Stage) -> None:
    stage.up("n1")
    stage.runner.run([run(1), run(2), run(3, ahead=True), run(4, ahead=True)], 2)
    assert len(stage.given("n1")) == 4
    stage.ended("n1", done(1))
    stage.began("n1", (3, 1))
    assert stage.nodes.capacity() == 2
    assert stage.nodes.known("n1").free == 0
    stage.ended("n1", done(2), done(3), done(4))
    assert stage.nodes.known("n1").free == 2


def test_what_was_granted_ahead_begins_where_all_that_it_waited_for_has_ended(stage: Stage) -> None:
    stage.up("n1")
    stage.runner.run([run(1), run(2)], 2)
    stage.ended("n1", done(1), done(2, serial=2))
    stage.given("n1")
    stage.runner.run([run(3, ahead=True), run(4, ahead=True), run(5, ahead=True)], 2)
    runs = [one for message in stage.sent("n1", "run") for one in message["sheets"]]
    assert [(one["num"], one["ahead"]) for one in runs] == [(3, False), (4, False)]
    stage.ended("n1", done(3, serial=3))
    assert stage.given("n1") == [(5, 1)]


def test_what_was_granted_ahead_comes_back_from_all_nodes_in_one_word(stage: Stage) -> None:
    stage.up("n1", "n2")
    stage.runner.run([run(num) for num in (1, 2, 3, 4)], 4)
    stage.runner.run([run(5, ahead=True), run(6, ahead=True)], 4)
    stage.runner.withdraw()
    stage.runner.heard("n1", {"kind": "withdrawn", "sheets": [[5, 1]]})
    assert stage.job.take("withdrawn") == []
    stage.runner.heard("n2", {"kind": "withdrawn", "sheets": [[6, 1]]})
    (told,) = stage.job.take("withdrawn")
    assert sorted(told[0]) == [[5, 1], [6, 1]]


def test_acknowledgements_find_the_node_whose_spool_it_is(stage: Stage) -> None:
    stage.up("n1", "n2")
    stage.runner.run([run(1), run(2)], 2)
    stage.ended("n1", done(1, serial=7))
    ((results, _),) = stage.job.take("results")
    assert results[0]["node"] == "n1"
    stage.runner.acknowledge([results[0]["serial"], 0])
    assert [one["serials"] for one in stage.sent("n1", "ack")] == [[7]]
    assert not stage.sent("n2", "ack")


def test_a_grant_that_was_lost_with_a_connection_is_said_again_to_that_node_alone(
    stage: Stage,
) -> None:
    stage.up("n1")
    stage.runner.run([run(1), run(2)], 2)
    stage.began("n1", (1, 1))
    stage.down("n1")
    stage.up("n2", "n1")
    stage.posts.clear()
    stage.hello("n1", running=[[1, 1]])
    assert stage.given("n1") == [(2, 1)]
    assert stage.given("n2") == []


def test_an_attempt_whose_node_knows_nothing_of_it_any_more_is_lost(stage: Stage) -> None:
    stage.up("n1")
    stage.runner.run([run(1)], 1)
    stage.began("n1", (1, 1))
    stage.down("n1")
    stage.up("n1")
    stage.hello("n1")
    assert stage.told() == [(1, 1, "lost")]


def test_what_a_lost_node_had_is_lost_only_when_its_lease_is_surely_over(stage: Stage) -> None:
    stage.up("n1")
    stage.runner.run([run(1)], 1)
    stage.began("n1", (1, 1))
    stage.down("n1")
    stage.clock.now += 8.9  # lease 6, grace 1, margin 2
    stage.runner.ring()
    assert stage.told() == []
    stage.clock.now += 0.2
    stage.runner.ring()
    assert stage.told() == [(1, 1, "lost")]
    assert stage.nodes.known("n1").taken == {}


def test_what_stands_in_a_lost_nodes_spool_counts(stage: Stage) -> None:
    stage.up("n1")
    stage.runner.run([run(1), run(2)], 2)
    place = stage.desk.places.spool("a", "n1")
    place.parent.mkdir(parents=True)
    spool = Spool(str(place))
    spool.append(done(1))
    spool.close()
    stage.down("n1")
    stage.runner.gone("n1", None)  # its engine has ended it
    assert stage.told() == [(1, 1, "completed")]
    stage.clock.now += 10
    stage.runner.ring()
    assert stage.told() == [(1, 1, "completed"), (2, 1, "lost")]  # twice is as once


def test_a_result_that_comes_after_its_attempt_was_lost_is_kept_as_evidence(stage: Stage) -> None:
    stage.up("n1")
    stage.runner.run([run(1)], 1)
    stage.began("n1", (1, 1))
    stage.down("n1")
    stage.clock.now += 10
    stage.runner.ring()
    stage.up("n1")
    stage.hello("n1", unacked=[done(1)])
    (line,) = (stage.home.job_dir("a") / FILE).read_text().splitlines()
    kept = json.loads(line)
    assert (kept["node"], kept["outcome"]) == ("n1", "completed")


def test_after_a_restart_all_used_nodes_are_heard_before_the_job_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(tmp_path, monkeypatch)
    stage.up("n1", "n2")
    stage.runner.run([run(1), run(2)], 2)
    stage.begin()
    stage.posts.clear()
    stage.runner.report(7)
    stage.answer("n1", running=[[1, 1]])
    assert stage.job.take("worker_up") == []
    stage.answer("n2", unacked=[done(2, serial=3)])
    ((told, asker),) = stage.job.take("worker_up")
    assert asker == 7
    assert told["running"] == [[1, 1]]
    index = stage.desk.places.used("a").index("n2") + 1
    assert [one["serial"] for one in told["unacked"]] == [serial_of(3, index)]
    assert stage.nodes.known("n1").taken == {"a": 1}


def test_a_node_that_does_not_come_back_keeps_the_job_no_longer_than_its_lease(
    stage: Stage,
) -> None:
    stage.up("n1", "n2")
    stage.runner.run([run(1), run(2)], 2)
    stage.began("n1", (1, 1))
    stage.down("n2")
    stage.begin()
    stage.posts.clear()
    stage.runner.report(7)
    stage.answer("n1", running=[[1, 1]])
    stage.clock.now += 10
    stage.runner.ring()
    ((told, _),) = stage.job.take("worker_up")
    assert told["running"] == [[1, 1]]


def test_an_answer_to_an_earlier_question_is_none_to_this_one(stage: Stage) -> None:
    stage.up("n1")
    stage.runner.run([run(1)], 1)
    stage.runner.report(1)
    stage.posts.clear()
    stage.runner.report(2)
    stage.hello("n1", 12345, running=[])
    assert stage.job.take("worker_up") == []
    stage.answer("n1", running=[[1, 1]])
    assert [asker for _, asker in stage.job.take("worker_up")] == [2]


def test_a_cancel_goes_to_the_node_and_what_waits_here_ends_at_once(stage: Stage) -> None:
    stage.up("n1")
    stage.runner.run([run(1), run(2), run(3)], 3)
    stage.runner.end_sheets([1, 3], "cancelled")
    assert stage.told() == [(3, 1, "cancelled")]
    assert [one["sheets"] for one in stage.sent("n1", "cancel")] == [[1]]


def test_a_cancel_before_it_is_known_what_runs_reaches_every_node(stage: Stage) -> None:
    stage.up("n1")
    stage.runner.run([run(1)], 1)
    stage.down("n1")
    stage.runner.report(3)
    stage.runner.end_sheets([1], "cancelled")
    stage.posts.clear()
    stage.up("n1", jobs=("a",))
    kinds = [one["message"]["kind"] for one in stage.posts["n1"] if one["kind"] == "job"]
    assert kinds == ["cancel", "report"]


def test_what_a_node_cannot_begin_goes_to_another(stage: Stage) -> None:
    stage.up("n1")
    stage.runner.run([run(1)], 1)
    stage.runner.troubled("n1", "disk: No space left on device")
    stage.runner.refused("n1", [[1, 1, ""]])
    assert "No space left on device" in stage.desk.waits["a"]()[1]
    stage.up("n2")
    assert stage.given("n2") == [(1, 1)]


def test_what_another_node_has_claimed_is_that_nodes(stage: Stage) -> None:
    stage.up("n1", "n2")
    stage.runner.run([run(1)], 1)
    (node,) = [one for one in ("n1", "n2") if stage.given(one)]
    other = "n2" if node == "n1" else "n1"
    stage.runner.refused(node, [[1, 1, other]])
    stage.hello(other, running=[[1, 1]])
    assert stage.told() == []
    stage.hello(other)
    assert stage.told() == [(1, 1, "lost")]


def test_files_that_cannot_be_made_are_tried_again_and_the_reason_is_said(stage: Stage) -> None:
    stage.shared.write_text("in the way")
    stage.up("n1")
    stage.runner.run([run(1)], 1)
    delay = stage.context.start_delays.of("a")
    assert "shared directory of executor cl" in delay.why
    stage.shared.unlink()
    stage.runner.ring()
    assert stage.given("n1") == [(1, 1)]
    assert stage.context.start_delays.of("a") is None


def test_the_first_sheet_of_a_fresh_job_clears_its_workspace_before_another_begins(
    stage: Stage,
) -> None:
    stage.context.entries["a"].row.options["archives"] = True
    stage.up("n1", "n2")
    stage.runner.run([run(1), run(2), run(3)], 3)
    (node,) = [one for one in ("n1", "n2") if stage.posts.get(one)]
    assert stage.posts[node][0]["settings"]["fresh"]
    assert stage.given(node) == [(1, 1)]
    stage.began(node, (1, 1))
    assert not any(stage.given(one) for one in ("n1", "n2"))
    (stage.desk.places.job_dir("a") / ARCHIVED).touch()
    stage.began(node, (1, 1))
    assert sum(len(stage.given(one)) for one in ("n1", "n2")) == 2


def test_a_node_that_could_not_work_is_tried_again_and_its_job_opened_anew(stage: Stage) -> None:
    stage.up("n1")
    stage.runner.run([run(1)], 1)
    stage.runner.troubled("n1", "disk: No space left on device")
    stage.runner.refused("n1", [[1, 1, ""]])
    stage.posts.clear()
    stage.runner.ring()
    assert [one["kind"] for one in stage.posts["n1"]] == ["open", "job"]
    assert stage.given("n1") == [(1, 1)]


def test_a_question_is_asked_again_where_the_job_had_no_worker(stage: Stage) -> None:
    stage.up("n1")
    stage.runner.run([run(1)], 1)
    stage.runner.report(4)
    stage.runner.troubled("n1", "disk: No space left on device")
    stage.posts.clear()
    stage.runner.ring()
    stage.answer("n1", running=[[1, 1]])
    assert len(stage.job.take("worker_up")) == 1


def test_a_sheet_that_fits_nowhere_now_holds_up_no_other(stage: Stage) -> None:
    stage.up("n1")
    large = Run(1, 1, needs=Needs(gpus=1))
    stage.runner.run([large, run(2)], 2)
    assert stage.given("n1") == [(2, 1)]
    assert "no node has what it takes: n1 has no 1 gpus free" in stage.desk.waits["a"]()[1]
    stage.nodes.up("n2", {"cpus": 4, "gpus": 1}, {"jobs": []})
    stage.runner.room()
    assert stage.given("n2") == [(1, 1)]
    stage.began("n2", (1, 1))
    assert stage.nodes.take("b", needs=Needs(gpus=1)) is None
    stage.ended("n2", done(1))
    assert stage.nodes.take("b", needs=Needs(gpus=1)) == "n2"


def test_after_a_restart_what_runs_takes_of_its_node_what_its_plan_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(tmp_path, monkeypatch)
    sheet = SheetPlan(1, "one", 1, Instrument("shell"), Prompt("true"), cpus=2.0, gpus=1)
    plan = pack_plan(Plan("a", "/w", (sheet,), total_stages=1))
    stage.home.path.mkdir(exist_ok=True)
    with Database(stage.home.db) as database:
        row = JobRow("a", "a", JobStatus.RUNNING, "/w", 1.0, 1)
        database.write([InsertJob(row, plan, "", b"")])
    stage.nodes.up("n1", {"cpus": 2, "gpus": 1}, {"jobs": []})
    stage.runner.run([Run(1, 1, needs=Needs(cpus=2.0, gpus=1))], 1)
    stage.begin()
    stage.posts.clear()
    stage.runner.report(7)
    stage.answer("n1", running=[[1, 1]])
    node = stage.nodes.known("n1")
    assert (node.taken, node.scarce) == ({"a": 2.0}, {"a": (1, 0)})


def test_a_worker_that_was_replaced_is_told_what_lists_have_added_before_its_grants(
    stage: Stage,
) -> None:
    stage.up("n1")
    stage.runner.run([run(1)], 1)
    stage.runner.grow([Growth(1, 2, ({"num": 2},), ("two",))])
    stage.posts.clear()
    stage.hello("n1")
    kinds = [one["message"]["kind"] for one in stage.posts["n1"]]
    assert kinds == ["grow", "run"]


def test_a_grant_that_was_lost_on_its_way_is_said_again(stage: Stage) -> None:
    stage.up("n1")
    stage.runner.run([run(1), run(2)], 2)
    stage.began("n1", (1, 1))
    stage.posts.clear()
    stage.runner.ring()
    assert len(stage.sent("n1", "report")) == 1
    stage.hello("n1", running=[[1, 1]])
    assert stage.given("n1") == [(2, 1)]
    stage.began("n1", (2, 1))
    stage.runner.ring()
    stage.runner.ring()
    assert stage.runner.timers == [], "nothing is looked at that has begun"
