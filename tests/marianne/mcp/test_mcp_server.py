"""The server answers every request once, holds up none, and ends with its input."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from marianne.cli import session
from marianne.mcp import calls, seeing, server

JOB = {"job_id": "wc", "status": "running", "progress": {"total": 3}, "error": None}


def _sheets(count: int, size: int = 1) -> list[dict[str, Any]]:
    return [{"num": n, "name": f"s{n}", "message": "x" * size} for n in range(1, count + 1)]


def _paged(count: int, size: int = 1) -> Any:
    rows = _sheets(count, size)

    def status(params: dict[str, Any]) -> dict[str, Any]:
        first, last = params["sheets"]
        return {**JOB, "progress": {"total": count}, "sheets": rows[first - 1 : last]}

    return status


def _output(text: bytes, running: bool = False) -> Any:
    def output(params: dict[str, Any]) -> dict[str, Any]:
        data = text[params["offset"] :][: params["limit"]]
        where = {"job_id": "wc", "sheet": params["sheet"] or 2, "attempt": 1, "path": "/p"}
        after = params["offset"] + len(data)
        place = {"offset": params["offset"], "next_offset": after, "size": len(text)}
        return {**where, **place, "data": data, "ended": not running}

    return output


def test_lines_that_are_no_messages_are_answered_and_the_next_one_is_served(agent) -> None:
    agent.begin()
    for line, code in (
        (b"nonsense\n", -32700),
        (b"\xff\xfe\n", -32700),
        (b"[]\n", -32600),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]\n', -32600),  # not in this revision
        (b"3\n", -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}\n', -32600),
    ):
        agent.say(line)
        assert agent.hear()["error"]["code"] == code, line
    agent.say(b"\n  \n")
    agent.tell("ping", 5)
    assert agent.hear() == {"jsonrpc": "2.0", "id": 5, "result": {}}


def test_a_line_that_is_too_long_is_refused_whole_and_the_next_one_is_served(
    agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "LINE_BYTES", 100_000)
    agent.begin()
    for _ in range(30):
        agent.say(b"x" * 10_000)
    agent.say(b"\n")
    assert agent.hear()["error"]["code"] == -32600
    agent.tell("ping", 5)
    assert agent.hear()["id"] == 5


def test_a_batch_of_the_revision_that_has_them_is_answered_as_one(agent) -> None:
    agent.begin("2025-03-26")
    batch = [
        {"jsonrpc": "2.0", "id": 1, "method": "ping"},
        {"jsonrpc": "2.0", "method": "notifications/nothing"},
        {"jsonrpc": "2.0", "id": 2, "method": "nothing"},
        {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "status"}},
        7,
    ]
    agent.say(json.dumps(batch).encode() + b"\n")
    answers = agent.hear()
    assert {answer["id"] for answer in answers} == {1, 2, 3, None}


def test_a_tool_that_is_none_is_an_error_of_the_protocol_that_names_those_there_are(
    onlooker,
) -> None:
    onlooker.tell("tools/call", 9, name="paint")
    error = onlooker.hear()["error"]
    assert error["code"] == -32602
    assert "'paint'" in error["message"]
    assert "status" in error["message"]


@pytest.mark.parametrize("tool", ["run", "cancel", "retry", "resume"])
def test_who_may_only_look_is_told_how_a_person_allows_more(onlooker, conductor, tool) -> None:
    onlooker.tell("tools/list", 1)
    assert tool not in [one["name"] for one in onlooker.hear()["result"]["tools"]]
    assert "marianne mcp --write" in onlooker.fail(tool, job="wc")
    assert conductor.asked == []


def test_a_refusal_of_the_conductor_is_told_with_its_hint(onlooker, conductor) -> None:
    from cli_fake import Refuse

    def no(_params: dict[str, Any]) -> Any:
        raise Refuse("not_found", "no job 'x'", "`marianne list --all` shows them all")

    conductor.answers["job.explain"] = no
    assert onlooker.fail("explain", job="x") == (
        "error (not_found): no job 'x'\nhint: `marianne list --all` shows them all"
    )


def test_the_problems_of_a_score_are_told_with_their_lines(agent, conductor) -> None:
    from cli_fake import Refuse

    problem = {"file": "a.yaml", "line": 3, "column": 1, "message": "unknown key 'nam'"}

    def no(_params: dict[str, Any]) -> Any:
        raise Refuse("invalid_score", "it cannot be run", None, {"problems": [problem] * 60})

    conductor.answers["job.submit"] = no
    agent.begin()
    said = agent.fail("run", text="name: x")
    assert "a.yaml:3:1: unknown key 'nam'" in said
    assert said.count("unknown key") == calls.PROBLEMS
    assert "and 10 more" in said


def test_a_fault_of_ours_is_told_without_a_traceback(
    onlooker, conductor, capfd: pytest.CaptureFixture[str]
) -> None:
    conductor.answers["job.explain"] = ["a list where a map should be"]
    said = onlooker.fail("explain", job="x")
    assert said.startswith("error (internal): ")
    assert "Traceback" not in said + capfd.readouterr().err


def test_a_conductor_that_is_silent_is_an_error_within_the_deadline(
    onlooker, conductor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "REQUEST_SECONDS", 0.3)
    conductor.silent.add("job.explain")
    assert "did not answer within 0.3 s" in onlooker.fail("explain", job="wc")


def test_without_a_conductor_a_question_for_it_is_an_error_and_none_is_started(
    onlooker, home
) -> None:
    assert "no conductor is running" in onlooker.fail("explain", job="wc")
    assert not home.running()


def test_a_call_that_waits_holds_up_no_other_and_can_be_cancelled(onlooker, conductor) -> None:
    conductor.silent.add("job.wait")
    conductor.answers["job.status"] = {**JOB, "sheets": []}
    onlooker.tell("tools/call", "long", name="wait", arguments={"job": "wc", "seconds": 300})
    onlooker.tell("ping", 1)
    assert onlooker.hear()["id"] == 1
    assert onlooker.see("status", job="wc")["job_id"] == "wc"
    onlooker.tell("notifications/cancelled", requestId="long")
    onlooker.tell("notifications/cancelled", requestId="never")
    onlooker.tell("ping", 2)
    assert onlooker.hear()["id"] == 2
    onlooker.end()
    assert onlooker.hear() is None, "a request that was cancelled has no answer"


def test_an_id_that_is_still_under_way_is_not_used_again(onlooker, conductor) -> None:
    conductor.silent.add("job.wait")
    conductor.answers["job.status"] = {**JOB, "sheets": []}
    for _ in range(2):
        onlooker.tell("tools/call", 1, name="wait", arguments={"job": "wc", "seconds": 300})
    assert onlooker.hear()["error"]["code"] == -32600


@pytest.mark.slow
def test_a_wait_returns_the_job_as_it_stands_when_time_is_up(onlooker, conductor) -> None:
    conductor.silent.add("job.wait")
    conductor.answers["job.status"] = {**JOB, "sheets": [{"num": 1}]}
    told = onlooker.see("wait", job="wc", seconds=1)
    assert (told["ended"], told["job"]["status"]) == (False, "running")
    assert "sheets" not in told["job"]


def test_a_wait_returns_when_the_job_has_ended(onlooker, conductor) -> None:
    conductor.answers["job.status"] = {**JOB, "sheets": []}
    conductor.answers["job.wait"] = {**JOB, "status": "failed"}
    told = onlooker.see("wait", job="w")
    assert (told["job_id"], told["ended"], told["job"]["status"]) == ("wc", True, "failed")


def test_no_more_calls_than_a_bounded_number_are_under_way(
    onlooker, conductor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "AT_ONCE", 2)
    conductor.silent.add("job.wait")
    conductor.answers["job.status"] = {**JOB, "sheets": []}
    for number in (1, 2, 3):
        onlooker.tell("tools/call", number, name="wait", arguments={"job": "a", "seconds": 300})
    answer = onlooker.hear()
    assert answer["id"] == 3
    assert answer["result"]["isError"]


@pytest.mark.slow
def test_the_end_of_input_answers_what_is_under_way_and_ends_the_server(
    onlooker, conductor
) -> None:
    conductor.silent.add("job.wait")
    conductor.answers["job.status"] = {**JOB, "sheets": []}
    onlooker.tell("tools/call", 1, name="wait", arguments={"job": "wc", "seconds": 300})
    onlooker.end()
    assert onlooker.hear()["result"]["structuredContent"]["ended"] is False
    assert onlooker.hear() is None


def test_a_client_that_reads_no_more_ends_the_server(agent) -> None:
    agent.begin()
    agent._answers.close()
    agent.tell("ping", 1)
    agent.thread.join(30)
    assert agent.broke


def test_a_job_of_many_sheets_comes_in_pages(onlooker, conductor) -> None:
    conductor.answers["job.status"] = _paged(120)
    seen, cursor = [], {}
    while True:
        page = onlooker.see("status", job="wc", **cursor)
        seen += [sheet["num"] for sheet in page["sheets"]]
        assert len(page["sheets"]) <= seeing.SHEETS
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == list(range(1, 121))


def test_a_page_of_large_sheets_is_shorter_and_none_is_left_out(onlooker, conductor) -> None:
    conductor.answers["job.status"] = _paged(10, size=40_000)
    seen, cursor, pages = [], {}, 0
    while True:
        page = onlooker.see("status", job="wc", **cursor)
        seen += [sheet["num"] for sheet in page["sheets"]]
        pages += 1
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == list(range(1, 11))
    assert pages == 5


TEXT = "".join(f"{n}: Größe ∑ 🎻\n" for n in range(4_000))


@pytest.mark.parametrize("limit", [64, 1_001, 100_000])
def test_an_output_in_pieces_is_the_whole_output(onlooker, conductor, limit: int) -> None:
    text = TEXT[: limit * 30]
    conductor.answers["job.output"] = _output(text.encode())
    seen, cursor = "", {}
    while True:
        piece = onlooker.see("output", job="wc", limit=limit, **cursor)
        seen += piece["text"]
        assert len(piece["text"].encode()) <= limit
        if piece["next_cursor"] is None:
            break
        cursor = {"cursor": piece["next_cursor"]}
    assert seen == text


def test_the_tail_of_an_output_begins_with_a_whole_letter(onlooker, conductor) -> None:
    conductor.answers["job.output"] = _output(("é" * 1_000).encode())
    piece = onlooker.see("output", job="wc", limit=101, tail=True)
    assert piece["text"] == "é" * 50
    assert piece["next_cursor"] is None
    assert piece["size"] == 2_000


def test_of_a_sheet_that_runs_the_cursor_goes_on_where_it_grew(onlooker, conductor) -> None:
    conductor.answers["job.output"] = _output("erste Größ".encode()[:-1], running=True)
    piece = onlooker.see("output", job="wc")
    assert piece["text"] == "erste Gr\u00f6"
    conductor.answers["job.output"] = _output("erste Größe".encode())
    more = onlooker.see("output", job="wc", cursor=piece["next_cursor"])
    assert more["text"] == "ße"
    assert more["next_cursor"] is None


@pytest.mark.parametrize("cursor", ["x", "out.1.1", "out.1.1.-1", "bad.1.1.1"])
def test_a_cursor_that_no_output_had_is_refused(onlooker, conductor, cursor: str) -> None:
    assert "is no cursor" in onlooker.fail("output", job="wc", cursor=cursor)
    assert conductor.asked == []


def test_a_score_is_given_by_its_path_or_as_text(agent, conductor) -> None:
    agent.begin()
    for given in ({}, {"path": "a.yaml", "text": "name: a"}):
        assert "one of the two" in agent.fail("run", **given)
        assert "one of the two" in agent.fail("validate", **given)
    assert "there is no score" in agent.fail("run", path="-")
    assert conductor.asked == []


def test_run_submits_with_the_directory_and_environment_of_the_server(
    agent, conductor, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOR_THE_JOB", "yes")
    taken = {"job_id": "a", "status": "accepted", "message": "1 sheet", "warnings": ["w"]}
    conductor.answers["job.submit"] = taken
    agent.begin()
    assert agent.see("run", text="name: a", variables={"n": 3}) == taken
    asked = conductor.params("job.submit")
    assert asked["score"] == "name: a"
    assert asked["client_cwd"] == str(tmp_path)
    assert asked["variables"] == {"n": "3"}
    assert b"FOR_THE_JOB" in {
        k if isinstance(k, bytes) else k.encode() for k in asked["environment"]
    }


def test_run_can_wait_for_the_end(agent, conductor) -> None:
    taken = {"job_id": "a", "status": "accepted", "message": "1 sheet", "warnings": []}
    conductor.answers["job.submit"] = taken
    conductor.answers["job.wait"] = {**JOB, "status": "completed"}
    agent.begin()
    told = agent.see("run", text="name: a", seconds=5)
    assert (told["job_id"], told["ended"], told["job"]["status"]) == ("a", True, "completed")


def test_a_job_that_was_taken_in_is_told_though_its_end_cannot_be_waited_for(
    agent, conductor
) -> None:
    """Else the agent would run it again."""
    from cli_fake import Refuse

    def gone(_params: object) -> None:
        raise Refuse("no_conductor", "the conductor has stopped")

    taken = {"job_id": "a", "status": "accepted", "message": "1 sheet", "warnings": []}
    conductor.answers |= {"job.submit": taken, "job.wait": gone}
    agent.begin()
    said = agent.fail("run", text="name: a", seconds=5)
    assert "job a was taken in" in said
    assert "the conductor has stopped" in said


def test_cancel_tells_what_became_of_the_job_or_why_nothing_did(agent, conductor) -> None:
    agent.begin()
    row = {"job_id": "a", "status": "cancelled", "ok": True, "error": None}
    conductor.answers["job.cancel"] = {"jobs": [row]}
    assert agent.see("cancel", job="a") == {"job_id": "a", "status": "cancelled"}
    error = {"code": "conflict", "message": "job a is completed already", "hint": None}
    conductor.answers["job.cancel"] = {"jobs": [{"job_id": "a", "ok": False, "error": error}]}
    assert agent.fail("cancel", job="a") == "error (conflict): job a is completed already"


def test_retry_names_sheets_by_number_or_name(agent, conductor) -> None:
    agent.begin()
    conductor.answers["job.status"] = {
        **JOB,
        "progress": {"total": 1},
        "sheets": [{"num": 3, "name": "build"}],
    }
    conductor.answers["job.retry"] = {"job_id": "wc", "status": "queued"}
    agent.see("retry", job="wc", sheets=[1, "build"])
    assert conductor.params("job.retry") == {"job_id": "wc", "sheets": [1, 3]}
    agent.see("retry", job="wc")
    assert conductor.params("job.retry") == {"job_id": "wc", "sheets": None}


def test_answers_of_calls_that_end_together_do_not_mix(onlooker, conductor) -> None:
    conductor.answers["job.status"] = _paged(40, size=2_000)
    for number in range(12):
        onlooker.tell("tools/call", number, name="status", arguments={"job": "wc"})
    assert sorted(onlooker.hear()["id"] for _ in range(12)) == list(range(12))
    assert threading.active_count() < 40
